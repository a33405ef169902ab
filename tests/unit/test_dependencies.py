"""What pyproject.toml asks for is what the sources import: no more, no less."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]


def declared():
    """Names of the libraries that the package depends on, normalised."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in project["dependencies"]}


def imported():
    """Distributions that any module of the package imports, in whatever way."""
    names = {
        name.partition(".")[0]
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in names_of(node)
    }
    homes = metadata.packages_distributions()
    foreign = names - sys.stdlib_module_names - {"cdi"}
    return {normal(homes[name][0]) for name in foreign}


def names_of(node):
    match node:
        case ast.Import(names=names):
            return [each.name for each in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(func=ast.Attribute(attr="import_module"), args=[argument]):
            return beginning_of(argument)
    return []


def beginning_of(argument):
    """The name that `import_module` gets, or what an f-string begins with."""
    if isinstance(argument, ast.JoinedStr):
        argument = argument.values[0]
    return [argument.value] if isinstance(argument, ast.Constant) else []


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_library_is_used_and_every_used_one_is_declared():
    assert declared() == imported()

"""Modules stand on each other: none comes back to itself, by imports within functions either."""

from graphlib import TopologicalSorter

import grimp


def test_no_module_imports_itself_through_others():
    graph = grimp.build_graph("cdi", cache_dir=None)
    imported = {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}
    TopologicalSorter(imported).prepare()  # raises CycleError, which names the circle

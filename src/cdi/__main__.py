"""`python -m cdi` is the `cdi` command."""

from cdi.cli.main import main

main()

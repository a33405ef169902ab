"""The `cdi` command. Nothing imports this package."""

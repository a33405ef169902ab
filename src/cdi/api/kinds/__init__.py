"""Typed views of every kind that CDI serves; `cdi.api.resources` lists them."""

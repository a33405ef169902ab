"""
Coverage-guided fuzzing of everything that parses bytes of strangers: `make fuzz`.

One file a target. `harness` runs one, `patches` lets inputs be small changes of whole images,
`__main__` runs all of them for a while. See docs/fuzzing.md.
"""

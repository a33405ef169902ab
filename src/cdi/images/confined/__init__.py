"""
Other people's programs, run on the bytes of strangers: behind walls, with limits.

Here: the walls (`confine`, `sandbox`) and the programs behind them. Elsewhere: what has to be
true of an image before a program sees it (`formats.inspect`).
"""

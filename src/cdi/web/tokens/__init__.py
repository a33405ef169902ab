"""
Tokens: what a bearer may do, signed by one part of CDI and believed by another.

    payload      what a token says
    signing      the three kinds of tokens, signed and read
    clones       clone tokens as controllers use them
    keys         the keys behind them
    mounted      those that a pod has as files
"""

"""
Tokens: what a bearer may do, signed by one part of CDI and believed by another.

    payload      what a token says: this may be cloned to there, that claim may be uploaded to
    signing      tokens signed and read, with issuer and lifetime
"""

"""
The Secret with the keys that tokens are signed with: who writes it and who reads it meet here.

One pair signs. Besides, there may be one that will sign next, whose tokens are believed already,
and the public half of the one that signed before, whose tokens still are.
"""

from typing import Final

SECRET: Final = "cdi-api-signing-key"  # noqa: S105 (a name)

PRIVATE: Final = "id_rsa"  # PEM, PKCS#1
PUBLIC: Final = "id_rsa.pub"  # PEM, PKIX; so are all public ones
NEXT_PRIVATE: Final = "next_id_rsa"
NEXT_PUBLIC: Final = "next_id_rsa.pub"
PREVIOUS_PUBLIC: Final = "previous_id_rsa.pub"

# In the order in which they are most likely to have signed a token.
BELIEVED: Final = (PUBLIC, PREVIOUS_PUBLIC, NEXT_PUBLIC)

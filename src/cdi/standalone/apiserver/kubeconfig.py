"""
How clients find the server: the administrator's token and the kubeconfig that carries it.

Both are private files (0600) in the state directory. The token is made once and kept.
"""

import base64
import secrets
from pathlib import Path

import yaml

from cdi.standalone.apiserver.certificates import write_private

TOKEN_BYTES = 32


def ensure_token(path: Path) -> str:
    """The administrator's bearer token."""
    if path.exists() and (token := path.read_text().strip()):
        return token
    token = secrets.token_urlsafe(TOKEN_BYTES)
    write_private(path, token.encode())
    return token


def write_kubeconfig(path: Path, server: str, authority: Path, token: str) -> None:
    """A kubeconfig with one context, `cdi`, that opens `server` as the administrator."""
    ca = base64.b64encode(authority.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "cdi", "cluster": {"server": server, "certificate-authority-data": ca}}
        ],
        "users": [{"name": "cdi-admin", "user": {"token": token}}],
        "contexts": [
            {
                "name": "cdi",
                "context": {"cluster": "cdi", "user": "cdi-admin", "namespace": "default"},
            }
        ],
        "current-context": "cdi",
    }
    write_private(path, yaml.safe_dump(config, sort_keys=False).encode())

"""Connections whose other end may vanish without a word: a node that is gone, say."""

import socket
from typing import Final

_OPTIONS: Final = (
    (socket.TCP_KEEPIDLE, 10),
    (socket.TCP_KEEPINTVL, 5),
    (socket.TCP_KEEPCNT, 4),
)


def keep_alive(line: socket.socket) -> None:
    """Have a connection break within half a minute if the other end is gone without a word."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _OPTIONS:
        line.setsockopt(socket.IPPROTO_TCP, option, value)

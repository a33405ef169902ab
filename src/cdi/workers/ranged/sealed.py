"""
A connection after TLS has told its ends who they are: records as large as what is sent.

TLS brings 16 KiB at once, each with a call and two reads, which costs a receiver more than all the
rest of a copy. So one end tells the other, within TLS, a random key of this one connection; then
both leave TLS, and send records:

    4 bytes     n, at most RECORD
    n bytes     encrypted by AES-256-GCM
    16 bytes    the tag of those, and of the length

Each direction has a key of its own, and the nonce is the number of the record in it: none can be
left out, repeated, exchanged or sent back. After REKEY records the next key follows from the one
before it, so that no key sees more than 64 GiB. Who has agreed on another cipher than AES-GCM stays
in TLS. NIST SP 800-38D. Raises what Transport raises; ConnectionLost for what was not sealed at the
other end.
"""

from __future__ import annotations

import functools
import hmac
import secrets
import select
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cdi.images import errors
from cdi.images.sources.nbd.transport import TICK, Transport, Watch
from cdi.images.writes import Buffer

RECORD: Final = 1 << 20  # bytes: what an export answers at once
KEY_DIGITS: Final = 64
SENDER, SERVER = b"clone source", b"upload server"  # who sends in a direction
_REKEY: Final = 1 << 16  # records
_HEAD: Final = struct.Struct(">I")
_NONCE: Final = struct.Struct(">IQ")
_TAG: Final = 16
_AROUND: Final = _HEAD.size + _TAG
_SHORT: Final = 64 << 10  # bytes, which come at once
_TOGETHER: Final = RECORD + _SHORT  # at most, that leave with one call


def key_for(line: ssl.SSLSocket) -> str:
    """A key to leave TLS with, in hexadecimal; empty where it has agreed on another cipher."""
    agreed = line.cipher()
    return secrets.token_hex(KEY_DIGITS // 2) if agreed and "GCM" in agreed[0] else ""


class Seal:
    """One direction of a connection."""

    def __init__(self, key: str, sends: bytes) -> None:
        """`sends` is the end whose records they are."""
        self._key = hmac.digest(bytes.fromhex(key), sends, "sha256")
        self._cipher, self._number = AESGCM(self._key), 0

    def close(self, data: Buffer, head: bytes, into: Buffer) -> None:
        """Encrypt the next record, with its tag."""
        self._cipher.encrypt_into(self._nonce(), data, head, into)

    def open(self, sealed: Buffer, head: bytes) -> bytes:
        """Decrypt the next record. Raises InvalidTag."""
        return self._cipher.decrypt(self._nonce(), sealed, head)

    def _nonce(self) -> bytes:
        if self._number and not self._number % _REKEY:
            self._key = hmac.digest(self._key, b"next", "sha256")
            self._cipher = AESGCM(self._key)
        nonce = _NONCE.pack(0, self._number)
        self._number += 1
        return nonce


class Sealed(Transport):
    """One connected socket, which it owns, and which carries records."""

    vouches = True  # by the tag of each record

    def __init__(
        self, sock: socket.socket, watch: Watch, shown: str, outgoing: Seal, incoming: Seal
    ) -> None:
        super().__init__(sock, watch, shown)
        _wait_in_kernel(sock)
        self._arrived = select.poll()
        self._arrived.register(sock, select.POLLIN)
        self._receive = functools.partial(_received, sock)
        self._outgoing, self._incoming = outgoing, incoming
        self._leaving, self._coming = memoryview(bytearray()), memoryview(bytearray())
        self._left = memoryview(b"")  # of a record that was larger than what was wanted

    def send(self, *data: bytes | memoryview) -> None:
        filled = 0
        for part in _parts(data):
            size = _AROUND + len(part)
            if filled + size > _TOGETHER:
                super().send(self._leaving[:filled])
                filled = 0
            self._make_room(filled, size)
            self._seal(part, self._leaving[filled : filled + size])
            filled += size
        super().send(self._leaving[:filled])

    def _make_room(self, filled: int, size: int) -> None:
        """Have room for so many bytes behind those that wait to leave."""
        if filled + size > len(self._leaving):
            larger = memoryview(bytearray(filled + size))
            larger[:filled] = self._leaving[:filled]
            self._leaving = larger

    def _seal(self, part: memoryview, record: memoryview) -> None:
        head = _HEAD.pack(len(part))
        record[: _HEAD.size] = head
        self._outgoing.close(part, head, record[_HEAD.size :])

    def receive_into(self, view: memoryview) -> None:
        while view:
            self._left = self._left or memoryview(self._record())
            count = min(len(view), len(self._left))
            view[:count] = self._left[:count]
            view, self._left = view[count:], self._left[count:]

    def take(self, count: int) -> bytes | bytearray:
        if not self._left:
            found = self._record()
            if len(found) == count:
                return found
            self._left = memoryview(found)
        return self.receive(count)

    def _record(self) -> bytes:
        """Return what is in the next record."""
        head = bytearray(_HEAD.size)
        super().receive_into(memoryview(head))
        (size,) = _HEAD.unpack(head)
        if not 0 < size <= RECORD:
            raise self._broken()
        if len(self._coming) < size + _TAG:
            self._coming = memoryview(bytearray(size + _TAG))
        sealed = self._coming[: size + _TAG]
        if size > _SHORT:
            self._await(len(sealed))
        super().receive_into(sealed)
        try:
            return self._incoming.open(sealed, bytes(head))
        except InvalidTag:
            raise self._broken() from None

    def _await(self, size: int) -> None:
        """Have the kernel wake us when so many bytes are there, and not for each of its pieces.

        They may be fewer after TICK, or where that is all that fits.
        """
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        self._arrived.poll(TICK * 1000)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _broken(self) -> errors.TransferError:
        return errors.ConnectionLost(f"{self.shown}: what came was not sealed by the other end")


def _parts(data: tuple[bytes | memoryview, ...]) -> Iterator[memoryview]:
    """Yield what goes into one record each."""
    for each in data:
        view = memoryview(each)
        for at in range(0, len(view), RECORD):
            yield view[at : at + RECORD]


def _wait_in_kernel(sock: socket.socket) -> None:
    """Have waits end after TICK in the kernel, which can then wait for all of a record."""
    sock.setblocking(True)
    patience = struct.pack("ll", 0, int(TICK * 1e6))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, patience)


def _received(sock: socket.socket, view: memoryview) -> int:
    return sock.recv_into(view, 0, socket.MSG_WAITALL)


def after_tls(line: ssl.SSLSocket) -> socket.socket:
    """Leave TLS; both ends have to have read all of it."""
    return socket.socket(fileno=line.detach())

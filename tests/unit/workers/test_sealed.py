"""What goes over a connection after TLS: all of it comes, in order, and nothing else does."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography.exceptions import InvalidTag

from cdi.images import errors
from cdi.images.sources.nbd.transport import Watch
from cdi.workers.ranged import sealed
from cdi.workers.ranged.sealed import RECORD, Seal, Sealed

KEY = "5a" * 32
WATCH = Watch(threading.Event(), 60, time.monotonic)


@dataclass(frozen=True)
class Ends:
    """A sender's line, and the raw connection at whose other end a server's is."""

    sender: Sealed
    to_server: socket.socket
    server: Sealed
    to_sender: socket.socket


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both lines, with somebody between them."""
    ours, to_sender = socket.socketpair()
    to_server, theirs = socket.socketpair()
    keys = Seal(KEY, sealed.SENDER), Seal(KEY, sealed.SERVER)
    others = Seal(KEY, sealed.SERVER), Seal(KEY, sealed.SENDER)
    with (
        Sealed(ours, WATCH, "the server", *keys) as sender,
        Sealed(theirs, WATCH, "the sender", *others) as server,
        to_server,
        to_sender,
    ):
        yield Ends(sender, to_server, server, to_sender)


def passed_on(ends: Ends, count: int) -> bytes:
    """Take the next bytes off the sender's line."""
    found = b""
    while len(found) < count:
        found += ends.to_sender.recv(count - len(found))
    return found


def record(ends: Ends, data: bytes) -> bytes:
    ends.sender.send(data)
    return passed_on(ends, len(data) + 20)


@pytest.mark.parametrize("size", [1, 4096, RECORD, RECORD + 1, 3 * RECORD - 7])
def test_what_is_sent_comes(ends: Ends, size: int) -> None:
    data = os.urandom(size)
    sending = threading.Thread(target=ends.sender.send, args=(data,))
    sending.start()
    records = -(-size // RECORD)
    relay = threading.Thread(
        target=lambda: ends.to_server.sendall(passed_on(ends, size + records * 20))
    )
    relay.start()
    first = ends.server.receive(size // 3)
    assert bytes(first + ends.server.receive(size - size // 3)) == data
    sending.join()
    relay.join()


@pytest.mark.parametrize("size", [1, RECORD, RECORD + 1, 2 * RECORD])
def test_what_leaves_together_comes_one_after_the_other(ends: Ends, size: int) -> None:
    data, heads = os.urandom(size), (b"first", b"second")
    sending = threading.Thread(target=lambda: [ends.sender.send(head, data) for head in heads])
    sending.start()
    whole = sum(len(head) + 20 + size + -(-size // RECORD) * 20 for head in heads)
    relay = threading.Thread(target=lambda: ends.to_server.sendall(passed_on(ends, whole)))
    relay.start()
    for head in heads:
        assert bytes(ends.server.take(len(head))) == head
        assert bytes(ends.server.take(size)) == data
    sending.join()
    relay.join()


def test_nothing_can_be_read_in_between(ends: Ends) -> None:
    assert b"a secret of the guest" not in record(ends, b"a secret of the guest" * 10)


def test_what_is_equal_looks_different(ends: Ends) -> None:
    assert record(ends, b"the same") != record(ends, b"the same")


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("at", [4, 10, -1], ids=["first", "middle", "tag"])
def test_a_changed_bit_ends_it(ends: Ends, at: int) -> None:
    found = record(ends, b"0123456789")
    ends.to_server.sendall(flipped(found, at % len(found)))
    with pytest.raises(errors.ConnectionLost, match="not sealed by the other end"):
        ends.server.receive(10)


def test_a_record_that_comes_twice_ends_it(ends: Ends) -> None:
    ends.to_server.sendall(record(ends, b"0123456789") * 2)
    assert ends.server.receive(10) == b"0123456789"
    with pytest.raises(errors.ConnectionLost):
        ends.server.receive(10)


def test_a_record_that_is_left_out_ends_it(ends: Ends) -> None:
    record(ends, b"0123456789")
    ends.to_server.sendall(record(ends, b"0123456789"))
    with pytest.raises(errors.ConnectionLost):
        ends.server.receive(10)


def test_what_one_has_sent_is_not_taken_back(ends: Ends) -> None:
    ends.to_sender.sendall(record(ends, b"0123456789"))
    with pytest.raises(errors.ConnectionLost):
        ends.sender.receive(10)


@pytest.mark.parametrize("size", [0, RECORD + 1, 0xFFFFFFFF])
def test_an_absurd_length_ends_it(ends: Ends, size: int) -> None:
    ends.to_server.sendall(struct.pack(">I", size) + bytes(64))
    with pytest.raises(errors.ConnectionLost):
        ends.server.receive(10)


def test_keys_follow_from_each_other() -> None:
    outgoing, incoming = Seal(KEY, sealed.SENDER), Seal(KEY, sealed.SENDER)
    data, shut = b"x", bytearray(17)
    for _ in range((1 << 16) + 2):
        outgoing.close(data, b"", shut)
        assert incoming.open(shut, b"") == data
    late = Seal(KEY, sealed.SENDER)
    with pytest.raises(InvalidTag):
        late.open(shut, b"")

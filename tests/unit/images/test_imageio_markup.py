"""XML of an engine that may be anything."""

from __future__ import annotations

import itertools

import pytest

from cdi.images import errors
from cdi.images.sources.imageio import markup


def test_an_object_is_read() -> None:
    text = '<disk id="d"><a>\n <b> one </b><b>two</b> </a><empty/></disk>'
    disk = markup.parse([text[:20].encode(), text[20:].encode()])
    assert (disk.name, disk.id) == ("disk", "d")
    assert disk.value("a", "b") == "one"
    assert disk.child("empty") is not None
    assert disk.value("a", "c") == disk.value("x", "y") == ""


def test_a_list_comes_element_by_element() -> None:
    def pieces():
        yield b"<list>"
        for number in itertools.count():
            yield b'<one id="%d"><text>words</text></one>' % number

    found = itertools.islice(markup.elements(pieces()), 20_000)
    assert [each.id for each in found] == [str(number) for number in range(20_000)]


def test_lists_end() -> None:
    assert [each.id for each in markup.elements([b'<list><a id="1"/>', b'<a id="2"/></list>'])] == [
        "1",
        "2",
    ]


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
FOREIGN = b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'
REFUSED = [
    pytest.param([BOMB], "document type", id="entities"),
    pytest.param([FOREIGN], "document type", id="another-file"),
    pytest.param([b"<x>" * 40], "too deeply", id="deep"),
    pytest.param([b"<x><y>", *[b"<z/>" * 1000] * 11, b"</y></x>"], "too many", id="many"),
    pytest.param([b"<x>", *[b"words " * 10_000] * 20, b"</x>"], "too much text", id="text"),
    pytest.param([b'<x a="', *[b"words " * 10_000] * 20, b'"/>'], "too much", id="attribute"),
    pytest.param([b"<x ", *[b"a" * 60_000] * 20], "too much", id="tag-without-end"),
    pytest.param([b"<html><p>Log in</html>"], "no XML", id="html"),
    pytest.param([b"<x>"], "no XML", id="cut"),
    pytest.param([b""], "no XML", id="nothing"),
]


@pytest.mark.parametrize(("pieces", "words"), REFUSED)
def test_what_is_no_answer_of_an_engine_is_refused(pieces: list[bytes], words: str) -> None:
    with pytest.raises(errors.SourceRefused, match=words):
        markup.parse(pieces)
    with pytest.raises(errors.SourceRefused):
        list(markup.elements(pieces))

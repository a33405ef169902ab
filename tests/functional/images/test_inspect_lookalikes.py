"""What is no disk is told apart from raw disks, and the message says what it is."""

import codecs
import gzip
import lzma
import zlib

import pytest

from cdi.images import errors
from cdi.images.formats import inspect
from support import hostile

MIB = hostile.MIB
PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Hello</body></html>\n"
NOT_A_DISK, UNSUPPORTED = errors.NotADisk, errors.UnsupportedFormat
OVA = b"appliance.ovf".ljust(257, b"\0") + b"ustar\x0000" + bytes(2048)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b"", "nothing at all", id="empty"),
        pytest.param(b"\0", "less than one sector", id="one-byte"),
        pytest.param(b"\xeb\x3c" + bytes(509), "less than one sector", id="part-of-a-sector"),
        pytest.param(PAGE, 'web page, starting with "<!DOCTYPE html>', id="html"),
        pytest.param(PAGE.lower() * 20_000, "web page", id="html-longer-than-the-head"),
        pytest.param(b"\r\n  \t" + PAGE, "web page", id="html-behind-white-space"),
        pytest.param(b"<!-- x -->\n" + PAGE, "web page", id="html-behind-a-comment"),
        pytest.param(codecs.BOM_UTF8 + PAGE, "web page", id="html-with-byte-order-mark"),
        pytest.param(PAGE.decode().encode("utf-16"), "web page", id="html-utf-16"),
        pytest.param(PAGE.decode().encode("utf-16-be"), "web page", id="html-utf-16-bare"),
        pytest.param(PAGE + b"caf\xe9", "web page", id="html-latin-1"),
        pytest.param(b"<html>" + b" " * 1018, "web page", id="html-of-whole-sectors"),
        pytest.param(
            b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "XML", id="xml-s3-error"
        ),
        pytest.param(b'{"message": "Not Found"}', "JSON", id="json"),
        pytest.param(b'[{"a": 1}]' + b" " * 502, "JSON", id="json-of-whole-sectors"),
        pytest.param(b"404 page not found\n", "plain text", id="text"),
        pytest.param(b"0123456789abcdef" * 32, "plain text", id="text-of-one-sector"),
        pytest.param("Zugriff verweigert für Sie".encode(), "plain text", id="text-utf-8"),
        pytest.param(b"a line of a log\n" * 100_001, "plain text", id="text-long-and-ragged"),
        pytest.param(b'\x1b[31mfailed\x1b[0m "x"\n', "?[31mfailed", id="text-quoted-safely"),
        pytest.param(b"\0\0\0\x18ftypmp42" + bytes(600), "MP4", id="mp4"),
        pytest.param(b"\x1a\x45\xdf\xa3" + bytes(600), "Matroska or WebM", id="mkv"),
        pytest.param(b"RIFF\0\0\0\0AVI " + bytes(600), "AVI", id="avi"),
        pytest.param(b"RIFF\0\0\0\0WAVE" + bytes(600), "WAV", id="wav"),
        pytest.param(b"\0\0\x10\0moov" + bytes(600), "QuickTime", id="mov"),
        pytest.param(b"\0\0\1\xba" + bytes(600), "MPEG video", id="mpg"),
        pytest.param((b"G" + bytes(187)) * 10, "transport stream", id="ts"),
        pytest.param(b"FLV\1\5" + bytes(600), "Flash", id="flv"),
        pytest.param(
            bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(600),
            "Windows Media",
            id="wmv",
        ),
        pytest.param(b"OggS\0\2" + bytes(600), "Ogg", id="ogg"),
        pytest.param(b"fLaC\0\0" + bytes(600), "FLAC", id="flac"),
        pytest.param(b"ID3\4\0\0" + bytes(600), "MP3", id="mp3"),
        pytest.param((b"\xff\xfb\x90\0" + bytes(413)) * 3, "MP3", id="mp3-without-tags"),
        pytest.param(b"FORM\0\0\1\0AIFF" + bytes(600), "AIFF", id="aiff"),
        pytest.param(b"{\\rtf1\\ansi hello}", "RTF", id="rtf"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "plain text", id="lfs"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(600), "PNG", id="png"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(600), "JPEG", id="jpg"),
        pytest.param(b"%PDF-1.7\n" + bytes(600), "PDF", id="pdf"),
        pytest.param(b"\x7fELF\2\1\1" + bytes(600), "ELF", id="elf"),
        pytest.param(
            hostile.put(hostile.put(b"MZ", 0x3C, b"\x80\0\0\0"), 0x80, b"PE\0\0" + bytes(900)),
            "Windows program",
            id="pe",
        ),
    ],
)
def test_what_is_no_disk_is_refused_in_words(raw, words):
    with pytest.raises(NOT_A_DISK) as refused:
        inspect.inspect(raw[: inspect.HEAD], len(raw))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b"PK\x03\x04" + bytes(600), "zip", id="zip"),
        pytest.param(b"7z\xbc\xaf\x27\x1c" + bytes(600), "7z", id="7z"),
        pytest.param(b"Rar!\x1a\x07\1\0" + bytes(600), "rar", id="rar"),
        pytest.param(b"\x89LZO\0\r\n\x1a\n" + bytes(600), "lzop", id="lzop"),
        pytest.param(
            lzma.compress(bytes(9000), format=lzma.FORMAT_ALONE), "legacy lzma", id="lzma"
        ),
        pytest.param(b"\x1f\x9d\x90" + bytes(600), "compress (.Z)", id="compress"),
        pytest.param(b"MSCF\0\0\0\0" + bytes(600), "cabinet", id="cab"),
        pytest.param(b"LZIP\1\x0c" + bytes(600), "lzip", id="lzip"),
        pytest.param(gzip.compress(bytes(99)), "gzip", id="gzip-within-something"),
        pytest.param(lzma.compress(bytes(99)), "xz", id="xz-within-something"),
        pytest.param(OVA, "appliance", id="ova"),
    ],
)
def test_an_archive_is_refused_by_its_name(raw, words):
    with pytest.raises(UNSUPPORTED) as refused:
        inspect.inspect(raw[: inspect.HEAD], len(raw))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(bytes(512), id="one-sector-of-zeros"),
        pytest.param(bytes(MIB), id="zeros"),
        pytest.param(b"\xeb\x63\x90" + bytes(508) + b"\xaa", id="boot-code"),
        pytest.param(hostile.iso(hostile.gpt()), id="isohybrid"),
        pytest.param(hostile.iso(b"PK\x03\x04".ljust(MIB, b"\0")), id="iso-that-is-a-zip-too"),
        pytest.param(hostile.mbr(PAGE.ljust(MIB, b"\0")), id="partitions-behind-a-page"),
        pytest.param(hostile.put(bytes(MIB), 1080, b"\x53\xef"), id="ext4-without-partitions"),
        pytest.param(b"XFSB" + bytes(MIB), id="xfs-without-partitions"),
        pytest.param(b"hsqs" + bytes(MIB), id="squashfs"),
        pytest.param(b"notes on a volume\n".ljust(512, b"\0"), id="text-padded-with-zeros"),
        pytest.param(b"a line of a log\n" * 65_536, id="long-text-of-whole-sectors"),
        pytest.param(hostile.put(bytes(10240), 257, b"ustar\x0000"), id="tar"),
        pytest.param(b"MZ" + bytes(508) + b"\x55\xaa" + bytes(MIB), id="kernel-with-boot-sector"),
        pytest.param(b"BZh91AY" + bytes(MIB), id="only-the-start-of-a-signature"),
        pytest.param(b"]\0\0" + bytes(MIB), id="hardly-lzma"),
        pytest.param(b"\x1f\x9d\xff" + bytes(MIB), id="hardly-compress"),
        pytest.param(b"\0\0\0\0ftyp" + bytes(MIB), id="hardly-mp4"),
        pytest.param(b"\xff\xfb\x90\0" + bytes(MIB), id="hardly-mp3"),
        pytest.param(b"G" + bytes(MIB), id="hardly-a-transport-stream"),
        pytest.param(b"\0\0\0\0moov" + bytes(MIB), id="hardly-quicktime"),
        pytest.param(b"\xff" * MIB, id="erased-flash"),
        pytest.param(zlib.compress(bytes(MIB)).ljust(512, b"\0"), id="a-bare-zlib-stream"),
    ],
)
def test_a_raw_disk_may_start_with_anything_else(raw):
    image = inspect.inspect(raw[: inspect.HEAD], len(raw), lambda at, length: raw[at : at + length])
    assert (image.format, image.virtual_size, image.native) == (
        "raw",
        -(-len(raw) // 512) * 512,
        True,
    )


def test_a_short_stream_of_unknown_length_is_taken_as_complete():
    with pytest.raises(NOT_A_DISK):
        inspect.inspect(b"service unavailable", None)


def test_the_size_of_an_endless_raw_stream_is_not_known():
    image = inspect.inspect(bytes(inspect.HEAD), None)
    assert (image.virtual_size, image.checks_left) == (None, ("trailer",))

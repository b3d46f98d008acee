"""What a coupon's QR code says, and the picture of it."""

import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.adapters.qr_image import MODULE_PIXELS, draw_qr
from brandday.domain.coupon_code import CodeKeys, make_code
from brandday.domain.qr_content import QrFormat, read_content, write_content

KEYS = CodeKeys.from_secret(bytes(range(32)))
CODE = make_code(KEYS, "x", "job:1.1")
CONTENT = write_content(KEYS, CODE)

PINNED = "BD1.6577DATANZ6K37YC.FTSFXS96FP0V06F31MDQCNMMV4"
SQUARES = """
    1fdf617f 104e6541 1747d35d 1749e75d 175bac5d 10569241 1fd5557f 37c00 fe5d731 181a382a af5c481 ebd5ed5 104bd939
    d102e12 b7d4a01 6a6cc47 1f7944a7 1231be5c 15cf6087 13a07675 14d267f4 17971f 1fdea357 1052b718 175f9df3 17551cd8
    175ed2e2 1059db9b 1fc0d0fe
"""
"""The rows of PINNED's code: ZXing 3.1 read them back."""

SIDE = 29
QUIET = 4


def test_what_was_written_is_read() -> None:
    assert read_content(KEYS, CONTENT) == CODE
    assert CONTENT.startswith(f"BD1.{CODE}.")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_code_comes_back_whole(code: str) -> None:
    assert read_content(KEYS, write_content(KEYS, code)) == code


@pytest.mark.parametrize("at", range(len(CONTENT)))
def test_a_content_with_one_other_character_is_forged(at: int) -> None:
    other = "0" if CONTENT[at] != "0" else "1"
    assert read_content(KEYS, CONTENT[:at] + other + CONTENT[at + 1 :]) is None


@given(st.text(max_size=100))
def test_what_somebody_made_up_is_no_content(text: str) -> None:
    for content in (text, f"BD1.{text}", f"BD1.{CODE}.{text}", f"{text}{CONTENT}", CODE):
        assert content == CONTENT or read_content(KEYS, content) is None


def test_another_deployments_content_is_forged() -> None:
    assert read_content(CodeKeys.from_secret(bytes(32)), CONTENT) is None


def test_the_key_of_signatures_is_its_own() -> None:
    """GIVEN the keys of everything else WHEN somebody signs with one of them THEN it is forged."""
    for key in (KEYS.code, KEYS.check, KEYS.ids):
        assert read_content(KEYS, write_content(CodeKeys(KEYS.code, KEYS.check, KEYS.ids, qr=key), CODE)) is None


def test_the_form_never_changes() -> None:
    """Coupons are printed: what was written once has to be read for as long as they are valid."""
    assert CODE == "6577DATANZ6K37YC"
    assert CONTENT == PINNED


def test_both_pictures_show_the_squares_that_a_reader_has_read() -> None:
    squares = [int(row, 16) for row in SQUARES.split()]
    assert list(rows(png_squares(draw_qr(PINNED, QrFormat.PNG)))) == squares
    assert list(rows(svg_squares(draw_qr(PINNED, QrFormat.SVG)))) == squares
    assert list(rows(svg_squares(draw_qr(CODE, QrFormat.SVG)))) != squares


def rows(dark: set[tuple[int, int]]) -> Iterator[int]:
    """Each row as a number, the leftmost square its highest bit; the quiet zone has to be there and empty."""
    assert all(QUIET <= place < SIDE + QUIET for square in dark for place in square)
    for y in range(QUIET, SIDE + QUIET):
        yield sum(1 << (SIDE + QUIET - 1 - x) for x in range(QUIET, SIDE + QUIET) if (x, y) in dark)


def png_squares(picture: bytes) -> set[tuple[int, int]]:
    """The dark squares of a PNG of one bit per pixel (https://www.w3.org/TR/png-3/)."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(picture):
        length, name = struct.unpack(">I4s", picture[at : at + 8])
        chunks[name] = picture[at + 8 : at + 8 + length]
        at += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (width, height) == ((SIDE + 2 * QUIET) * MODULE_PIXELS,) * 2
    assert (depth, colour) == (1, 0)
    raw, stride, above, dark = zlib.decompress(chunks[b"IDAT"]), (width + 7) // 8, 0, set()
    for y in range(height):
        kind, *line = raw[y * (stride + 1) : (y + 1) * (stride + 1)]
        assert kind in (0, 2), "the filters None and Up"
        sums = zip(line, above.to_bytes(stride, "big"), strict=True)
        above = int.from_bytes(bytes((one + other) % 256 if kind else one for one, other in sums), "big")
        for x in range(width):
            if not above >> (stride * 8 - 1 - x) & 1:
                dark.add((x // MODULE_PIXELS, y // MODULE_PIXELS))
    return dark


def svg_squares(picture: bytes) -> set[tuple[int, int]]:
    """The dark squares of an SVG that draws them as lines along the middle of each row."""
    *_, lines = ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}path")  # noqa: S314 - our own file
    assert lines.get("stroke") == "#000"
    dark, x, y = set(), 0, 0.0
    for step in (lines.get("d") or "").replace("M", " M").replace("m", " m").replace("h", " h").split(" "):
        match step[:1]:
            case "M":
                x = int(step[1:])
            case "m":
                x += int(step[1:])
            case "h":
                dark |= {(x + along, int(y)) for along in range(int(step[1:]))}
                x += int(step[1:])
            case _ if step:
                y += float(step)
    return dark

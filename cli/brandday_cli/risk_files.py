"""CSV files of what is to be listed: list,kind,value,until,reason; a line that is wrong is named, the rest is kept."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from brandday_cli.failures import CommandFailed, ExitCode

HEADER = ("list", "kind", "value", "until", "reason")
_NEEDED = HEADER[:3]
MARK = "mark:"
"""What a value begins with that is a mark, as reports show it."""

MAX_TEXT = 500


class ListingRow(NamedTuple):
    """A line of the file with what it says, as the API takes it."""

    line: int
    said: Mapping[str, str]


class WrongRow(NamedTuple):
    """A line that cannot be listed, and why; never what it says."""

    line: int
    reason: str


class ListingFile(NamedTuple):
    """What a file says."""

    rows: tuple[ListingRow, ...]
    wrong: tuple[WrongRow, ...]


def read_listings(path: Path) -> ListingFile:
    """Read a file; CommandFailed if it is none, or has no header with at least list, kind and value."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}", exit_code=ExitCode.FILE) from None
    return parse_listings(raw, str(path))


def parse_listings(raw: bytes, name: str) -> ListingFile:
    """Read the bytes of a file with this name."""
    # What is no UTF-8 becomes a character by which its line is known.
    lines = csv.reader(io.StringIO(raw.decode("utf-8-sig", errors="replace"), newline=""))
    header: list[str] = []
    rows: list[ListingRow] = []
    wrong: list[WrongRow] = []
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            break
        except csv.Error:
            wrong.append(WrongRow(lines.line_num, "is no line of a CSV file"))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = _read_header(cells, name)
            continue
        reason = _problem(cells, header)
        if reason:
            wrong.append(WrongRow(lines.line_num, reason))
        else:
            said = {column: cell.strip() for column, cell in zip(header, cells, strict=False) if cell.strip()}
            rows.append(ListingRow(lines.line_num, listing_input(**said)))
    if not header:
        raise CommandFailed(f"{name} is empty", exit_code=ExitCode.FILE, advice=_ADVICE)
    return ListingFile(tuple(rows), tuple(wrong))


def listing_input(**said: str) -> dict[str, str]:
    """Return what the API takes: a value that begins with `mark:` is a mark; what is missing is told by its answer."""
    value = said.get("value", "")
    if value.startswith(MARK):
        said = said | {"value": "", "mark": value.removeprefix(MARK)}
    return {"list": "", "kind": ""} | {name: text for name, text in said.items() if text}


def _read_header(cells: list[str], name: str) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    if len(set(header)) != len(header) or not set(_NEEDED) <= set(header) <= set(HEADER):
        raise CommandFailed(f"{name} has another first line", exit_code=ExitCode.FILE, advice=_ADVICE)
    return header


def _problem(cells: list[str], header: list[str]) -> str:
    if len(cells) > len(header):
        return f"has {len(cells)} columns, the first line has {len(header)}; put quotes around a text with a comma"
    if any("\ufffd" in cell for cell in cells):
        return "is not written in UTF-8"
    if any(len(cell) > MAX_TEXT for cell in cells):
        return f"has a text of more than {MAX_TEXT} characters"
    return ""


_ADVICE = f"The first line has to be {','.join(HEADER)}; until and reason may be left out."

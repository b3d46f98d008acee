"""CSV files of coupons: read with a word on each line that is wrong, written so that a killed command can go on."""

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from brandday.domain.coupon_code import fold
from brandday_cli.failures import CommandFailed, ExitCode

MAX_TEXT = 255
"""How long a shopper's id or a code may be."""

_HEADER = ("code", "shopper")


class Listed(NamedTuple):
    """A good line: its number (from 1), the code ("" in a list of shoppers), and whose it is, if it says so."""

    line: int
    code: str
    shopper: str | None


class Wrong(NamedTuple):
    """A bad line: its number, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file says; `digest` is the SHA-256 of its bytes, `lines` the number of its last line."""

    digest: str
    lines: int
    rows: Sequence[Listed]
    wrong: Sequence[Wrong]


def read_codes(path: Path) -> ReadFile:
    """Read a partner's codes: one column, or those that a header names `code` and `shopper`.

    A code that stands in the file twice, however it is written, is good the first time.
    """
    return _read(path, needs_code=True)


def read_shoppers(path: Path) -> ReadFile:
    """Read a list of shoppers' ids: one column, or the one that a header names `shopper`. Each line is a coupon."""
    return _read(path, needs_code=False)


def read_words(path: Path) -> list[str]:
    """Read a list of codes of whatever kind, one column or the one named `code`; CommandFailed if a line is wrong."""
    found = _read(path, needs_code=True)
    if found.wrong:
        raise CommandFailed(
            f"{path} has lines that are no codes; nothing was changed",
            exit_code=ExitCode.FILE,
            details=[f"line {wrong.line}: {wrong.reason}" for wrong in found.wrong[:20]],
        )
    return [row.code for row in found.rows]


def _read(path: Path, *, needs_code: bool) -> ReadFile:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}", exit_code=ExitCode.FILE) from None
    # What is no UTF-8 becomes a character that no code has, so that its line is named and the others are kept.
    lines = re.split(r"\r\n|\n|\r", raw.decode("utf-8-sig", errors="replace"))
    rows: list[Listed] = []
    wrong: list[Wrong] = []
    seen: dict[str, int] = {}
    columns: tuple[str, ...] = ()
    for line, cells in _cells(lines):
        if isinstance(cells, str):
            wrong.append(Wrong(line, cells))
            continue
        if not any(cells):
            continue
        if not columns:
            columns, is_header = _columns(cells, needs_code=needs_code)
            if is_header:
                continue
        fault = _fault(cells, columns)
        named = dict(zip(columns, cells, strict=False))
        code, shopper = named.get("code", ""), named.get("shopper") or None
        if fault is None and not (code if needs_code else shopper):
            fault = "the code is missing" if needs_code else "the shopper is missing"
        if fault is None and needs_code and (first := seen.setdefault(fold(code), line)) != line:
            fault = f"the same code as in line {first}"
        if fault is None:
            rows.append(Listed(line, code, shopper))
        else:
            wrong.append(Wrong(line, fault))
    return ReadFile(hashlib.sha256(raw).hexdigest(), len(lines), rows, wrong)


def _cells(lines: Sequence[str]) -> Iterator[tuple[int, list[str] | str]]:
    """Each line's number and its cells, or what is wrong with it."""
    for number, line in enumerate(lines, 1):
        # One reader for each line: a quote that is never closed must not swallow the rest of the file.
        try:
            cells = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            yield number, f"no CSV: {error}"
        else:
            yield number, [cell.strip() for cell in cells]


def _columns(cells: Sequence[str], *, needs_code: bool) -> tuple[tuple[str, ...], bool]:
    """Which columns a file has, and whether its first line says so."""
    wanted = "code" if needs_code else "shopper"
    names = tuple(cell.lower() for cell in cells)
    if wanted in names:
        return names, True
    return (wanted, *(name for name in _HEADER if name != wanted))[: 2 if needs_code else 1], False


def _fault(cells: Sequence[str], columns: Sequence[str]) -> str | None:
    if len(cells) > len(columns):
        return f"{len(cells)} columns instead of {len(columns)}"
    if any(len(cell) > MAX_TEXT for cell in cells):
        return f"longer than {MAX_TEXT} characters"
    if any(unicodedata.category(char) == "Cc" or char == "\ufffd" for cell in cells for char in cell):
        return "characters that cannot be shown"
    return None


@dataclass
class GrowingCsv:
    """A CSV file that grows row by row under another name, and gets its own when it is complete.

    What a killed command has left is taken up again: whole rows stay, a torn one goes. Rows are numbered from 0 in the
    first column, so that a missing or doubled one cannot go unseen. `rows` are the rows that are there, `last` is the
    last of them.
    """

    path: Path
    header: Sequence[str]
    rows: int = 0
    last: dict[str, str] | None = None
    _kept: bytes = field(default=b"", repr=False)
    _file: TextIO | None = field(default=None, repr=False)

    @property
    def part(self) -> Path:
        """What it is called until it is complete."""
        return self.path.with_name(self.path.name + ".part")

    @contextmanager
    def opened(self) -> Iterator["GrowingCsv"]:
        """Take up what is there, and close the file in the end; CommandFailed if it is something else."""
        source = self.part if self.part.exists() else self.path
        try:
            self._kept = self._take_up(source.read_bytes() if source.exists() else b"")
            yield self
        except OSError as error:
            raise CommandFailed(f"{self.part} cannot be written: {error.strerror}", exit_code=ExitCode.FILE) from None
        finally:
            if self._file is not None:
                self._file.close()
                self._file = None

    def add(self, rows: Iterable[Sequence[object]]) -> None:
        """Add rows, each without its number."""
        if self._file is None:
            self.part.write_bytes(self._kept or _line(self.header))
            self._file = self.part.open("a", encoding="utf-8", newline="")
        numbered = [[self.rows + at, *row] for at, row in enumerate(rows)]
        csv.writer(self._file, lineterminator="\n").writerows(numbered)
        self._file.flush()
        self.rows += len(numbered)

    def complete(self) -> None:
        """Give the file its name."""
        if self.part.exists():
            self.part.replace(self.path)

    def _take_up(self, raw: bytes) -> bytes:
        """Return the whole rows of a file, with its header."""
        header = _line(self.header)
        if not header.startswith(raw[: len(header)]):
            raise CommandFailed(
                f"{self.path} is there already, and is no list of this command",
                exit_code=ExitCode.FILE,
                advice="Choose another name with --out, or move the file away.",
            )
        kept = len(header)
        for line in raw[kept:].split(b"\n")[:-1]:
            cells = _parsed(line)
            if len(cells) != len(self.header) or cells[0] != str(self.rows):
                break
            kept += len(line) + 1
            self.rows += 1
            self.last = dict(zip(self.header, cells, strict=True))
        return raw[:kept] if self.rows else b""


def _line(cells: Sequence[str]) -> bytes:
    return ",".join(cells).encode() + b"\n"


def _parsed(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return []


@contextmanager
def fresh_csv(path: Path, header: Sequence[str]) -> Iterator[Any]:
    """Write a CSV file anew; it gets its name when it is complete."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            yield writer
        part.replace(path)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}", exit_code=ExitCode.FILE) from None

"""Campaign files: YAML on disk, with the line of everything that is wrong in them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from brandday.config.campaign_file import CampaignFile
from brandday.config.mechanics import parse_campaign
from brandday.config.problems import DocumentRefused
from brandday.config.problems import Path as FieldPath

MAX_BYTES = 128 * 1024
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class FileProblem:
    """Something in a file that cannot work, ready to be shown: `file:line: field: what and what to do`."""

    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


class FileRefused(Exception):
    """A campaign file cannot work; `problems` says all that is wrong with it."""

    def __init__(self, problems: list[FileProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class CampaignSource:
    """A campaign file that was read and checked. `document` is as written, in JSON's types; `lines` are
    1-based.
    """

    file: Path
    document: dict[str, Any]
    declared: CampaignFile
    lines: dict[FieldPath, int]

    def problem_at(self, pointer: str, message: str) -> FileProblem:
        """A problem that the API has found at a JSON pointer, with its line in the file."""
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        path = tuple(int(part) if part.isdecimal() else part for part in parts)
        field = ".".join(parts)
        return FileProblem(self.file, _line_of(path, self.lines), f"{field}: {message}" if field else message)


def read_campaign_file(file: Path) -> CampaignSource:
    """Read and check one file; raises FileRefused with everything that is wrong with it."""
    document, lines = _read_yaml(file)
    try:
        declared = parse_campaign(document)
    except DocumentRefused as refused:
        problems = [FileProblem(file, _line_of(problem.path, lines), str(problem)) for problem in refused.problems]
        raise FileRefused(sorted(problems, key=lambda problem: problem.line or 0)) from None
    return CampaignSource(file, document, declared, lines)


def _read_yaml(file: Path) -> tuple[dict[str, Any], dict[FieldPath, int]]:
    try:
        raw = file.read_bytes()
        if len(raw) > MAX_BYTES:
            raise _refused(file, None, f"is larger than {MAX_BYTES} bytes, which no campaign needs")
        node = YAML(typ="safe", pure=True).compose(raw.decode("utf-8-sig"))
    except OSError as error:
        raise _refused(file, None, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refused(file, None, "is not text in UTF-8; save it as such") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _refused(file, line, f"is not valid YAML: {error.problem}") from None
    except YAMLError as error:
        raise _refused(file, None, f"is not valid YAML: {error}") from None
    except RecursionError:
        raise _refused(file, None, "is nested too deeply for a campaign") from None
    if not isinstance(node, MappingNode):
        raise _refused(file, 1, "must be a mapping of fields, like `id: november-brand-day`")
    lines: dict[FieldPath, int] = {}
    problems: list[FileProblem] = []
    document = _plain(node, (), file, lines, problems)
    if problems:
        raise FileRefused(problems)
    return document, lines


def _plain(node: Node, path: FieldPath, file: Path, lines: dict[FieldPath, int], problems: list[FileProblem]) -> Any:
    """The node in JSON's types. Times stay text as written; what JSON lacks is for the model to refuse."""
    lines.setdefault(path, node.start_mark.line + 1)
    if node.anchor is not None:
        problems.append(
            FileProblem(file, node.start_mark.line + 1, "anchors and aliases (& *) are not read; write it out")
        )
        return None
    match node:
        case MappingNode():
            mapping: dict[str, Any] = {}
            for key, value in node.value:
                name = str(key.value)
                line = key.start_mark.line + 1
                if name in mapping:
                    problems.append(
                        FileProblem(
                            file, line, f"{name}: is there twice, first in line {lines[(*path, name)]}; remove one"
                        )
                    )
                    continue
                lines[(*path, name)] = line
                mapping[name] = _plain(value, (*path, name), file, lines, problems)
            return mapping
        case SequenceNode():
            return [_plain(item, (*path, index), file, lines, problems) for index, item in enumerate(node.value)]
        case ScalarNode():
            return _scalar(node)
        case _:
            raise TypeError(f"YAML has no {type(node).__name__}")


def _scalar(node: ScalarNode) -> Any:
    text: str = node.value
    match (node.tag or "").removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _whole_number(text)
        case "float":
            return _number_with_decimals(text)
        case _:
            return text


def _whole_number(text: str) -> int | str:
    try:
        return int(text, 0) if text.lstrip("+-").startswith(("0x", "0o", "0b")) else int(text)
    except ValueError:
        return text


def _number_with_decimals(text: str) -> float:
    try:
        return float(text.replace("_", ""))
    except ValueError:  # .inf and .nan; no field takes a number with decimals, so which one does not matter
        return math.nan


def _line_of(path: FieldPath, lines: dict[FieldPath, int]) -> int | None:
    """The line of the field, or of the nearest one around it when the field is missing."""
    return next((lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines), None)


def _refused(file: Path, line: int | None, message: str) -> FileRefused:
    return FileRefused([FileProblem(file, line, message)])


def find_campaign_files(paths: list[Path]) -> Iterator[Path]:
    """The files meant by `paths`: each file, and of each folder its *.yaml and *.yml."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
        else:
            yield path

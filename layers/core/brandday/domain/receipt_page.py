"""A receipt in pages, since that of a million entries fits into no answer; and how to put it together again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """A part of a receipt, and where the next one begins (opaque; None after the last)."""

    receipt: Mapping[str, Any]
    next: str | None


def join(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the receipt of its parts, in order: lists go on, objects are merged, all else is in one part only."""
    whole: dict[str, Any] = {}
    for part in parts:
        _merge(whole, part)
    return whole


def _merge(whole: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, list):
            whole.setdefault(name, []).extend(value)
        elif isinstance(value, dict):
            _merge(whole.setdefault(name, {}), value)
        else:
            whole[name] = value

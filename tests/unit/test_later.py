"""What stands in for something that is made when it is first needed: it is made once, however it is asked for."""

import pytest

from brandday.bootstrap.environment import Later


class Made:
    """Counts how often one is made."""

    number = 0

    def __init__(self) -> None:
        Made.number += 1
        self.mine = Made.number

    def first(self) -> int:
        """Say which one this is."""
        return self.mine

    def second(self) -> int:
        """The same, by another name."""
        return self.mine

    def __call__(self, more: int = 0) -> int:
        """The same, as a call."""
        return self.mine + more


def test_nothing_is_made_before_it_is_needed_and_then_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Made, "number", 0)
    later = Later(Made)
    assert Made.number == 0
    assert [later(), later(more=1), later.first(), later.second(), later.first()] == [1, 2, 1, 1, 1]
    assert Made.number == 1


def test_what_could_not_be_made_is_tried_again() -> None:
    tries = []

    def make() -> Made:
        tries.append(1)
        if len(tries) == 1:
            raise KeyError("a setting is missing")
        return Made()

    later = Later(make)
    with pytest.raises(KeyError):
        later.first()
    assert later.first() == later.second()
    assert len(tries) == 2

"""What an environment remembers: the newest, and no more than it has room for."""

from hypothesis import given
from hypothesis import strategies as st

from brandday.usecases.recent import Recent


@given(st.lists(st.integers(0, 9)), st.integers(1, 6))
def test_those_are_there_that_were_set_last(keys: list[int], most: int) -> None:
    recent = Recent[int, int](most)
    for at, key in enumerate(keys):
        recent[key] = at
    newest_first = list(dict.fromkeys(reversed(keys)))
    assert list(recent) == list(reversed(newest_first[:most]))
    assert all(keys[at] == key and key not in keys[at + 1 :] for key, at in recent.items())

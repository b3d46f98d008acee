"""What an environment remembers, and never more of it than it has room for."""

from collections.abc import Hashable


class Recent[Key: Hashable, Value](dict[Key, Value]):
    """A dict of the `most` entries that were set last; those before them are forgotten."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: Key, value: Value) -> None:
        """Set an entry, which is the newest then; the oldest goes if there are too many."""
        self.pop(key, None)
        super().__setitem__(key, value)
        if len(self) > self._most:
            del self[next(iter(self))]

"""How many units a change of a shard has moved, for those who watch a sale."""

from typing import NamedTuple

from brandday.domain.shard import CONFIRMED, Shard


class Moves(NamedTuple):
    """Units that became held, were sold (paid), and went back on sale."""

    held: int = 0
    sold: int = 0
    released: int = 0

    def plus(self, other: "Moves") -> "Moves":
        """Return both together."""
        return Moves(self.held + other.held, self.sold + other.sold, self.released + other.released)


def moves_between(before: Shard | None, after: Shard) -> Moves:
    """Return what a write has moved; a claim is known by its owner and its attempt."""
    old = {} if before is None else {(name, entry.attempt): entry for name, entry in before.entries()}
    moves = Moves()
    seen = set()
    for name, entry in after.entries():
        seen.add((name, entry.attempt))
        known = old.get((name, entry.attempt))
        units, was = entry.units, 0 if known is None else known.units
        if units and not was:
            moves = moves.plus(Moves(sold=units) if entry.state == CONFIRMED else Moves(held=units))
        elif units and entry.state == CONFIRMED and known is not None and known.state != CONFIRMED:
            moves = moves.plus(Moves(sold=units))
        elif was and not units:
            moves = moves.plus(Moves(released=was))
    return moves.plus(Moves(released=sum(entry.units for key, entry in old.items() if key not in seen)))

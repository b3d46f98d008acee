"""A seal and a result on the wire: the public pages of a draw and the operators' show the same."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from brandday.domain.times import to_rfc3339
from brandday.entrypoints.routes import Shape

if TYPE_CHECKING:
    from brandday.domain.draw_record import Result, Seal


class SealBody(Shape):
    """The sealed list of all entrants: nobody comes in or goes out any more."""

    root: Annotated[str, Field(description="Root of the Merkle tree over all entrants, in hex.")]
    entrants: int
    entries: int
    sealed_at: str

    @classmethod
    def of(cls, seal: "Seal") -> Self:
        """The same, on the wire."""
        return cls(root=seal.root, entrants=seal.entrants, entries=seal.entries, sealed_at=to_rfc3339(seal.sealed_at))


class ResultBody(Shape):
    """A draw that was held. Who is who stands in the receipt."""

    ranking_hash: Annotated[
        str, Field(description="SHA-256 over a line `[rank,entrant,ticket,slot]` per place, as canonical JSON.")
    ]
    winners: int
    reserves: int
    randomness: Annotated[str | None, Field(description="Of the beacon's round, in hex; null without a beacon.")]
    signature: Annotated[str | None, Field(description="The chain's signature of the round; `randomness` is its hash.")]
    drawn_at: str

    @classmethod
    def of(cls, result: "Result") -> Self:
        """The same, on the wire."""
        beacon = result.randomness
        return cls(
            ranking_hash=result.hash,
            winners=result.winners,
            reserves=result.reserves,
            randomness=None if beacon is None else beacon.value.hex(),
            signature=None if beacon is None else beacon.signature.hex(),
            drawn_at=to_rfc3339(result.drawn_at),
        )

"""A protocol is driven step by step: each effect done once, each answer handed back, the watcher told of all."""

import pytest

from brandday.domain.protocols import Protocol, Read, Write
from brandday.domain.shard import Entry, RecordChange, Refused, Shard, ShardWrite, Written, encode_entry
from brandday.usecases.drive import Watcher, drive
from tests.fakes.memory_stock import CAMPAIGN, MemoryStock

RECORD = encode_entry(Entry("h", "0", 1, 1, "tagtag"))
TAKE = ShardWrite(0, (RecordChange("anneanneanne", None, RECORD),), {"0": -1}, {"0": 1})


class Diary(Watcher):
    def __init__(self) -> None:
        self.lines: list[object] = []

    def before_write(self) -> None:
        self.lines.append("about to write")

    def saw(self, shard: Shard) -> None:
        self.lines.append(("saw", shard.number, shard.version))

    def wrote(self, shard: int, written: Written) -> None:
        self.lines.append(("wrote", shard, dict(written.free)))


def _protocol() -> Protocol[list[object]]:
    answers: list[object] = []
    answers.append((yield Read((1, 0))))
    answers.append((yield Write(TAKE)))
    answers.append((yield Write(TAKE)))
    return answers


def test_every_effect_is_done_once_and_answered() -> None:
    stock, diary = MemoryStock(), Diary()

    read, written, refused = drive(_protocol(), stock, CAMPAIGN, diary)

    assert stock.effects == [Read((1, 0)), Write(TAKE), Write(TAKE)]
    assert read == (Shard(1, 0, {}, {}), Shard(0, 0, {}, {}))
    assert written == Written({"0": 0})
    assert isinstance(refused, Refused)
    assert refused.image == stock.shard(0)
    assert diary.lines == [
        ("saw", 1, 0),
        ("saw", 0, 0),
        "about to write",
        ("wrote", 0, {"0": 0}),
        "about to write",
        ("saw", 0, 1),
    ]


def test_a_watcher_can_stop_a_write_before_it_is_sent() -> None:
    class Guard(Watcher):
        def before_write(self) -> None:
            raise TimeoutError

    stock = MemoryStock()

    with pytest.raises(TimeoutError):
        drive(_protocol(), stock, CAMPAIGN, Guard())
    assert stock.effects == [Read((1, 0))]


def test_without_a_watcher_nobody_is_told() -> None:
    assert len(drive(_protocol(), MemoryStock(), CAMPAIGN)) == 3

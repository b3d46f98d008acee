"""Records and writes of a shard: what is stored is what was meant, and a write happens whole or not at all."""

import string
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.layout import plan_layout
from brandday.domain.shard import (
    CONFIRMED,
    HELD,
    POINTER,
    Entry,
    RecordChange,
    Shard,
    ShardWrite,
    apply,
    decode_entry,
    decode_record,
    encode_entry,
    encode_record,
    is_restock_mark,
    restock_mark,
    to_base36,
)

NOW = 1_793_000_000_000
TAG_LETTERS = string.ascii_letters + string.digits + "-_"
ORDER_LETTERS = "".join(sorted(set(string.printable[:94]) - {" "}))

claims = st.builds(
    Entry,
    state=st.sampled_from("hxedv"),
    slot=st.sampled_from(string.digits + string.ascii_lowercase),
    quantity=st.integers(1, 35),
    attempt=st.integers(0, 36**8 - 1),
    tag=st.text(TAG_LETTERS, min_size=6, max_size=6),
    order_id=st.none(),
    shard=st.none(),
)
sales = st.builds(
    lambda entry, order: entry._replace(state=CONFIRMED, order_id=order),
    claims,
    st.text(ORDER_LETTERS, min_size=1, max_size=64),
)
pointers = st.builds(lambda entry, shard: entry._replace(state=POINTER, shard=shard), claims, st.integers(0, 10**6))
entries = claims | sales | pointers


@given(st.lists(entries, max_size=5))
def test_a_record_reads_back_as_it_was_written(record: list[Entry]) -> None:
    assert decode_record(encode_record(record)) == tuple(record)


@given(claims)
def test_an_entry_takes_17_characters(entry: Entry) -> None:
    assert len(encode_entry(entry)) == 17


def test_no_entries_are_no_record() -> None:
    assert encode_record([]) is None
    assert decode_record(None) == ()


@pytest.mark.parametrize("text", ["", "h", "h0!01000000annann", "h0101000 000annann"])
def test_a_malformed_entry_is_refused(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        decode_entry(text)


@given(st.integers(0, 10**13), st.integers(1, 12))
def test_base_36_reads_back(number: int, width: int) -> None:
    assert int(to_base36(number, width), 36) == number
    assert len(to_base36(number, width)) >= width


def test_restock_marks_are_no_shoppers() -> None:
    mark = restock_mark("0", "evening-1")
    assert is_restock_mark(mark)
    shard = Shard(0, 1, {"0": 3}, {mark: "3", "annannannann": "h01000000rsannann"})
    assert [name for name, _ in shard.entries()] == ["annannannann"]


def write(
    free: dict[str, int] | None = None, before: str | None = None, after: str | None = "h01000000rsannann"
) -> ShardWrite:
    free = {"0": -1} if free is None else free
    return ShardWrite(0, (RecordChange("annannannann", before, after),), free, dict.fromkeys(free, 2))


def test_the_first_write_of_a_shard_starts_from_its_capacity() -> None:
    after = apply(Shard(0, 0, {}, {}), write())
    assert after == Shard(0, 1, {"0": 1}, {"annannannann": "h01000000rsannann"})


def test_a_write_is_refused_when_too_few_units_are_free() -> None:
    assert apply(Shard(0, 4, {"0": 0}, {}), write()) is None
    assert apply(Shard(0, 4, {"0": 1}, {}), write({"0": -2})) is None


def test_a_write_is_refused_when_a_record_is_not_as_it_was_seen() -> None:
    shard = Shard(0, 4, {"0": 2}, {"annannannann": "h01000000rsannann"})
    assert apply(shard, write()) is None
    assert apply(shard, write(before="d01000000rsannann")) is None


def test_a_write_that_frees_units_needs_none() -> None:
    shard = Shard(0, 4, {"0": 0}, {"annannannann": "h01000000rsannann"})
    after = apply(shard, write({"0": 1}, "h01000000rsannann", "d01000000rsannann"))
    assert after == Shard(0, 5, {"0": 1}, {"annannannann": "d01000000rsannann"})


def test_a_record_can_be_dropped() -> None:
    shard = Shard(0, 4, {"0": 0}, {"annannannann": "d01000000rsannann"})
    after = apply(shard, write({}, "d01000000rsannann", None))
    assert after is not None
    assert after.records == {}


@dataclass(frozen=True)
class HeroSku:
    sku: str = "hero"
    stock: int = 30


def item_size(campaign_id: str, shard: int, records: Mapping[str, str]) -> int:
    """The bytes DynamoDB counts of an item: names and values; a number is about half its digits and one or two."""
    pk = len("pk") + len(f"{campaign_id}#{shard}")
    numbers = len("v") + 3 + len("f0") + 3
    return pk + numbers + sum(len(name) + len(text) for name, text in records.items())


def test_a_shard_full_of_holds_is_written_for_one_unit() -> None:
    layout = plan_layout([HeroSku()], b"0" * 16)
    names = [layout.name_of(f"shopper-{number}") for number in range(30)]
    held = encode_entry(Entry(HELD, "0", 1, NOW, "annann"))
    assert item_size("c" * 30, 0, dict.fromkeys(names, held)) <= 1024
    assert item_size("c" * 30, 99_999, dict.fromkeys(names, held)) <= 1024

"""One contract for what keeps entrants' records: the fake in memory and the table, on each engine we have."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from brandday.adapters.entry_stream import read_entrant_change
from brandday.adapters.entry_table import EntryTable, decode_entrant, encode_entrant
from brandday.adapters.keys import bucket_key
from brandday.domain.entrant import Entrant, Entry, Fate, Grant, Try
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.layout import shopper_name
from brandday.domain.lottery import MAX_ENTRIES, Frozen
from brandday.usecases.lottery_ports import EntrantChanged, Entrants
from brandday_local.template_tables import table_shape
from tests.engines import Engine
from tests.fakes.memory_entrants import MemoryEntrants

ANN, BOB = "-nnAnnAnnAnn", "0obBobBobBob"
NOW = 1_793_000_000_000
WON = Entry(NOW, "abcdef", 1, (Try("0", Fate.GONE, NOW + 3), Try("1", Fate.WON, NOW + 5, 4000)))
LOST = Entry(NOW + 9, "ghijkl", 63)


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def entrants(request: pytest.FixtureRequest) -> Iterator[Entrants]:
    """Each of the ways there are to keep records; tests tell themselves apart by campaign."""
    match request.param:
        case "memory":
            yield MemoryEntrants()
        case "moto":
            with mock_aws():
                yield from _table(Engine("moto", None))
        case name:
            yield from _table(request.getfixturevalue(name))


def _table(engine: Engine) -> Iterator[Entrants]:
    with closing(engine.client()) as client:
        name = f"EntryTable-{uuid.uuid4().hex[:12]}"
        client.create_table(TableName=name, **table_shape("EntryTable"))
        try:
            yield EntryTable(client, name)
        finally:
            client.delete_table(TableName=name)


@pytest.fixture
def frozen() -> Frozen:
    """A lottery of the test's own."""
    return lottery(f"lottery-{uuid.uuid4().hex[:8]}")


def lottery(campaign_id: str, bucket_chars: int = 1) -> Frozen:
    return Frozen(campaign_id, NOW, NOW + 1000, (NOW,), 3, bucket_chars, "")


def entrant(name: str = ANN, *entries: Entry, version: int = 0) -> Entrant:
    return Entrant(name, f"{name[:-1]}o", f"shopper-{name}", entries, version=version)


def full_record(campaign_id: str = "c" * 40) -> tuple[Frozen, Entrant]:
    """The longest record there is in practice: a long name of the campaign, and of the shopper."""
    entries = tuple(
        Entry(NOW + at * 10_000_000, f"tag{at:03}", 63, (Try("0", Fate.PER_SHOPPER),) if at % 3 == 0 else ())
        for at in range(MAX_ENTRIES)
    )
    return lottery(campaign_id, 2), Entrant(ANN, BOB, str(uuid.uuid4()), entries, (Grant("granta", 35),), 7)


def test_what_was_stored_comes_back_as_it_was(entrants: Entrants, frozen: Frozen) -> None:
    rich = replace(entrant(ANN, WON, LOST), grants=(Grant("abcdef", 35), Grant("-_-_-_", 1)))
    assert entrants.load(frozen, ANN, consistent=True) is None

    assert entrants.save(frozen, None, rich)
    assert entrants.save(frozen, None, entrant(BOB))

    for consistent in (True, False):
        assert entrants.load(frozen, ANN, consistent=consistent) == replace(rich, version=1)
        assert entrants.load(frozen, BOB, consistent=consistent) == replace(entrant(BOB), version=1)


def test_a_record_is_created_once(entrants: Entrants, frozen: Frozen) -> None:
    assert entrants.save(frozen, None, entrant(ANN, LOST))
    assert not entrants.save(frozen, None, entrant(ANN, WON))

    assert entrants.load(frozen, ANN, consistent=True) == entrant(ANN, LOST, version=1)


def test_of_two_changes_of_one_version_the_first_counts(entrants: Entrants, frozen: Frozen) -> None:
    entrants.save(frozen, None, entrant(ANN, LOST))
    seen = entrants.load(frozen, ANN, consistent=True)
    assert seen is not None
    ours, theirs = replace(seen, entries=(LOST, WON)), replace(seen, entries=(WON,))

    assert entrants.save(frozen, seen, ours)
    assert not entrants.save(frozen, seen, theirs)
    assert not entrants.save(frozen, seen, ours), "not even the same again: it has happened"
    assert entrants.load(frozen, ANN, consistent=True) == replace(ours, version=2)
    assert entrants.save(frozen, replace(ours, version=2), theirs)
    assert entrants.load(frozen, ANN, consistent=True) == replace(theirs, version=3)


def test_what_is_not_there_cannot_be_replaced(entrants: Entrants, frozen: Frozen) -> None:
    assert not entrants.save(frozen, entrant(ANN, version=1), entrant(ANN, LOST))
    assert entrants.load(frozen, ANN, consistent=True) is None


@pytest.mark.parametrize("chars", [1, 2])
def test_buckets_list_every_entrant_once_in_order_of_names(entrants: Entrants, frozen: Frozen, chars: int) -> None:
    frozen = replace(frozen, bucket_chars=chars)
    names = [shopper_name(b"salt", f"shopper-{number}") for number in range(150)]
    other = replace(frozen, campaign_id=f"{frozen.campaign_id}-2")
    for name in names:
        assert entrants.save(frozen, None, entrant(name, LOST))
    entrants.save(other, None, entrant(names[0], WON))
    digits = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
    buckets = [a + b for a in digits for b in (digits if chars == 2 else [""])]
    wanted = [bucket for bucket in buckets if any(name.startswith(bucket) for name in names)]

    found = [record for bucket in wanted for record in entrants.bucket(frozen, bucket)]

    assert [record.name for record in found] == sorted(names)
    assert found[0] == entrant(sorted(names)[0], LOST, version=1)
    assert list(entrants.bucket(frozen, next(bucket for bucket in buckets if bucket not in wanted))) == []


@pytest.mark.engine
def test_a_bucket_of_many_pages_is_listed_whole(dynamodb_local: Engine) -> None:
    client = dynamodb_local.client()
    name = f"EntryTable-{uuid.uuid4().hex[:12]}"
    client.create_table(TableName=name, **table_shape("EntryTable"))
    frozen, record = full_record()
    entrants = EntryTable(client, name)
    many = [f"AA{number:010}" for number in range(1300)]  # a page is 1 MB
    for each in many:
        entrants.save(frozen, None, replace(record, name=each))

    assert [each.name for each in entrants.bucket(frozen, "AA")] == many
    client.delete_table(TableName=name)
    client.close()


# --- what it costs ----------------------------------------------------------------------------------------------


@pytest.mark.engine
@pytest.mark.parametrize("before", [0, 1, 20, 39])
def test_an_entry_costs_half_a_read_unit_and_one_write_unit_however_many_there_were(
    dynamodb_local: Engine, before: int
) -> None:
    client = dynamodb_local.client()
    name = f"EntryTable-{uuid.uuid4().hex[:12]}"
    client.create_table(TableName=name, **table_shape("EntryTable"))
    metered = _Metered(client)
    entrants = EntryTable(metered, name)  # type: ignore[arg-type]
    frozen, record = full_record()
    if before:
        entrants.save(frozen, None, replace(record, entries=record.entries[:before]))
    metered.units.clear()

    seen = entrants.load(frozen, ANN, consistent=False)
    assert entrants.save(frozen, seen, replace(record, entries=record.entries[: before + 1]))

    assert metered.units == [0.5, 1.0]
    client.delete_table(TableName=name)
    client.close()


class _Metered:
    """Asks for what each call consumed."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.units: list[float] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            answer = getattr(self._client, name)(ReturnConsumedCapacity="TOTAL", **arguments)
            self.units.append(answer["ConsumedCapacity"]["CapacityUnits"])
            return answer

        return call


def test_the_longest_record_of_entries_that_lose_is_under_a_kilobyte() -> None:
    frozen, record = full_record()
    item = {"pk": {"S": bucket_key(frozen.campaign_id, "AA")}, **encode_entrant(record), "v": {"N": "99"}}
    size = sum(len(name) + len(next(iter(value.values())).encode()) for name, value in item.items())
    assert size < 1024, size


# --- its adapter ------------------------------------------------------------------------------------------------


def test_items_have_no_attribute_that_is_empty() -> None:
    assert set(encode_entrant(entrant(ANN))) == {"sk", "o", "u"}


class _Failing:
    """A client whose calls all fail in one way."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": self._code}}, name)

        return call


def test_a_busy_table_is_said_to_be_busy_and_nothing_else_is(frozen: Frozen) -> None:
    for code, error in (("ThrottlingException", TemporarilyOverloaded), ("ValidationException", ClientError)):
        broken = EntryTable(_Failing(code), "t")  # type: ignore[arg-type]
        with pytest.raises(error):
            broken.load(frozen, ANN, consistent=True)
        with pytest.raises(error):
            broken.save(frozen, None, entrant())
        with pytest.raises(error):
            list(broken.bucket(frozen, "A"))


# --- its stream -------------------------------------------------------------------------------------------------


def _image(record: Entrant) -> dict[str, Any]:
    return {"pk": {"S": "spring#-"}, **encode_entrant(record), "v": {"N": str(record.version)}}


def test_the_stream_tells_the_record_before_and_after() -> None:
    before, after = entrant(ANN, LOST, version=1), entrant(ANN, LOST, WON, version=2)
    keys = {"pk": {"S": "spring#-"}, "sk": {"S": ANN}}

    told = read_entrant_change({"Keys": keys, "OldImage": _image(before), "NewImage": _image(after)})
    new = read_entrant_change({"Keys": keys, "NewImage": _image(before)})

    assert told == EntrantChanged("spring", before, after)
    assert new == EntrantChanged("spring", None, before)
    assert read_entrant_change({"Keys": keys, "OldImage": _image(before)}) is None, "a record that was deleted"


@pytest.mark.parametrize("change", [{"pk": {"S": "spring"}}, {"pk": {"S": "#A"}}, {"pk": {"S": "spring#"}}])
def test_a_key_that_is_no_entrants_is_a_value_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bucket"):
        read_entrant_change({"Keys": {"sk": {"S": ANN}} | change, "NewImage": _image(entrant(version=1))})


@pytest.mark.parametrize("change", [{"e": {"S": "?"}}, {"v": {"S": "1"}}, {"o": {}}, {"e": {"S": "0000000abcdef00x"}}])
def test_a_record_that_is_malformed_is_an_error_that_the_stream_knows(change: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError, IndexError)):
        decode_entrant(_image(entrant(ANN, WON, version=1)) | change)

"""One contract for everything that gates keep: the fake in memory and the table, on each engine we have."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from brandday.adapters.guard_table import GuardTable, decode_case
from brandday.adapters.keys import GUARD, activity_key, case_key, listing_key
from brandday.domain.activity import Activity, ActivityKey, Note, Part
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.listing import Listing, ListingKey
from brandday.domain.refusal_case import SAVE_EVERY_MS, Case
from brandday.domain.risk import Listed, RiskMode
from brandday.domain.signals import SignalKind
from brandday.usecases.guard_ports import Cases, Visits
from tests.engines import Engine, table_in
from tests.fakes.memory_guard import MemoryGuard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AT = 1_790_000_000_000
MINUTE = Part("per-minute", 10, 1_790_000_000)
LATER = Part("per-minute", 10, 1_790_000_010)
EVER = Part("in-all", 0, 0)


@dataclass
class Place:
    """What gates keep, and how a test gets at it; `client` is there where there is a database."""

    visits: Visits
    cases: Cases
    put_listing: Callable[[Listing], None]
    lift: Callable[[Case, int], None]
    case: Callable[[str, str], Case]
    forget_at: Callable[[ActivityKey], int]
    client: DynamoDBClient | None = None
    table: str = ""


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each of the ways there are to keep it."""
    match request.param:
        case "memory":
            yield _in_memory()
        case "moto":
            with mock_aws():
                yield from _in_table(Engine("moto", None))
        case name:
            yield from _in_table(request.getfixturevalue(name))


def _in_memory() -> Place:
    memory = MemoryGuard()

    def lift(case: Case, at: int) -> None:
        memory.cases[case.campaign_id, case.reference] = replace(case, lifted_at=at)

    return Place(
        memory,
        memory,
        lambda listing: memory.listings.update({listing.key: listing}),
        lift,
        lambda campaign_id, reference: memory.cases[campaign_id, reference],
        lambda key: memory.forget_at[key],
    )


def _in_table(engine: Engine) -> Iterator[Place]:
    with table_in(engine, "GuardTable") as one, closing(engine.client()) as client:

        def item(pk: str, sort_key: str = GUARD) -> Any:
            return client.get_item(TableName=one.name, Key={"pk": {"S": pk}, "sk": {"S": sort_key}})["Item"]

        def put_listing(listing: Listing) -> None:
            facts = {"listed": {"S": str(listing.listed)}, "until": {"N": str(listing.until)}}
            key = {"pk": {"S": listing_key(*listing.key)}, "sk": {"S": GUARD}}
            client.put_item(TableName=one.name, Item={**key, **facts})

        def lift(case: Case, at: int) -> None:
            client.update_item(
                TableName=one.name,
                Key={"pk": {"S": case_key(case.campaign_id, case.reference)}, "sk": {"S": case.reference}},
                UpdateExpression="SET lifted_at = :at",
                ExpressionAttributeValues={":at": {"N": str(at)}},
            )

        yield Place(
            table := GuardTable(client, one.name),
            table,
            put_listing,
            lift,
            lambda campaign_id, reference: decode_case(item(case_key(campaign_id, reference), reference)),
            lambda key: int(item(activity_key(*key))["forget_at"]["N"]),
            client,
            one.name,
        )


@pytest.fixture
def scope() -> str:
    """A name that no other test has, so that all tests of an engine can share its table."""
    return f"sale-{uuid.uuid4().hex[:12]}"


def listing(listed: Listed, kind: SignalKind, mark: str, until: int) -> Listing:
    return Listing(listed, ListingKey(kind, mark), until, "a reason", "ops", AT, "act-1")


def a_case(scope: str, **changes: Any) -> Case:
    plain = Case(
        reference="7Q2MX0KD93",
        campaign_id=scope,
        at=AT,
        mode=RiskMode.SHADOW,
        code="not_admitted",
        score=70,
        reasons=("new", "farm"),
        marks={SignalKind.SHOPPER: "annAnnAnnAnnAnnA", SignalKind.DEVICE: "padPadPadPadPadP"},
        forget_at=AT + 1000,
    )
    return replace(plain, **changes)


# --- looking ------------------------------------------------------------------------------------------------


def test_what_was_never_seen_is_on_no_list_and_empty(place: Place, scope: str) -> None:
    key = ActivityKey(scope, SignalKind.DEVICE, "padPadPadPadPadP")
    seen = place.visits.look({SignalKind.DEVICE: scope}, [key], AT)
    assert seen == ({}, {key: Activity()})


def test_a_mark_is_on_a_list_until_its_time_is_over(place: Place, scope: str) -> None:
    place.put_listing(listing(Listed.ALLOW, SignalKind.SHOPPER, f"{scope}-ann", AT + 1))
    place.put_listing(listing(Listed.BLOCK, SignalKind.DEVICE, f"{scope}-pad", AT + 2))
    marks = {SignalKind.SHOPPER: f"{scope}-ann", SignalKind.DEVICE: f"{scope}-pad", SignalKind.PHONE: f"{scope}-pad"}

    def listed(now: int) -> dict[SignalKind, Listed]:
        return dict(place.visits.look(marks, [], now).listed)

    assert listed(AT) == {SignalKind.SHOPPER: Listed.ALLOW, SignalKind.DEVICE: Listed.BLOCK}
    assert listed(AT + 1) == {SignalKind.DEVICE: Listed.BLOCK}
    assert listed(AT + 2) == {}


# --- noting -------------------------------------------------------------------------------------------------


def test_notes_add_up_by_part_and_mark_places(place: Place, scope: str) -> None:
    key = ActivityKey(scope, SignalKind.DEVICE, "pad")
    assert place.visits.note(key, Note((MINUTE, EVER), 1, 63, (), 9)) == Activity({MINUTE: 1, EVER: 1}, frozenset({63}))
    assert place.visits.note(key, Note((MINUTE, EVER), 3, 0, (), 9)).counts == {MINUTE: 4, EVER: 4}
    noted = place.visits.note(key, Note((LATER, EVER), 2, 0, (MINUTE,), 12))

    assert noted == Activity({LATER: 2, EVER: 6}, frozenset({0, 63}))
    assert place.visits.look({SignalKind.DEVICE: "pad"}, [key], AT).activity == {key: noted}
    assert place.forget_at(key) == 12


def test_a_note_for_rules_alone_marks_a_place(place: Place, scope: str) -> None:
    key = ActivityKey(scope, SignalKind.NETWORK, "net")
    assert place.visits.note(key, Note((), 3, 5, (), 9)) == Activity({}, frozenset({5}))


def test_to_drop_what_is_not_there_is_nothing(place: Place, scope: str) -> None:
    key = ActivityKey(scope, SignalKind.DEVICE, "pad")
    assert place.visits.note(key, Note((LATER,), 1, 5, (MINUTE,), 9)).counts == {LATER: 1}


def test_scopes_kinds_and_marks_are_counted_apart(place: Place, scope: str) -> None:
    keys = [
        ActivityKey(scope, SignalKind.DEVICE, "pad"),
        ActivityKey(f"{scope}-b", SignalKind.DEVICE, "pad"),
        ActivityKey(scope, SignalKind.PHONE, "pad"),
        ActivityKey(scope, SignalKind.DEVICE, "phone"),
    ]
    for weight, key in enumerate(keys, 1):
        place.visits.note(key, Note((EVER,), weight, weight, (), 9))
    seen = place.visits.look({}, keys, AT).activity
    assert seen == {key: Activity({EVER: n}, frozenset({n})) for n, key in enumerate(keys, 1)}


# --- cases --------------------------------------------------------------------------------------------------


def test_a_case_comes_back_as_it_was_saved_and_the_latest_counts(place: Place, scope: str) -> None:
    place.cases.save(a_case(scope))
    assert place.case(scope, "7Q2MX0KD93") == a_case(scope)

    facts: dict[str, Any] = {"code": "rate_limited", "score": 0, "reasons": ("per-minute",), "marks": {}}
    later = a_case(scope, at=AT + SAVE_EVERY_MS, **facts)
    place.cases.save(later)
    assert place.case(scope, "7Q2MX0KD93") == later


def test_a_case_that_was_lifted_stays_lifted(place: Place, scope: str) -> None:
    place.cases.save(a_case(scope))
    place.lift(a_case(scope), AT + 3)
    later = AT + SAVE_EVERY_MS
    place.cases.save(a_case(scope, at=later))
    assert place.case(scope, "7Q2MX0KD93") == a_case(scope, at=later, lifted_at=AT + 3)


def test_a_case_of_a_moment_ago_stays_unless_it_was_of_a_shadow(place: Place, scope: str) -> None:
    place.cases.save(a_case(scope))
    place.cases.save(a_case(scope, at=AT + SAVE_EVERY_MS - 1))
    assert place.case(scope, "7Q2MX0KD93") == a_case(scope)
    enforced = a_case(scope, at=AT + 1, mode=RiskMode.ENFORCE)
    for each in (enforced, a_case(scope, at=AT + 2, mode=RiskMode.ENFORCE), a_case(scope, at=AT + 3)):
        place.cases.save(each)
    assert place.case(scope, "7Q2MX0KD93") == enforced


# --- trouble ------------------------------------------------------------------------------------------------


class _Throttled:
    """A client whose every call is refused, or answers that there was no room for it."""

    def __getattr__(self, _: str) -> Any:
        def refuse(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "Any")

        return refuse


class _Unprocessed:
    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}


def test_a_busy_table_is_an_overload() -> None:
    table = GuardTable(_Throttled(), "GuardTable")  # type: ignore[arg-type]
    key = ActivityKey("sale", SignalKind.DEVICE, "pad")
    with pytest.raises(TemporarilyOverloaded):
        table.look({}, [key], AT)
    with pytest.raises(TemporarilyOverloaded):
        table.note(key, Note((MINUTE,), 1, 5, (), 9))
    with pytest.raises(TemporarilyOverloaded):
        table.save(a_case("sale"))


def test_what_was_not_read_is_not_taken_for_nothing() -> None:
    table = GuardTable(_Unprocessed(), "GuardTable")  # type: ignore[arg-type]
    with pytest.raises(TemporarilyOverloaded):
        table.look({SignalKind.DEVICE: "pad"}, [], AT)

"""One contract for what operators do with cases and lists: the fake in memory, and the tables on each engine."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from moto import mock_aws

from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.guard_admin import GuardAdmin
from brandday.adapters.guard_table import GuardTable
from brandday.domain.listing import Listing, ListingKey
from brandday.domain.refusal_case import Case, reference_of
from brandday.domain.risk import Listed, RiskMode
from brandday.domain.signals import SignalKind
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases.guard_desk_ports import CASE_PARTS, MOST_LISTED
from brandday.usecases.guard_ports import Cases, Visits
from tests.engines import Engine, table_in
from tests.fakes.memory_desk import MemoryGuardDesk

NOW = 1_790_000_000_000
LATER = NOW + 10**9


@dataclass
class Place:
    """The desk, and the gate over the same."""

    desk: GuardAdmin | MemoryGuardDesk
    visits: Visits
    cases: Cases

    def listed(self, key: ListingKey) -> Listed | None:
        """Return the list on which a gate finds something."""
        return self.visits.look({key.kind: key.mark}, (), NOW).listed.get(key.kind)

    def acts(self) -> list[TrailEntry]:
        """Return the lists' trail, the latest act first."""
        return list(self.desk.history(100, None).entries)


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each of the ways there are to keep it."""
    match request.param:
        case "memory":
            desk = MemoryGuardDesk()
            yield Place(desk, desk.guard, desk.guard)
        case "moto":
            with mock_aws():
                yield from _in_tables(Engine("moto", None))
        case name:
            yield from _in_tables(request.getfixturevalue(name))


def _in_tables(engine: Engine) -> Iterator[Place]:
    with (
        table_in(engine, "GuardTable") as guard,
        table_in(engine, "CampaignTable") as campaigns,
        closing(engine.client()) as client,
    ):
        gate = GuardTable(client, guard.name)
        yield Place(GuardAdmin(client, guard.name, campaigns.name), gate, gate)


@pytest.fixture
def key() -> ListingKey:
    """Something that no other test lists, so that all tests of an engine can share its tables."""
    return ListingKey(SignalKind.DEVICE, uuid.uuid4().hex[:16])


def listing(key: ListingKey, listed: Listed = Listed.BLOCK, *, act: str = "act-1", until: int = LATER) -> Listing:
    return Listing(listed, key, until, "a reason", "ann", NOW, act)


def entry(key: ListingKey, act: str = "list", at: int = NOW) -> TrailEntry:
    return TrailEntry(
        f"{key.mark}.{act}", at, "ann", act, 0, (Change(("lists", "device", key.mark), None, {"list": "block"}),)
    )


def case_of(campaign: str, number: int) -> Case:
    return Case(
        reference_of(b"key", campaign, str(number)),
        campaign,
        NOW + number,
        RiskMode.ENFORCE,
        "not_admitted",
        80,
        ("farm", "new"),
        {SignalKind.SHOPPER: f"shopper-{number:08}"},
        LATER,
    )


def test_what_is_put_is_found_by_gates_and_by_operators_with_its_act(place: Place, key: ListingKey) -> None:
    made = listing(key)
    assert place.desk.listed([key]) == {}
    assert place.listed(key) is None
    assert place.desk.put({key: (None, made)}, entry(key))
    assert place.desk.listed([key]) == {key: made}
    assert place.listed(key) is Listed.BLOCK
    assert entry(key) in place.acts()


def test_a_listing_takes_the_place_of_the_one_that_was_read(place: Place, key: ListingKey) -> None:
    first, second = listing(key), listing(key, Listed.ALLOW, act="act-2")
    assert place.desk.put({key: (None, first)}, entry(key))
    assert place.desk.put({key: (first, second)}, entry(key, "again"))
    assert place.listed(key) is Listed.ALLOW
    shown = [one for one in _all(place) if one.key == key]
    assert shown == [second], "the page shows the same as gates see"


def test_nothing_is_put_and_no_act_is_told_if_one_has_moved_on(place: Place, key: ListingKey) -> None:
    other = ListingKey(key.kind, uuid.uuid4().hex[:16])
    there = listing(key)
    assert place.desk.put({key: (None, there)}, entry(key))
    for seen in (None, listing(key, act="something else")):
        changes = {other: (None, listing(other)), key: (seen, listing(key, Listed.ALLOW, act="act-2"))}
        assert not place.desk.put(changes, entry(key, "refused"))
    assert place.desk.listed([key, other]) == {key: there}
    assert entry(key, "refused") not in place.acts()


def test_what_was_taken_off_counts_no_more(place: Place, key: ListingKey) -> None:
    there = listing(key)
    place.desk.put({key: (None, there)}, entry(key))
    gone = replace(there, until=NOW, act="act-2")
    assert place.desk.put({key: (there, gone)}, entry(key, "unlist"))
    assert place.listed(key) is None
    assert place.desk.listed([key]) == {key: gone}


def test_as_many_as_an_act_may_put_fit_into_a_transaction(place: Place) -> None:
    keys = [ListingKey(SignalKind.EMAIL, uuid.uuid4().hex[:16]) for _ in range(MOST_LISTED)]
    assert place.desk.put({key: (None, listing(key)) for key in keys}, entry(keys[0]))
    assert place.desk.listed(keys).keys() == set(keys)


def test_pages_by_kind_in_order(place: Place) -> None:
    keys = [ListingKey(SignalKind.PAYMENT, uuid.uuid4().hex[:16]) for _ in range(5)]
    place.desk.put({key: (None, listing(key)) for key in keys}, entry(keys[0]))
    first = place.desk.page(SignalKind.PAYMENT, 3, None)
    rest = place.desk.page(SignalKind.PAYMENT, 3, first.next)
    assert len(first.listings) == 3
    assert [one.key for one in (*first.listings, *rest.listings)] == sorted(keys)
    assert rest.next is None
    assert set(keys) <= {one.key for one in _all(place)}
    with pytest.raises(ValueError, match="place"):
        place.desk.page(None, 3, "nowhere")


def test_the_trail_comes_in_pages_the_latest_first(place: Place, key: ListingKey) -> None:
    before = None
    for number in range(3):
        after = listing(key, act=f"act-{number}")
        assert place.desk.put({key: (before, after)}, entry(key, f"act-{number}", LATER + number))
        before = after
    first = place.desk.history(2, None)
    rest = place.desk.history(1, first.next)
    assert [one.at for one in (*first.entries, *rest.entries)] == [LATER + 2, LATER + 1, LATER]
    with pytest.raises(ValueError, match="place"):
        place.desk.history(2, "nowhere")


def test_cases_are_read_part_by_part_and_found_over_all_campaigns(place: Place) -> None:
    sale, other = f"sale-{uuid.uuid4().hex[:8]}", f"sale-{uuid.uuid4().hex[:8]}"
    cases = [case_of(sale, number) for number in range(30)]
    for case in (*cases, case_of(other, 0)):
        place.cases.save(case)
    read: list[Case] = []
    for part in range(CASE_PARTS):
        page = place.desk.cases(sale, part, None)
        read += page.cases
        assert page.next is None
    assert sorted(read, key=lambda case: case.at) == cases
    campaigns = [f"no-{number}" for number in range(150)] + [other, sale]  # more than one read can ask for
    assert place.desk.find(cases[3].reference, campaigns) == cases[3]
    assert place.desk.find(cases[3].reference, [other]) is None
    assert place.desk.find("0000000000", []) is None


def test_lifting_marks_the_case_and_lists_its_shopper_or_does_nothing(place: Place, key: ListingKey) -> None:
    case = case_of(f"sale-{uuid.uuid4().hex[:8]}", 1)
    allowed = listing(key, Listed.ALLOW)
    assert not place.desk.lift(case, NOW, (None, allowed), entry(key)), "nobody lifts what is forgotten"
    place.cases.save(case)
    assert not place.desk.lift(case, NOW, (listing(key), allowed), entry(key)), "somebody was faster"
    found = place.desk.find(case.reference, [case.campaign_id])
    assert found is not None
    assert found.lifted_at is None
    assert place.desk.lift(case, NOW, (None, allowed), entry(key, "allow"))
    assert place.desk.find(case.reference, [case.campaign_id]) == replace(case, lifted_at=NOW)
    assert place.listed(key) is Listed.ALLOW
    place.cases.save(replace(case, at=LATER))
    again = place.desk.find(case.reference, [case.campaign_id])
    assert again is not None
    assert (again.at, again.lifted_at) == (LATER, NOW), "what was lifted stays lifted"
    assert [one for one in place.acts() if one.id.startswith(key.mark)] == [entry(key, "allow")]


def test_the_trail_of_the_lists_is_no_campaigns() -> None:
    with mock_aws():
        for place in _in_tables(Engine("moto", None)):
            desk = place.desk
            assert isinstance(desk, GuardAdmin)
            key = ListingKey(SignalKind.DEVICE, "m" * 16)
            desk.put({key: (None, listing(key))}, entry(key))
            campaigns = CampaignTable(desk._client, desk._campaign_table)
            assert campaigns.list_ids() == []
            assert campaigns.history("lists") == []
            (kept,) = campaigns.history("~lists")
            assert kept == entry(key)


def _all(place: Place) -> list[Listing]:
    found: list[Listing] = []
    after: str | None = None
    while True:
        page = place.desk.page(None, 7, after)
        found += page.listings
        after = page.next
        if after is None:
            return found

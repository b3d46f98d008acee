"""One contract for everything that keeps rewards: the fake in memory and the table, on each engine we have."""

import uuid
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from brandday.adapters.address_cipher import AddressCipher
from brandday.adapters.keys import BREAKER, breaker_key
from brandday.adapters.reward_stream import read_reward_change
from brandday.adapters.reward_table import RewardTable, encode_reward
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import Lease, Reward, RewardStatus
from brandday.domain.reward_id import reward_id
from brandday.usecases.dispatch_rewards import RewardChanged
from brandday.usecases.reward_ports import Cipher, Page, Rewards
from brandday_local.template_tables import table_shape
from tests.engines import Engine, table_in
from tests.fakes.memory_rewards import MemoryCipher, MemoryRewards
from tests.fakes.plain_reward import plain_reward

ANN, BOB = "-nnAnnAnnAnn", "0obBobBobBob"
NOW = 1_783_526_400_000


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def rewards(request: pytest.FixtureRequest) -> Iterator[Rewards]:
    """Each of the ways there are to keep rewards; tests tell themselves apart by campaign and owner."""
    match request.param:
        case "memory":
            yield MemoryRewards()
        case "moto":
            with mock_aws():
                yield from _table(Engine("moto", None))
        case name:
            yield from _table(request.getfixturevalue(name))


def _table(engine: Engine) -> Iterator[Rewards]:
    with table_in(engine, "RewardTable") as table:
        yield RewardTable(table.client, table.name)


@pytest.fixture
def campaign() -> str:
    """A campaign of the test's own."""
    return f"sale-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def owner() -> str:
    """A shopper of the test's own."""
    return uuid.uuid4().hex[:12]


def reward(campaign: str, owner: str = ANN, at: int = NOW, **changes: Any) -> Reward:
    """A reward that is about to be stored."""
    return plain_reward(campaign, owner, at, **({"quantity": 2, "created_at": NOW, "status_at": NOW} | changes))


def full(campaign: str, owner: str) -> Reward:
    """A reward in which no field has its default."""
    return reward(
        campaign,
        owner,
        kind=RewardKind.PHYSICAL,
        status=RewardStatus.FORFEITED,
        order_id="order-1",
        shopper_id="汉-shopper",
        claim_until=NOW + 1,
        pending_since=NOW + 2,
        cycle=3,
        sent=4,
        attempts=5,
        shipment=6,
        tried=True,
        accepted=7,
        lease=Lease("worker", NOW + 8),
        words="No such address — 404",
        reference="ref",
        address=bytes(range(256)),
        approved_by="olga",
        reported_at=NOW + 9,
        buried=10,
        units_returned=True,
    )


# --- one reward ---------------------------------------------------------------------------------------------


def test_what_was_stored_comes_back_as_it_was(rewards: Rewards, campaign: str, owner: str) -> None:
    plain, rich = reward(campaign, owner), full(campaign, ANN)
    empty = reward(campaign, BOB)
    assert not [each.name for each in fields(Reward) if each.name != "version" and _same(each.name, rich, empty)]

    assert rewards.create(plain)
    assert rewards.create(rich)

    assert rewards.get(plain.id) == replace(plain, version=1)
    assert rewards.get(rich.id) == replace(rich, version=1)


def _same(name: str, one: Reward, other: Reward) -> bool:
    alike = {"id", "campaign_id", "sku", "quantity", "source", "created_at", "status_at", "time_limit_ms", "owner"}
    return name not in alike and getattr(one, name) == getattr(other, name)


def test_a_reward_is_created_once_and_the_first_one_stays(rewards: Rewards, campaign: str, owner: str) -> None:
    first = reward(campaign, owner)

    assert rewards.create(first)
    assert not rewards.create(replace(first, quantity=9, status=RewardStatus.FAILED))
    assert rewards.get(first.id) == replace(first, version=1)


@pytest.mark.parametrize("text", ["", "rwd_", "rsv_x.0.abcdefghijkl.00000001", "rwd_abcdefghijkl.00000001.", "\0"])
def test_what_cannot_be_an_id_is_nobodys(rewards: Rewards, text: str) -> None:
    assert rewards.get(text) is None


def test_a_reward_that_is_not_there_cannot_be_found_or_saved(rewards: Rewards, campaign: str) -> None:
    absent = reward(campaign)

    assert rewards.get(absent.id) is None
    assert not rewards.save(replace(absent, version=1), replace(absent, quantity=3))
    assert rewards.get(absent.id) is None


def test_of_two_changes_of_one_version_the_first_counts(rewards: Rewards, campaign: str, owner: str) -> None:
    rewards.create(reward(campaign, owner))
    seen = rewards.get(reward_id(owner, NOW, campaign))
    assert seen is not None
    ours, theirs = replace(seen, reference="ours"), replace(seen, reference="theirs")

    assert rewards.save(seen, ours)
    assert not rewards.save(seen, theirs)
    assert not rewards.save(seen, ours), "not even the same again: it has happened"
    assert rewards.get(seen.id) == replace(ours, version=2)
    assert rewards.save(replace(ours, version=2), theirs)
    assert rewards.get(seen.id) == replace(theirs, version=3)


def test_what_is_gone_after_a_change_is_gone_from_the_table(rewards: Rewards, campaign: str, owner: str) -> None:
    rewards.create(full(campaign, owner))
    seen = rewards.get(reward_id(owner, NOW, campaign))
    assert seen is not None
    bare = replace(seen, address=None, lease=None, words=None, pending_since=None)

    assert rewards.save(seen, bare)
    assert rewards.get(seen.id) == replace(bare, version=2)


# --- a shopper's ----------------------------------------------------------------------------------------------


def test_a_shopper_sees_the_newest_first_page_by_page_of_all_campaigns(
    rewards: Rewards, campaign: str, owner: str
) -> None:
    moments = [NOW + at for at in (5, 1, 4, 2, 3)]
    for at in moments:
        rewards.create(reward(campaign if at % 2 else f"{campaign}-2", owner, at))
    rewards.create(reward(campaign, ANN, NOW + 9))
    newest = [reward_id(owner, at, campaign if at % 2 else f"{campaign}-2") for at in sorted(moments, reverse=True)]

    for limit in (1, 2, 3, 5, 50):
        pages = _pages(lambda after, limit=limit: rewards.of_owner(owner, limit=limit, after=after))
        assert [each.id for page in pages for each in page.rewards] == newest
        assert [len(page.rewards) for page in pages] == [limit] * (5 // limit) + [5 % limit] * bool(5 % limit)


def test_who_has_nothing_sees_an_empty_page(rewards: Rewards, owner: str) -> None:
    assert rewards.of_owner(owner, limit=10) == Page((), None)


NO_CURSORS = ["", "x", "x" * 9, "e30", "W10", "WyIiXQ", "WyJhIiwxXQ", "bnVsbA", "汉"]


@pytest.mark.parametrize("cursor", NO_CURSORS)
def test_what_is_no_cursor_is_a_value_error(rewards: Rewards, campaign: str, owner: str, cursor: str) -> None:
    rewards.create(reward(campaign, owner))
    with pytest.raises(ValueError, match="cursor"):
        rewards.of_owner(owner, limit=10, after=cursor)
    with pytest.raises(ValueError, match="cursor"):
        rewards.in_status(campaign, RewardStatus.PENDING, limit=10, after=cursor)


def test_a_cursor_of_one_shopper_shows_nothing_of_anothers(rewards: Rewards, campaign: str, owner: str) -> None:
    for at in range(3):
        rewards.create(reward(campaign, owner, NOW + at))
    cursor = rewards.of_owner(owner, limit=1).next

    assert all(each.owner == BOB for each in rewards.of_owner(BOB, limit=10, after=cursor).rewards)


# --- a campaign's ---------------------------------------------------------------------------------------------


def owners(count: int) -> list[str]:
    """Shoppers in all parts of the index."""
    return [f"shopper{number:05d}" for number in range(count)]


@pytest.mark.parametrize("limit", [1, 7, 40, 100])
def test_all_rewards_in_a_status_are_listed_once_whatever_the_size_of_a_page(
    rewards: Rewards, campaign: str, limit: int
) -> None:
    wanted = {reward(campaign, owner).id for owner in owners(40)}
    for owner in owners(40):
        rewards.create(reward(campaign, owner))
        rewards.create(reward(campaign, owner, NOW + 1, status=RewardStatus.FAILED))
        rewards.create(reward(f"{campaign}-2", owner))

    pages = _pages(lambda after: rewards.in_status(campaign, RewardStatus.PENDING, limit=limit, after=after))

    found = [each for page in pages for each in page.rewards]
    assert len(found) == len(wanted)
    assert {each.id for each in found} == wanted
    assert all(len(page.rewards) <= limit for page in pages)
    assert pages[-1].rewards, "no page is empty"
    assert {each.status for each in found} == {RewardStatus.PENDING}


def test_rewards_are_listed_up_to_a_moment_and_the_oldest_of_a_part_first(rewards: Rewards, campaign: str) -> None:
    for at in (3, 1, 2, 4):
        rewards.create(reward(campaign, ANN, NOW + at, status_at=NOW + 10 * at))

    found = rewards.in_status(campaign, RewardStatus.PENDING, until=NOW + 30, limit=10).rewards
    assert [each.status_at for each in found] == [NOW + 10, NOW + 20, NOW + 30]
    assert found == rewards.in_status(campaign, RewardStatus.PENDING, until=NOW + 39, limit=10).rewards
    first = rewards.in_status(campaign, RewardStatus.PENDING, until=NOW + 30, limit=2)
    rest = rewards.in_status(campaign, RewardStatus.PENDING, until=NOW + 30, limit=2, after=first.next)
    assert first.rewards + rest.rewards == found
    assert rest.next is None


def test_a_reward_moves_with_its_status(rewards: Rewards, campaign: str, owner: str) -> None:
    rewards.create(reward(campaign, owner))
    (seen,) = rewards.in_status(campaign, RewardStatus.PENDING, limit=10).rewards
    rewards.save(seen, replace(seen, status=RewardStatus.DELIVERED, status_at=NOW + 7))

    assert rewards.in_status(campaign, RewardStatus.PENDING, limit=10) == Page((), None)
    (moved,) = rewards.in_status(campaign, RewardStatus.DELIVERED, limit=10).rewards
    assert moved == rewards.get(seen.id)


def test_what_is_listed_is_whole(rewards: Rewards, campaign: str, owner: str) -> None:
    rewards.create(full(campaign, owner))
    assert rewards.in_status(campaign, RewardStatus.FORFEITED, limit=10).rewards == (
        replace(full(campaign, owner), version=1),
    )


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_forfeited_rewards_that_owe_units_are_listed_with_the_others_and_alone(
    rewards: Rewards, campaign: str, limit: int
) -> None:
    states = {name: reward(campaign, name, status=RewardStatus.FORFEITED) for name in owners(4)}
    for number, each in enumerate(states.values()):
        rewards.create(replace(each, units_returned=number % 2 == 0))
    rewards.create(reward(campaign, ANN, status=RewardStatus.FAILED))

    every = _pages(lambda after: rewards.in_status(campaign, RewardStatus.FORFEITED, limit=limit, after=after))
    owing = _pages(lambda after: rewards.owing(campaign, limit=limit, after=after))

    assert {each.owner for page in every for each in page.rewards} == set(states)
    assert sorted(each.owner for page in owing for each in page.rewards) == [owners(4)[1], owners(4)[3]]
    (paid, *_) = owing[0].rewards
    rewards.save(paid, replace(paid, units_returned=True))
    assert paid.id not in {each.id for each in rewards.owing(campaign, limit=10).rewards}


def _pages(read: Any) -> list[Page]:
    pages = [read(None)]
    while pages[-1].next is not None:
        pages.append(read(pages[-1].next))
        assert len(pages) < 100
    return pages


# --- the table alone ------------------------------------------------------------------------------------------


@mock_aws
def test_a_throttled_table_is_an_overload() -> None:
    client = Engine("moto", None).client()
    client.create_table(TableName="R", **table_shape("RewardTable"))

    def throttle(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "any")

    client.meta.events.register("before-call.dynamodb", throttle)
    table, one = RewardTable(client, "R"), reward("sale")
    for call in (
        lambda: table.create(one),
        lambda: table.get(one.id),
        lambda: table.save(one, one),
        lambda: table.of_owner(ANN, limit=1),
        lambda: table.in_status("sale", RewardStatus.PENDING, limit=1),
        lambda: table.owing("sale", limit=1),
    ):
        with pytest.raises(TemporarilyOverloaded):
            call()


def test_an_id_that_is_not_of_the_owner_or_the_campaign_is_never_stored() -> None:
    with pytest.raises(ValueError, match="is not the id"):
        encode_reward(replace(reward("sale"), owner=BOB))
    with pytest.raises(ValueError, match="is not the id"):
        encode_reward(replace(reward("sale"), campaign_id="other"))


def test_the_stream_tells_of_a_reward_before_and_after() -> None:
    before = replace(full("sale", ANN), version=1, address=b"\0\xff")
    after = replace(before, reference="new", version=2)
    image = encode_reward(before)
    image["address"] = {"B": "AP8="}  # an event is JSON: binary comes as base64
    keys = {"pk": image["pk"], "sk": image["sk"]}
    record = {"Keys": keys, "OldImage": image, "NewImage": encode_reward(after)}

    assert read_reward_change(record) == RewardChanged(before, after)
    assert read_reward_change({"Keys": keys, "NewImage": image}) == RewardChanged(None, before)
    assert read_reward_change({"Keys": keys, "OldImage": image}) is None
    breaker = {"pk": {"S": breaker_key("00ff")}, "sk": {"S": BREAKER}}
    assert read_reward_change({"Keys": breaker, "NewImage": breaker | {"v": {"N": "1"}}}) is None
    with pytest.raises(KeyError):
        read_reward_change({"Keys": keys, "NewImage": keys})


# --- addresses ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "moto"])
def cipher(request: pytest.FixtureRequest) -> Iterator[Cipher]:
    """Each of the ways there are to encrypt."""
    if request.param == "memory":
        yield MemoryCipher()
        return
    with mock_aws():
        client = boto3.client("kms", region_name="us-east-1")
        yield AddressCipher(client, client.create_key()["KeyMetadata"]["KeyId"])


def test_an_address_can_be_read_for_its_own_reward_only(cipher: Cipher) -> None:
    plain = "上海市 1 号".encode()
    sealed = cipher.encrypt("rwd_a", plain)

    assert plain not in sealed
    assert cipher.decrypt("rwd_a", sealed) == plain
    with pytest.raises((ValueError, ClientError)):
        cipher.decrypt("rwd_b", sealed)

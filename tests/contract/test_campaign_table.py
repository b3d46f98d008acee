"""One contract for everything that keeps campaigns: the fake in memory and the table, on each engine we have."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from moto import mock_aws

from brandday.adapters.aws import overload_translated
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.keys import CAMPAIGN_COPIES, campaign_key, seed_key
from brandday.adapters.summary_table import SummaryTable
from brandday.domain.campaign import Campaign, Restock, Status
from brandday.domain.code_words import WordKind
from brandday.domain.errors import CampaignConflict, CampaignNotFound, TemporarilyOverloaded, ValidationFailed
from brandday.domain.layout import plan_layout, to_base64url
from brandday.domain.lottery_state import freeze
from brandday.domain.summary import ShardTally, Tally, subtotal
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases.live_campaigns import read_summary
from tests.engines import Engine, tables_in
from tests.fakes.coupon_declarations import declared_coupons, imported, shared, taken
from tests.fakes.declarations import BEFORE, declared
from tests.fakes.lottery_declarations import declared_instant
from tests.fakes.memory_campaigns import MemorySummaries
from tests.fakes.operator_desk import RecordedCampaigns

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SEED = bytes(range(100, 132))

type Store = RecordedCampaigns | CampaignTable

ENGINES = ["moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)]


@dataclass
class Table:
    """A campaign table, and the way to it that bypasses the adapter."""

    store: CampaignTable
    client: "DynamoDBClient"
    name: str


@pytest.fixture(params=["memory", *ENGINES])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    match request.param:
        case "memory":
            yield RecordedCampaigns(MemorySummaries())
        case "moto":
            yield request.getfixturevalue("table").store
        case name:
            for opened in _opened(request.getfixturevalue(name)):
                yield opened.store


@pytest.fixture
def table() -> Iterator[Table]:
    with mock_aws():
        yield from _opened(Engine("moto", None))


def _opened(engine: Engine) -> Iterator[Table]:
    with tables_in(engine) as tables, closing(engine.client()) as client:
        yield Table(CampaignTable(client, tables.campaign), client, tables.campaign)


def entry(act: str = "apply", *, at: int = BEFORE, version: int = 1, entry_id: str = "a1") -> TrailEntry:
    changes = (Change(("skus", "HERO-1", "stock"), None, 100), Change(("status",), "draft", "published"))
    return TrailEntry(entry_id, at, "operator-1", act, version, changes)


def campaign(version: int = 1, **fields: Any) -> Campaign:
    return replace(declared(), version=version, applied_at=BEFORE, **fields)


def published(version: int = 1) -> Campaign:
    return campaign(
        version,
        status=Status.PUBLISHED,
        layout=plan_layout(declared().skus, bytes(range(16))),
        restocks=(Restock("extra-1", "HERO-1", 5, BEFORE),),
        published_at=BEFORE + 1,
        ended_at=BEFORE + 2,
    )


def test_what_was_saved_is_loaded(store: Store) -> None:
    store.save(published(), 0, entry())
    for consistent in (False, True):
        assert store.load(published().id, consistent=consistent) == (published(), {})


def test_a_draft_has_no_layout(store: Store) -> None:
    store.save(campaign(), 0, entry())
    assert store.load(campaign().id)[0] == campaign()


def test_what_was_never_saved_is_not_found(store: Store) -> None:
    with pytest.raises(CampaignNotFound):
        store.load("nowhere")
    assert store.list_ids() == []
    assert list(store.history("nowhere")) == []


def test_campaigns_are_listed_in_order_and_once(store: Store) -> None:
    for name in ("winter", "autumn", "spring"):
        store.save(replace(campaign(), id=name), 0, entry())
    store.save(replace(campaign(2), id="winter"), 1, entry())
    assert store.list_ids() == ["autumn", "spring", "winter"]


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_campaign_that_has_moved_on_is_not_overwritten(store: Store, expected: int) -> None:
    store.save(campaign(), 0, entry())
    store.save(campaign(2), 1, entry("publish", at=BEFORE + 1))
    with pytest.raises(CampaignConflict) as refused:
        store.save(campaign(expected + 1, hold_seconds=60), expected, entry("pause", at=BEFORE + 2))
    assert refused.value.params == {"version": 2}
    assert store.load(campaign().id)[0] == campaign(2)
    assert [act.act for act in store.history(campaign().id)] == ["publish", "apply"]


def test_a_campaign_that_is_gone_is_a_conflict_too(store: Store) -> None:
    with pytest.raises(CampaignConflict) as refused:
        store.save(campaign(4), 3, entry())
    assert refused.value.params == {"version": 0}
    assert store.list_ids() == []


def test_the_trail_shows_the_latest_act_first_and_all_of_it(store: Store) -> None:
    acts = [entry("apply"), entry("publish", at=BEFORE + 5, version=2), entry("pause", at=BEFORE + 70_000, version=3)]
    for version, act in enumerate(acts):
        store.save(campaign(version + 1), version, act)
    assert list(store.history(campaign().id)) == acts[::-1]


# --- words of codes, and their secret ---

OVER = declared_coupons(shared()).ends_at


def coupons(version: int = 1, status: Status = Status.PUBLISHED, **fields: Any) -> Campaign:
    return replace(declared_coupons(shared(**fields)), version=version, status=status)


def test_a_draft_has_no_words_and_what_is_published_has(store: Store) -> None:
    store.save(coupons(status=Status.DRAFT), 0, entry())
    assert list(store.words()) == []

    store.save(coupons(2), 1, entry("publish"))
    store.save(replace(declared_coupons(imported()), version=1, status=Status.PUBLISHED), 0, entry())
    store.save(replace(declared_coupons(taken()), version=1, status=Status.PUBLISHED), 0, entry())

    found = {(word.kind, word.text, word.campaign_id) for word in store.words()}
    assert found == {
        (WordKind.SHARED, "D0UB1E11", "double-eleven"),
        (WordKind.PREFIX, "TEAPA1", "partner-codes"),
        (WordKind.TAKEN, "take-one", "take-one"),
    }
    assert {word.until for word in store.words() if word.kind is not WordKind.TAKEN} == {OVER}


def test_a_word_of_another_campaign_keeps_all_of_a_publication_from_happening(store: Store) -> None:
    store.save(coupons(), 0, entry())
    store.save(coupons(status=Status.DRAFT, id="other"), 0, entry())

    with pytest.raises(ValidationFailed) as refused:
        store.save(coupons(2, id="other"), 1, entry("publish", version=2))

    assert [error.pointer for error in refused.value.errors] == ["/code"]
    assert "double-eleven" in str(refused.value.errors[0].params["reason"])
    assert store.load("other", consistent=True)[0].status is Status.DRAFT
    assert [act.act for act in store.history("other")] == ["apply"]
    assert [word.campaign_id for word in store.words()] == ["double-eleven"]


def test_a_version_that_has_moved_on_is_the_conflict_also_where_a_word_is_taken(store: Store) -> None:
    store.save(coupons(), 0, entry())
    store.save(coupons(status=Status.DRAFT, id="other"), 0, entry())

    with pytest.raises(CampaignConflict):
        store.save(coupons(3, id="other"), 2, entry("publish"))


def test_a_word_goes_to_another_campaign_once_its_own_is_over(store: Store) -> None:
    store.save(coupons(), 0, entry())
    with pytest.raises(ValidationFailed):
        store.save(coupons(id="other", ends_at="2027-01-01T00:00:00"), 0, entry(at=OVER - 1))

    store.save(coupons(id="other", ends_at="2027-01-01T00:00:00"), 0, entry(at=OVER))
    store.save(coupons(2), 1, entry("apply", at=OVER + 1))  # fulfilment may change after the end

    (word,) = store.words()
    assert word.campaign_id == "other"


def test_a_word_is_kept_as_long_as_the_campaign_that_was_lengthened(store: Store) -> None:
    store.save(coupons(), 0, entry())
    store.save(coupons(2, ends_at="2027-01-01T00:00:00"), 1, entry())

    (word,) = store.words()
    assert word.until > OVER


def test_the_first_to_bring_a_secret_decides_it(store: Store) -> None:
    assert store.code_secret() is None
    first, second = bytes(range(32)), bytes(reversed(range(32)))

    assert store.deployment_code_secret(first) == first
    assert store.deployment_code_secret(second) == first
    assert store.code_secret() == first
    assert store.known_salt() is None


# --- seeds of lotteries ---


def lottery(version: int = 1, **fields: Any) -> Campaign:
    made = declared_instant()
    assert made.lottery is not None
    layout = plan_layout(made.skus, bytes(range(16)))
    window = made.starts_at, made.ends_at
    luck = freeze(made.lottery, made.id, window, [made.starts_at], layout.shards, seed=SEED, entry_salt=bytes(16))
    published = replace(made, status=Status.PUBLISHED, layout=layout, luck=luck, published_at=BEFORE)
    return replace(published, version=version, applied_at=BEFORE, **fields)


def test_a_lottery_is_loaded_as_it_was_frozen(store: Store) -> None:
    store.save(lottery(), 0, entry(), seed=SEED)
    assert store.load(lottery().id)[0] == lottery()
    assert store.seed(lottery().id) == SEED


def test_a_seed_is_never_replaced(store: Store) -> None:
    """GIVEN a published lottery WHEN anybody brings another seed THEN nothing at all is written."""
    store.save(lottery(), 0, entry(), seed=SEED)
    with pytest.raises(CampaignConflict):
        store.save(lottery(2, title={"en": "Fixed"}), 1, entry("publish", at=BEFORE + 1), seed=bytes(32))
    assert store.seed(lottery().id) == SEED
    assert store.load(lottery().id)[0] == lottery()
    assert [act.act for act in store.history(lottery().id)] == ["apply"]


def test_a_refused_publication_leaves_no_seed(store: Store) -> None:
    """GIVEN two operators who publish at once WHEN the second is refused THEN the first one's seed is the seed."""
    store.save(replace(declared_instant(), version=1, applied_at=BEFORE), 0, entry())
    assert store.seed(lottery().id) is None
    store.save(lottery(2), 1, entry("publish", at=BEFORE + 1), seed=SEED)
    with pytest.raises(CampaignConflict):
        store.save(lottery(2), 1, entry("publish", at=BEFORE + 2, entry_id="b2"), seed=bytes(32))
    assert store.seed(lottery().id) == SEED


def test_later_acts_leave_the_seed_alone(store: Store) -> None:
    store.save(lottery(), 0, entry(), seed=SEED)
    store.save(lottery(2), 1, entry("pause", at=BEFORE + 1))
    assert store.seed(lottery().id) == SEED
    assert store.seed("nowhere") is None


def test_no_item_but_its_own_has_the_seed(table: Table) -> None:
    table.store.save(lottery(), 0, entry(), seed=SEED)
    items = table.client.scan(TableName=table.name)["Items"]
    having = [item["pk"]["S"] for item in items if SEED.hex() in _bytes_of(item).hex()]
    assert having == [seed_key(lottery().id)]
    assert not [item for item in items if SEED.hex() in str(item) or to_base64url(SEED) in str(item)]


def _bytes_of(item: Any) -> bytes:
    """All that an item says, texts and bytes alike."""
    return b"".join(
        of if isinstance(of, bytes) else str(of).encode() for value in item.values() for of in value.values()
    )


def test_the_summary_comes_with_the_campaign_in_one_query(table: Table) -> None:
    table.store.save(published(), 0, entry())
    summary = {"pk": {"S": f"CAMPAIGN#{published().id}"}, "sk": {"S": "SUMMARY"}}
    table.client.put_item(TableName=table.name, Item=summary | {"as_of": {"N": "17"}, "c0": {"S": "{}"}})
    assert table.store.load(published().id) == (published(), {"as_of": "17", "c0": "{}"})


# --- copies: what every environment reads once a second is more than one partition can give ---


@pytest.fixture(params=ENGINES)
def any_table(request: pytest.FixtureRequest) -> Iterator[Table]:
    if request.param == "moto":
        yield request.getfixturevalue("table")
    else:
        yield from _opened(request.getfixturevalue(request.param))


def copies(of: Table) -> list[CampaignTable]:
    """The table as environments of every kind read it."""
    return [CampaignTable(of.client, of.name, copy=1_794_182_403_120 + part) for part in range(CAMPAIGN_COPIES)]


def test_an_act_is_in_every_copy_as_soon_as_it_is_in_one(any_table: Table) -> None:
    """GIVEN a campaign WHEN it is published, paused and ended THEN every environment reads each act."""
    for version, status in enumerate((Status.PUBLISHED, Status.PAUSED, Status.ENDED), start=1):
        saved = replace(published(version), status=status)
        any_table.store.save(saved, version - 1, entry(status, at=BEFORE + version, version=version))
        assert [each.load(saved.id) for each in copies(any_table)] == [(saved, {})] * CAMPAIGN_COPIES


def test_a_refused_act_is_in_no_copy(any_table: Table) -> None:
    any_table.store.save(published(), 0, entry())
    with pytest.raises(CampaignConflict):
        any_table.store.save(replace(published(8), status=Status.PAUSED), 7, entry("pause", at=BEFORE + 1))
    assert [each.load(published().id) for each in copies(any_table)] == [(published(), {})] * CAMPAIGN_COPIES


@pytest.mark.engine
@pytest.mark.parametrize("any_table", ["dynamodb_local"], indirect=True)  # the others count units in a way of their own
def test_the_copies_share_no_partition_and_each_costs_half_a_read_unit(any_table: Table) -> None:
    asked: list[str] = []
    units: list[float] = []

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"
        asked.append(params["ExpressionAttributeValues"][":pk"]["S"])

    any_table.client.meta.events.register("before-parameter-build.dynamodb.Query", ask)
    any_table.client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: units.append(parsed["ConsumedCapacity"]["CapacityUnits"])
    )
    any_table.store.save(published(), 0, entry())
    for each in copies(any_table):
        each.load(published().id)
    assert len(set(asked)) == len(asked) == CAMPAIGN_COPIES
    assert units == [0.5] * CAMPAIGN_COPIES


def test_a_subtotal_is_in_every_copy_although_somebody_stopped_half_way(any_table: Table) -> None:
    any_table.store.save(published(), 0, entry())
    total = subtotal({0: ShardTally(7, {"0": Tally(1, 2, 3)}, None)})
    summaries = SummaryTable(any_table.client, any_table.name)
    summaries.save_subtotal(published().id, 0, total, 17)
    key = {"pk": {"S": campaign_key(published().id, CAMPAIGN_COPIES - 1)}, "sk": {"S": "SUMMARY"}}
    any_table.client.delete_item(TableName=any_table.name, Key=key)

    summaries.save_subtotal(published().id, 0, total, 18)

    found = [read_summary(each.load(published().id)[1]) for each in copies(any_table)]
    assert [(each.version, each.held) for each in found] == [(7, {"0": 2})] * CAMPAIGN_COPIES


def test_more_campaigns_than_one_page_are_listed(table: Table) -> None:
    padding = {"S": "x" * 300_000}
    for number in range(5):
        key = {"pk": {"S": "CAMPAIGNS"}, "sk": {"S": f"campaign-{number}"}}
        table.client.put_item(TableName=table.name, Item=key | {"padding": padding})
    assert len(table.store.list_ids()) == 5


def client_error(code: str, *reasons: str, status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(response, "UpdateItem")


OVERLOADS = [
    client_error("ThrottlingException"),
    client_error("ProvisionedThroughputExceededException"),
    client_error("RequestLimitExceeded"),
    client_error("TransactionConflictException"),
    client_error("TransactionInProgressException"),
    client_error("InternalServerError", status=500),
    client_error("WhoKnows", status=503),
    client_error("TransactionCanceledException", "None", "TransactionConflict"),
    client_error("TransactionCanceledException", "ThrottlingError", "None"),
    ReadTimeoutError(endpoint_url="http://localhost"),
    EndpointConnectionError(endpoint_url="http://localhost"),
]


@pytest.mark.parametrize("trouble", OVERLOADS, ids=range(len(OVERLOADS)))
def test_a_database_that_is_too_busy_says_so(trouble: Exception) -> None:
    with pytest.raises(TemporarilyOverloaded), overload_translated():
        raise trouble


@pytest.mark.parametrize(
    "refusal",
    [
        client_error("ConditionalCheckFailedException"),
        client_error("TransactionCanceledException", "ConditionalCheckFailed", "None"),
        client_error("TransactionCanceledException", "ConditionalCheckFailed", "TransactionConflict"),
        client_error("ValidationException"),
        client_error("AccessDeniedException"),
    ],
    ids=["condition", "condition in a transaction", "condition beside a conflict", "our mistake", "no permission"],
)
def test_what_is_no_overload_is_not_hidden(refusal: ClientError) -> None:
    with pytest.raises(ClientError), overload_translated():
        raise refusal

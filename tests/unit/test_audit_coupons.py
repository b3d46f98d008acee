"""The audit of coupons says yes to what the product does on a busy day, and names each fault that is planted in it."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from brandday.adapters.coupon_table import encode_facts, encode_part, encode_state
from brandday.adapters.keys import coupon_group
from brandday.adapters.reward_table import encode_reward
from brandday.domain.campaign import Campaign
from brandday.domain.coupon_code import show
from brandday.domain.coupon_job import CouponJob, JobKind
from brandday.domain.shard import Shard
from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_records import RawItem
from brandday_cli.audit_report import to_json, to_text
from brandday_cli.audit_reward_records import RewardKey
from brandday_cli.audit_rules import Findings
from tests.fakes.backend import SALE
from tests.fakes.coupon_api import GIFTS, PERCENT, PERCENT_CODE, ROLL_BACK, CouponApi
from tests.fakes.coupon_desk import CouponDesk
from tests.fakes.memory_coupon_jobs import MemoryCouponJobs

WHO = "operator-1"
TABLE = "COUPONS"

type Item = dict[str, Any]


class Day:
    """A world of coupons after a busy day, as raw items that the audit reads and a test may spoil."""

    def __init__(self) -> None:
        self.api = CouponApi()
        self.jobs = MemoryCouponJobs(self.api.coupons)
        self._shoppers()
        self._operators()
        self.now = self.api.clock()
        self.items: list[Item] = [
            *(encode_facts(facts) for facts in self.api.coupons.facts.values()),
            *(
                encode_state(key, self.api.coupons.facts[key].campaign_id, state)
                for key, state in self.api.coupons.states.items()
            ),
            *(encode_part(part) for part in self.api.coupons.stored_parts.values()),
        ]
        self.stock = {(of, shard.number): _stock(of, shard) for (of, _), shard in self.api.stock.shards.items()}
        self.rewards = {
            (item["pk"]["S"], item["sk"]["S"]): item for item in map(encode_reward, self.api.rewards.rewards.values())
        }
        self.job_items = [*(_job(job) for job in self.jobs.jobs.values()), *self._issued()]
        self.documents = {key: copy.deepcopy(of.to_document()) for key, of in self.api.campaigns.campaigns.items()}
        self.behind: list[Item] = []
        self.naps = 0
        self.on_nap: Callable[[], None] = lambda: None

    def _shoppers(self) -> None:
        """Coupons are taken, redeemed, locked, given up and rolled back; so are uses of a shared code."""
        api = self.api
        codes = [api.take(f"shopper-{number}", key="1").body["code"] for number in range(8)]
        api.follow()
        for number, code in enumerate(codes[:6]):
            for kind, what in (("O", code), ("P", PERCENT_CODE)):
                act = api.lock if number in (1, 2) else api.redeem
                done = act(what, order_id=f"S{kind}-{number}", shopper={"id": f"shopper-{number}"})
                assert done.status in (200, 201), done.body
                if number == 3:
                    back = api.as_shop("POST", ROLL_BACK, redemption_id=done.body["id"], key="back")
                    assert back.status == 200, back.body
            if number == 1:
                api.clock.advance(901_000)  # what was locked has lapsed
        # And one that lapsed is another order's now.
        assert api.redeem(codes[1], order_id="SO-9", shopper={"id": "shopper-1"}).status in (200, 201)

    def _operators(self) -> None:
        """A job makes bearer coupons, one of them is disabled and one used; another is for shoppers."""
        desk = CouponDesk(self.api.campaigns, self.api.stock, self.api.clock, rewards=self.api.rewards)
        desk.coupons, desk.jobs = self.api.coupons, self.jobs
        campaigns = self.api.campaigns.campaigns
        terms = campaigns[GIFTS].coupon
        assert terms is not None
        campaigns[GIFTS] = replace(campaigns[GIFTS], coupon=replace(terms, quantity=9))
        manage = desk.manage()
        manage.start(GIFTS, "spring", JobKind.GENERATE, 6, "", WHO)
        made = manage.make(GIFTS, "spring", 0)
        manage.start(GIFTS, "vip", JobKind.TARGET, 2, "a" * 64, WHO)
        manage.make(GIFTS, "vip", 0, ["ann", "bob"])
        manage.disable(GIFTS, [show(made[0].code)], WHO)
        assert self.api.redeem(made[1].code, order_id="SG-1", shopper=None).status in (200, 201)

    def _issued(self) -> Iterator[Item]:
        for campaign_id, issued in self.jobs.counts.items():
            yield {
                "pk": {"S": f"{TABLE}#{campaign_id}"},
                "sk": {"S": "ISSUED"},
                "count": {"N": str(issued.count)},
                "next_at": {"N": str(issued.next_at)},
            }

    # --- what the audit reads ---

    def read_config(self, campaign_id: str, /) -> RawItem | None:
        campaign: Campaign = self.api.campaigns.campaigns[campaign_id]
        assert campaign.layout is not None
        return {
            "document": {"S": json.dumps(self.documents[campaign_id])},
            "layout": {"S": json.dumps(campaign.layout.to_document())},
            "restocks": {"S": "[]"},
        }

    def read_shards(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        for shard in shards:
            yield shard, self.stock.get((campaign_id, shard))

    read_claims = read_shards

    def read_together(self, campaign_id: str, shards: Sequence[int]) -> dict[int, RawItem | None]:
        return dict(self.read_shards(campaign_id, shards))

    def read_summary_chunks(self, *_: object) -> Iterator[RawItem]:
        yield from ()

    def scan_keys(self, campaign_id: str) -> Iterator[str]:
        return iter([campaign_id])

    def read_part(self, campaign_id: str, part: int) -> Iterator[RawItem]:
        for item in self.items:
            if item["gpk"]["S"] == f"{campaign_id}#{part}" and item not in self.behind:
                yield item

    def read_jobs(self, campaign_id: str) -> Iterator[RawItem]:
        yield from (item for item in self.job_items if item["pk"]["S"] == f"{TABLE}#{campaign_id}")

    def read_facts(self, ids: Sequence[str]) -> Iterator[RawItem]:
        yield from (item for item in self.items if item["sk"]["S"] == "FACTS" and item["pk"]["S"] in ids)

    def read_moment(
        self, campaign_id: str, coupon: str | None, redemptions: Sequence[str], shard: int | None
    ) -> tuple[list[RawItem], RawItem | None]:
        found: list[RawItem] = [item for item in self.items if item["pk"]["S"] in {coupon, *redemptions}]
        return found, None if shard is None else self.stock.get((campaign_id, shard))

    def read_rewards(self, keys: Sequence[RewardKey]) -> Iterator[RawItem]:
        yield from (self.rewards[key] for key in keys if key in self.rewards)

    def read_pair(self, campaign_id: str, shard: int, key: RewardKey) -> tuple[RawItem | None, RawItem | None]:
        return self.stock.get((campaign_id, shard)), self.rewards.get(key)

    def read_index(self, campaign_id: str, bucket: int) -> Iterator[Sequence[RawItem]]:
        yield [item for item in self.rewards.values() if item["gpk"]["S"] == f"{campaign_id}#{bucket}"]

    # --- what tests do ---

    def audit(self, campaign_id: str, *, forged: Sequence[str] | None = ()) -> Findings:
        """Audit it; the API names these coupons as forged, or is not asked."""

        def nap(_: float) -> None:
            self.naps += 1
            self.on_nap()

        return audit_campaign(
            self,
            campaign_id,
            rewards=self,
            coupons=self,
            forged=None if forged is None else lambda _: forged,
            now_ms=lambda: self.now,
            sleep=nap,
        )

    def codes(self, campaign_id: str) -> set[str]:
        """What is wrong."""
        return {violation.code for violation in self.audit(campaign_id).violations}

    def find(self, kind: str, campaign_id: str, wanted: Callable[[Item], bool] = lambda _: True) -> Item:
        """The first item of a kind that is wanted."""
        return next(
            item
            for item in self.items
            if item["sk"]["S"].startswith(kind) and item["gpk"]["S"].startswith(f"{campaign_id}#") and wanted(item)
        )

    def drop(self, kind: str, campaign_id: str, wanted: Callable[[Item], bool] = lambda _: True) -> None:
        """Lose it."""
        self.items.remove(self.find(kind, campaign_id, wanted))

    def copy_facts(self, campaign_id: str) -> Item:
        """Add a coupon that is there already, under another id."""
        other = copy.deepcopy(self.find("FACTS", campaign_id))
        other["pk"] = {"S": "cpn_" + "x" * 20}
        other["gpk"] = {"S": f"{campaign_id}#{coupon_group(other['pk']['S'], 16)}"}
        self.items.append(other)
        return other


def _stock(campaign_id: str, shard: Shard) -> Item:
    return {
        "pk": {"S": f"{campaign_id}#{shard.number}"},
        "v": {"N": str(shard.version)},
        **{f"f{slot}": {"N": str(free)} for slot, free in shard.free.items()},
        **{name: {"S": text} for name, text in shard.records.items()},
    }


def _job(job: CouponJob) -> Item:
    numbers = {"size": job.size, "at": job.at, "count": job.count, "done": job.done}
    return {
        "pk": {"S": f"{TABLE}#{job.campaign_id}"},
        "sk": {"S": f"JOB#{job.name}"},
        "name": {"S": job.name},
        "kind": {"S": str(job.kind)},
        **{name: {"N": str(number)} for name, number in numbers.items()},
    }


def _is(name: str, value: str) -> Callable[[Item], bool]:
    return lambda item: bool(item.get(name, {}).get("S") == value)


@pytest.fixture(scope="module")
def sound_day() -> Day:
    """A day that nobody has spoilt."""
    return Day()


@pytest.fixture
def day(sound_day: Day) -> Day:
    """A day of the test's own."""
    mine = copy.copy(sound_day)
    for name in ("items", "stock", "rewards", "job_items", "documents", "behind"):
        setattr(mine, name, copy.deepcopy(getattr(sound_day, name)))
    return mine


@pytest.mark.parametrize("campaign_id", [SALE, PERCENT, GIFTS])
def test_a_busy_day_is_found_sound(day: Day, campaign_id: str) -> None:
    findings = day.audit(campaign_id)

    assert findings.violations == []
    assert day.naps == 0
    tally = json.loads(to_json(findings))["coupons"]
    assert tally["issued"] == sum(tally["by_status"].values())
    assert "All promises hold" in _shown(findings, campaign_id)


def _shown(findings: Findings, campaign_id: str) -> str:
    console = Console(width=300, file=io.StringIO(), record=True)
    console.print(to_text(campaign_id, findings))
    return console.export_text()


def test_the_totals_are_those_of_the_day(day: Day) -> None:
    assert json.loads(to_json(day.audit(SALE)))["coupons"]["by_status"] == {
        "usable": 3,  # two untouched, one rolled back
        "locked": 1,
        "redeemed": 4,
        "expired": 0,
        "disabled": 0,
    }
    assert json.loads(to_json(day.audit(GIFTS)))["coupons"]["by_status"] == {
        "usable": 6,
        "locked": 0,
        "redeemed": 1,
        "expired": 0,
        "disabled": 1,
    }
    shared = json.loads(to_json(day.audit(PERCENT)))["coupons"]
    assert shared["issued"] == 0
    assert shared["uses"]["redeemed"] == 3


# --- each kind of fault ---------------------------------------------------------------------------------------


def _redeemed(item: Item) -> bool:
    return _is("use", "redeemed")(item)


def _set(item: Item, **changes: str | int | None) -> None:
    for name, value in changes.items():
        match value:
            case None:
                del item[name]
            case bool():
                item[name] = {"BOOL": value}
            case int():
                item[name] = {"N": str(value)}
            case _:
                item[name] = {"S": value}


def _lose_a_claim(day: Day, campaign_id: str, state: str) -> None:
    for key, item in day.stock.items():
        for name, value in list(item.items()):
            if key[0] == campaign_id and len(name) == 12 and value["S"].startswith(state):
                del item[name]
                item["f0"] = {"N": str(int(item["f0"]["N"]) + 1)}
                return
    raise AssertionError("there is none")


def _other_owner(day: Day) -> None:
    day.find("FACTS", SALE)["owner"] = {"S": "A" * 12}


def _unknown_job(day: Day) -> None:
    day.job_items = [item for item in day.job_items if item["sk"]["S"] != "JOB#vip"]


def _reward(day: Day) -> Item:
    return next(item for item in day.rewards.values() if item["gpk"]["S"].startswith(f"{SALE}#"))


def _shared_twice(day: Day) -> None:
    first = day.find("PART", PERCENT, _is("status", "redeemed"))
    other = copy.deepcopy(first)
    other["pk"] = {"S": "rdm_" + "x" * 20}
    day.items.append(other)


def _used_twice(day: Day) -> None:
    first = day.find("PART", SALE, _is("status", "redeemed"))
    other = copy.deepcopy(first)
    other["pk"] = {"S": "rdm_" + "x" * 20}
    day.items.append(other)


def _alive(day: Day, item: Item) -> bool:
    return int(item["expires_at"]["N"]) > day.now


def _held(day: Day, item: Item) -> bool:
    return int(item["locked_until"]["N"]) > day.now


def _used(day: Day, item: Item) -> bool:
    return any(other["pk"] == item["pk"] and _redeemed(other) for other in day.items)


def _idle(day: Day, item: Item) -> bool:
    return [other["pk"] for other in day.items].count(item["pk"]) == 1


def _other_coupon(day: Day) -> str:
    mine = _reward(day)["source"]["S"]
    found: str = day.find("FACTS", SALE, lambda item: item["pk"]["S"] != mine)["pk"]["S"]
    return found


def _lose_a_live_hold(day: Day) -> None:
    live = day.find("PART", PERCENT, lambda item: item["status"]["S"] == "locked" and _alive(day, item))
    shard, name, _ = live["claim"]["S"].split(".")
    item = day.stock[PERCENT, int(shard)]
    del item[name]
    item["f0"] = {"N": str(int(item["f0"]["N"]) + 1)}


def _rename_order(day: Day) -> None:
    for (of, _), item in day.stock.items():
        for name, value in item.items():
            if of == SALE and len(name) == 12 and value["S"].endswith(".c"):
                item[name] = {"S": value["S"].removesuffix(".c") + ".order-1"}
                return


FAULTS: dict[str, tuple[str, Callable[[Day], object], str]] = {
    "a claim without its coupon": (
        SALE,
        lambda day: day.drop("FACTS", SALE, lambda i: _idle(day, i)),
        "coupon_missing",
    ),
    "a coupon without its claim": (SALE, lambda day: _lose_a_claim(day, SALE, "c"), "coupon_without_claim"),
    "two coupons of one claim": (SALE, lambda day: day.copy_facts(SALE), "coupon_doubled"),
    "a coupon of somebody else": (SALE, _other_owner, "coupon_mismatch"),
    "a coupon from nowhere": (SALE, lambda day: _set(day.find("FACTS", SALE), source="gift:1"), "coupon_mismatch"),
    "a coupon of another kind": (
        SALE,
        lambda day: _set(day.find("FACTS", SALE), source="job:spring.0"),
        "coupon_mismatch",
    ),
    "valid for too long": (
        SALE,
        lambda day: _set(day.find("FACTS", SALE), valid_until=day.now * 2),
        "validity_mismatch",
    ),
    "a number of a job that is missing": (GIFTS, lambda day: day.drop("FACTS", GIFTS), "coupon_missing"),
    "a number of a job twice": (GIFTS, lambda day: day.copy_facts(GIFTS), "coupon_doubled"),
    "a number that the job has not": (
        GIFTS,
        lambda day: _set(day.copy_facts(GIFTS), source="job:spring.6"),
        "coupon_without_job",
    ),
    "a job that is not there": (GIFTS, _unknown_job, "coupon_without_job"),
    "a job that is counted wrongly": (
        GIFTS,
        lambda day: _set(day.job_items[-1], count=7),
        "jobs_miscounted",
    ),
    "more than there may be": (
        GIFTS,
        lambda day: day.documents[GIFTS]["coupon"].update(quantity=7),
        "coupons_exceeded",
    ),
    "more given than the budget": (
        SALE,
        lambda day: day.documents[SALE]["coupon"].update(budget=1),
        "budget_exceeded",
    ),
    "redeemed, and no order says so": (
        SALE,
        lambda day: day.drop("PART", SALE, _is("status", "redeemed")),
        "use_without_redemption",
    ),
    "an order has redeemed, and the coupon does not say so": (
        SALE,
        lambda day: day.drop("STATE", SALE, _redeemed),
        "redemption_without_use",
    ),
    "an order rolled back, and the coupon is still redeemed": (
        SALE,
        lambda day: _set(day.find("PART", SALE, _is("status", "redeemed")), status="rolled_back", returned=True),
        "use_without_redemption",
    ),
    "locked, and no order says so": (
        SALE,
        lambda day: day.drop("PART", SALE, lambda i: i["status"]["S"] == "locked" and _alive(day, i)),
        "use_without_redemption",
    ),
    "an order has it locked, and the coupon does not say so": (
        SALE,
        lambda day: day.drop("STATE", SALE, lambda i: i.get("use", {}).get("S") == "locked" and _held(day, i)),
        "redemption_without_use",
    ),
    "two orders have used one coupon": (SALE, _used_twice, "used_twice"),
    "a use of a coupon that is not there": (
        GIFTS,
        lambda day: day.items.remove(day.find("FACTS", GIFTS, lambda i: _used(day, i))),
        "state_without_coupon",
    ),
    "a shared code redeemed, and no use taken": (
        PERCENT,
        lambda day: _lose_a_claim(day, PERCENT, "c"),
        "redemption_without_use",
    ),
    "a shared code locked, and no use set aside": (
        PERCENT,
        _lose_a_live_hold,
        "redemption_without_use",
    ),
    "a use taken, and no order says so": (
        PERCENT,
        lambda day: day.drop("PART", PERCENT, _is("status", "redeemed")),
        "use_without_redemption",
    ),
    "a use set aside, and no order says so": (
        PERCENT,
        lambda day: day.drop("PART", PERCENT, lambda i: i["status"]["S"] == "locked" and _alive(day, i)),
        "use_without_redemption",
    ),
    "a use that did not come back": (
        PERCENT,
        lambda day: _set(day.find("PART", PERCENT, _is("status", "redeemed")), status="released"),
        "use_not_back",
    ),
    "two orders with one use": (PERCENT, _shared_twice, "used_twice"),
    "more uses of a shared code than each may have": (
        PERCENT,
        lambda day: day.documents[PERCENT]["coupon"].update(per_shopper=0),
        "shopper_over_campaign_limit",
    ),
    "a claim that is no coupon": (
        SALE,
        _rename_order,
        "claim_mismatch",
    ),
    "another currency": (SALE, lambda day: _set(day.find("PART", SALE), currency="EUR"), "part_malformed"),
    "a negative discount": (SALE, lambda day: _set(day.find("PART", SALE), discount=-1), "part_malformed"),
    "an item that cannot be read": (
        SALE,
        lambda day: _set(day.find("FACTS", SALE), valid_until=None),
        "coupon_malformed",
    ),
    "a coupon without its reward": (
        SALE,
        lambda day: day.rewards.pop((_reward(day)["pk"]["S"], _reward(day)["sk"]["S"])),
        "reward_missing",
    ),
    "a reward without its coupon": (
        SALE,
        lambda day: _set(_reward(day), source="cpn_" + "x" * 20),
        "reward_without_coupon",
    ),
    "a reward for another coupon": (
        SALE,
        lambda day: _set(_reward(day), source=_other_coupon(day)),
        "reward_mismatch",
    ),
    "a reward delivered twice": (SALE, lambda day: _set(_reward(day), accepted=2), "delivered_twice"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(day: Day, fault: str) -> None:
    campaign_id, plant, code = FAULTS[fault]
    assert day.codes(campaign_id) == set()

    plant(day)

    assert code in day.codes(campaign_id)


def test_a_code_that_its_source_does_not_make_is_named_and_codes_nobody_asked_about_are_noted(day: Day) -> None:
    assert [each.code for each in day.audit(SALE, forged=["cpn_1"]).violations] == ["code_forged"]
    unasked = day.audit(SALE, forged=None)
    assert unasked.violations == []
    assert any("Codes were not held against" in note for note in unasked.notes)


def test_without_a_table_of_coupons_the_audit_says_that_they_were_left_out(day: Day) -> None:
    findings = audit_campaign(day, SALE, now_ms=lambda: day.now)

    assert findings.ok
    assert any("Coupons were not audited" in note for note in findings.notes)


# --- while it goes on -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("campaign_id", [SALE, GIFTS])
def test_a_coupon_that_the_index_does_not_show_yet_is_waited_for(day: Day, campaign_id: str) -> None:
    late = day.find("FACTS", campaign_id, lambda item: _idle(day, item))
    day.behind = [late]
    day.on_nap = day.behind.clear

    assert day.audit(campaign_id).violations == []
    assert day.naps > 0


def test_a_redemption_that_the_index_does_not_show_yet_is_read_from_the_table(day: Day) -> None:
    day.behind = [item for item in day.items if item["sk"]["S"].startswith("PART") and item["gpk"]["S"][:-2] != PERCENT]

    assert day.audit(SALE).violations == []


def test_a_use_that_was_given_back_between_two_reads_is_no_fault(day: Day) -> None:
    """The index still says that the order has it; the tables say that it was given up."""
    old = day.find("PART", SALE, lambda item: item["status"]["S"] == "locked" and _alive(day, item))
    new = copy.deepcopy(old)
    _set(new, status="released")
    day.drop("STATE", SALE, lambda item: item.get("use", {}).get("S") == "locked" and _held(day, item))
    day.items.remove(old)
    day.items.append(new)
    read_part = day.read_part

    def stale(campaign_id: str, part: int) -> Iterator[RawItem]:
        for item in read_part(campaign_id, part):
            yield old if item is new else item

    day.read_part = stale  # type: ignore[method-assign]
    assert day.audit(SALE).violations == []

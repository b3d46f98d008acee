"""`brandday fulfilments`, `approve` and `redrive` in front of the admin API, both real, with rewards in memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from brandday.connectors import CONNECTORS
from brandday.domain.layout import from_base64url, to_base64url
from brandday.domain.reward import Reward, RewardStatus
from brandday.domain.trail import TrailEntry
from brandday.entrypoints import admin, fulfilments
from brandday.entrypoints.http import build_app
from brandday.usecases.dead_letter_ports import QueueName
from brandday.usecases.operate_rewards import OperateRewards
from brandday.usecases.redrive_queues import RedriveQueues
from brandday.usecases.reward_ports import Page
from brandday_cli import redrive
from brandday_cli.failures import ExitCode
from brandday_cli.fulfilments import MOST_COUNTED
from tests.fakes.declarations import DURING, document
from tests.fakes.memory_rewards import MemoryRewards
from tests.fakes.plain_reward import plain_reward
from tests.fakes.reward_desk import MemoryOperatedQueue
from tests.functional.test_cli import ID, Shell
from tests.http_gateway import Gateway

FAILED = RewardStatus.FAILED
PENDING = RewardStatus.PENDING
HOUR = 3_600_000


class PagedRewards(MemoryRewards):
    """Rewards in memory whose cursors can be written in a URL, as those of the table can."""

    def in_status(
        self, campaign_id: str, status: RewardStatus, *, until: int | None = None, limit: int, after: str | None = None
    ) -> Page:
        """Return a page."""
        inner = None if after is None else from_base64url(after).decode()
        page = super().in_status(campaign_id, status, until=until, limit=limit, after=inner)
        return Page(page.rewards, page.next and to_base64url(page.next.encode()))


@dataclass
class Acts:
    """Acts on rewards, with who did them."""

    rewards: MemoryRewards
    applied_by: str = "somebody"
    done: list[tuple[str, str]] = field(default_factory=list)

    def save(self, before: Reward, after: Reward, entry: TrailEntry) -> bool:
        """Replace a reward and take note of the act."""
        saved = self.rewards.save(before, after)
        self.done += [(entry.act, before.id)] if saved else []
        return saved

    def has_done(self, campaign_id: str, who: str, act: str) -> bool:
        """Return whether this is who applied the campaign."""
        return campaign_id == ID and act == "apply" and who == self.applied_by


@dataclass
class Office(Shell):
    """A terminal with a campaign on sale, rewards of it, and dead letters."""

    rewards: PagedRewards = field(default_factory=PagedRewards)
    queues: dict[QueueName, MemoryOperatedQueue] = field(
        default_factory=lambda: {name: MemoryOperatedQueue() for name in QueueName}
    )
    rebuilt: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    applied_by: str = "somebody"

    def gateway(self) -> Any:
        """Return the API as a WSGI application: campaigns, and rewards."""
        acts = Acts(self.rewards, self.applied_by)
        operate = OperateRewards(self.rewards, acts, self.desk.campaigns, CONNECTORS, self.desk.clock, bytes)
        redrive_queues = RedriveQueues(
            self.queues, self.desk.campaigns, self.rewards, operate.redrive_failed, self.rebuild, self.desk.clock
        )
        partners: Any = None  # nobody reports here
        both = (
            (admin.ROUTES, self.desk.use_cases),
            (fulfilments.ROUTES, fulfilments.FulfilmentUseCases(operate, redrive_queues, partners)),
        )
        return Gateway(
            (route, build_app(routes, use_cases, now_ms=self.desk.clock, jitter=lambda: 0.0, write=lambda _: None))
            for routes, use_cases in both
            for route in routes
        )

    def rebuild(self, campaign_id: str, shards: Sequence[int]) -> int:
        """Make missing rewards: one in each shard."""
        self.rebuilt.append((campaign_id, tuple(shards)))
        return len(shards)

    def grant(self, serial: int, status: RewardStatus, **changes: Any) -> str:
        """Put a reward where it is; return its id."""
        owner, at = f"shopper{serial:05d}", DURING + serial
        granted = {"sku": "HERO-1", "status": status, "status_at": DURING, "time_limit_ms": HOUR}
        made = plain_reward(ID, owner, at, **(granted | changes))
        self.rewards.create(made)
        return made.id

    def status(self, reward: str) -> RewardStatus:
        """Return where a reward is."""
        return self.rewards.rewards[reward].status


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.ok("apply", "--yes", office.file(document()))
    office.ok("publish", ID)
    office.desk.clock.now = DURING + HOUR
    return office


# --- looking ---


def test_rewards_are_counted_by_status_and_those_that_may_need_somebody_are_listed(office: Office) -> None:
    failed = office.grant(1, FAILED, words="no such member", attempts=3, quantity=2)
    arrived = office.grant(2, RewardStatus.DELIVERED)
    said = office.ok("fulfilments", ID)
    assert "1 failed   1 delivered" in said
    line = next(line for line in said.splitlines() if failed in line)
    for words in ("digital", "2 HERO-1", "failed", "3", "no such member"):
        assert words in line
    assert arrived not in said
    assert arrived in office.ok("fulfilments", ID, "--status", "delivered")


def test_all_campaigns_that_were_on_sale_are_shown_if_none_is_named(office: Office) -> None:
    failed = office.grant(1, FAILED)
    office.ok("apply", "--yes", office.file(document(id="next-brand-day")))
    said = office.ok("fulfilments")
    assert failed in said
    assert "next-brand-day" not in said
    office.ok("end", "--yes", ID)
    assert failed in office.ok("fulfilments"), "what is ended may still have rewards on their way"


def test_a_campaign_without_rewards_says_so(office: Office) -> None:
    assert "no rewards" in office.ok("fulfilments", ID)
    assert "no rewards failed" in office.ok("fulfilments", ID, "--status", "failed")


def test_before_any_sale_there_is_nothing_to_hand_over(tmp_path: Path) -> None:
    assert "nothing to hand over" in Office(tmp_path).ok("fulfilments")


def test_many_rewards_are_counted_over_pages_and_the_list_is_cut(office: Office) -> None:
    for serial in range(230):
        office.grant(serial, FAILED)
    said = office.ok("fulfilments", ID, "--limit", "10")
    assert "230 failed" in said
    assert said.count("rwd_") == 10
    assert "--limit" in said
    (document,) = json.loads(office.ok("fulfilments", ID, "--json", "--status", "failed"))
    assert document["counts"] == {"failed": 230}
    assert len({reward["id"] for reward in document["fulfilments"]}) == 230


def test_what_has_arrived_is_counted_up_to_a_thousand(office: Office) -> None:
    for serial in range(MOST_COUNTED):
        office.grant(serial, RewardStatus.DELIVERED)
    assert "1,000 delivered" in office.ok("fulfilments", ID)
    office.grant(MOST_COUNTED, RewardStatus.DELIVERED)
    assert "1,000+ delivered" in office.ok("fulfilments", ID)


def test_one_reward_is_shown_with_what_to_do_next(office: Office) -> None:
    failed = office.grant(1, FAILED, words="no such member", reference="p-77")
    said = office.ok("fulfilment", failed)
    for words in ("no such member", "p-77", "shopper00001", f"brandday redrive {failed}"):
        assert words in said
    assert json.loads(office.ok("fulfilment", failed, "--json"))["status"] == "failed"


@pytest.mark.parametrize("wrong", ["rwd_shopper00001.mi000000.november-brand-day", "../queues", "nonsense"])
def test_an_unknown_reward_is_refused_with_advice(office: Office, wrong: str) -> None:
    result = office.run("fulfilment", wrong)
    assert result.exit_code == ExitCode.REFUSED
    assert "brandday fulfilments" in result.stderr


def test_an_unknown_campaign_is_refused_with_advice(office: Office) -> None:
    for wrong in ("nowhere", "a&status=failed"):
        result = office.run("fulfilments", wrong)
        assert result.exit_code == ExitCode.REFUSED
        assert "brandday list" in result.stderr


# --- approving ---


def test_a_second_person_lets_rewards_go(office: Office) -> None:
    waiting = [office.grant(serial, RewardStatus.AWAITING_APPROVAL) for serial in (1, 2)]
    said = office.ok("approve", "--yes", *waiting)
    assert said.count("is approved: pending now") == 2
    assert {office.status(reward) for reward in waiting} == {PENDING}


def test_approving_asks_first(office: Office) -> None:
    waiting = office.grant(1, RewardStatus.AWAITING_APPROVAL)
    result = office.run("approve", waiting)
    assert result.exit_code == ExitCode.USAGE
    assert "1 to approve" in result.stderr
    assert office.status(waiting) is RewardStatus.AWAITING_APPROVAL


def test_who_applied_the_campaign_may_not_approve_and_is_told_who_may(office: Office) -> None:
    office.applied_by = "shopper-1"  # the subject of the gateway's tokens
    waiting = office.grant(1, RewardStatus.AWAITING_APPROVAL)
    result = office.run("approve", "--yes", waiting)
    assert result.exit_code == ExitCode.REFUSED
    assert "second_person_required" in result.stderr
    assert "whoever applied the campaign may not" in result.stderr
    assert office.status(waiting) is RewardStatus.AWAITING_APPROVAL


def test_one_refusal_does_not_hold_up_the_others(office: Office) -> None:
    gone, waiting = office.grant(1, RewardStatus.DELIVERED), office.grant(2, RewardStatus.AWAITING_APPROVAL)
    result = office.run("approve", "--yes", "--json", gone, waiting)
    assert result.exit_code == ExitCode.REFUSED
    assert json.loads(result.stdout) == [
        {"id": gone, "refused": "reward_not_waiting", "changed": False},
        {"id": waiting, "status": "pending", "changed": True},
    ]


# --- redriving ---


def test_rewards_are_redriven_by_their_ids(office: Office) -> None:
    failed, back = office.grant(1, FAILED), office.grant(2, RewardStatus.RETURNED)
    assert "2 to send again" in office.ok("redrive", "--dry-run", failed, back)
    assert office.status(failed) is FAILED
    said = office.ok("redrive", "--yes", failed, back)
    assert said.count("is on its way again: pending now") == 2
    assert {office.status(failed), office.status(back)} == {PENDING}


def test_without_yes_it_shows_what_would_be_redriven_and_asks(office: Office) -> None:
    failed = office.grant(1, FAILED)
    for arguments in (["redrive", failed], ["redrive", "--campaign", ID], ["redrive", "--queue", "fulfilments"]):
        result = office.run(*arguments)
        assert result.exit_code == ExitCode.USAGE
        assert "send again" in result.stderr or "would be sent again" in result.stderr
        assert "--yes" in result.stderr
    assert office.status(failed) is FAILED


def test_a_campaigns_failed_rewards_are_redriven_page_by_page(office: Office) -> None:
    failed = [office.grant(serial, FAILED) for serial in range(redrive.PAGE * 2 + 5)]
    delivered = office.grant(999, RewardStatus.DELIVERED)
    planned = json.loads(office.ok("redrive", "--campaign", ID, "--dry-run", "--json"))
    assert (planned["redriven"], len(planned["rewards"]), planned["dry_run"]) == (205, 205, True)
    assert all(office.status(reward) is FAILED for reward in failed)
    assert "205 rewards are on their way again" in office.ok("redrive", "--campaign", ID, "--yes")
    assert all(office.status(reward) is PENDING for reward in failed)
    assert office.status(delivered) is RewardStatus.DELIVERED
    assert "nothing to redrive" in office.ok("redrive", "--campaign", ID, "--yes")


def test_dead_letters_of_holds_go_back_to_their_queue(office: Office) -> None:
    holds = office.queues[QueueName.HOLDS]
    for number in range(120):
        holds.bury(f"reminder {number}", DURING)
    assert "120 reminders of holds would go back" in office.ok("redrive", "--queue", "holds", "--dry-run")
    assert holds.back == []
    assert "120 reminders are back in their queue" in office.ok("redrive", "--queue", "holds", "--yes")
    assert len(holds.back) == 120


def test_what_the_stream_gave_up_is_made_again_from_the_shards(office: Office) -> None:
    office.queues[QueueName.STREAM].bury("a batch", DURING)
    dry = office.ok("redrive", "--queue", "stream", "--dry-run")
    assert "5 shards would be searched" in dry
    assert office.rebuilt == []
    assert "5 missing rewards were made" in office.ok("redrive", "--queue", "stream", "--yes")
    assert sorted(shard for _, shards in office.rebuilt for shard in shards) == list(range(5))


def test_dead_letters_of_rewards_that_failed_anew_stay_and_are_pointed_out(office: Office) -> None:
    office.queues[QueueName.FULFILMENTS].bury("not json", DURING)
    result = office.run("redrive", "--queue", "fulfilments", "--yes")
    assert result.exit_code == ExitCode.DONE
    assert "1 dead letters stay" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["rwd_x", "--queue", "holds"], ["--queue", "holds", "--campaign", ID]],
    ids=["nothing", "both", "a campaign's holds"],
)
def test_what_to_redrive_has_to_be_said(office: Office, arguments: list[str]) -> None:
    result = office.run("redrive", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert "→" in result.stderr

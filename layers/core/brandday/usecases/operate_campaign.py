"""What an operator does to a campaign: apply, publish, pause, resume, end, restock.

Every act is one conditional write that changes the campaign and adds to its audit trail, on condition that
nobody else acted meanwhile. Every act can be repeated: one that finds its work done changes nothing and
succeeds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from brandday.config.local_time import local_midnights
from brandday.config.mechanics import to_declaration
from brandday.domain.campaign import Campaign, Restock, State, Status
from brandday.domain.campaign_rules import check_changes, check_not_over, check_published, check_restock
from brandday.domain.code_words import CodeWord, check_words, words_of
from brandday.domain.coupon_code import SECRET_BYTES
from brandday.domain.errors import (
    CampaignConflict,
    CampaignNotFound,
    CampaignNotPublished,
    FieldError,
    RestockConflict,
    TemporarilyOverloaded,
    ValidationFailed,
)
from brandday.domain.fulfilment import Fulfilment
from brandday.domain.layout import SALT_BYTES, plan_layout, spread_restock
from brandday.domain.lottery_rules import changed_odds, check_can_start
from brandday.domain.lottery_state import freeze
from brandday.domain.luck import SEED_BYTES
from brandday.domain.shard import RecordChange, Refused, ShardWrite, restock_mark
from brandday.domain.times import to_rfc3339
from brandday.domain.trail import Change, TrailEntry, changes_between
from brandday.usecases.ports import Clock, Stock

_TRIES_TO_FINISH = 5


class CampaignStore(Protocol):
    """Campaigns with their audit trails, as operators need them."""

    def load(self, campaign_id: str, *, consistent: bool = False) -> tuple[Campaign, Mapping[str, str]]:
        """Return a campaign and the attributes of its summary; CampaignNotFound if there is none."""

    def save(self, campaign: Campaign, expected_version: int, entry: TrailEntry, *, seed: bytes | None = None) -> None:
        """Write the campaign and the entry, or neither: CampaignConflict if its version is another than
        expected.

        0 is expected of a campaign that does not exist yet. `seed` is given once, when a lottery is published.
        ValidationFailed if codes of a published campaign could not be told from those of another.
        """

    def deployment_salt(self, fresh: bytes) -> bytes:
        """Return the one salt of all campaigns; `fresh` becomes it if there is none yet."""

    def deployment_code_secret(self, fresh: bytes) -> bytes:
        """Return the one secret of all coupon codes; `fresh` becomes it if there is none yet."""

    def words(self) -> Sequence[CodeWord]:
        """Return the words of all published campaigns' codes, a moment old at most."""

    def list_ids(self) -> Sequence[str]:
        """Return the ids of all campaigns."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an act came to: the campaign after it and what it changed (nothing, if it was done before)."""

    campaign: Campaign
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class OperateCampaign:
    """The operator's acts. `who` is the token's subject throughout.

    `now` is in epoch milliseconds, `random_bytes` makes the salt and the ids of trail entries. `check_destinations`
    tells what of a fulfilment cannot work (`usecases/check_destinations.py`).
    """

    campaigns: CampaignStore
    stock: Stock
    now: Clock
    random_bytes: Callable[[int], bytes]
    check_destinations: Callable[[Fulfilment], Sequence[FieldError]]

    def show(self, campaign_id: str) -> Campaign:
        """The campaign as it is now; raises CampaignNotFound."""
        return self.campaigns.load(campaign_id, consistent=True)[0]

    def apply(
        self,
        declared: Campaign,
        who: str,
        *,
        publish: bool = False,
        dry_run: bool = False,
        expected_version: int | None = None,
    ) -> Act:
        """Make the campaign what is `declared`; `publish` also publishes a draft, in the same act.

        `dry_run` checks everything and writes nothing. `expected_version` is the one the operator has looked
        at (0: there was none): CampaignConflict if it has moved. Raises what `check_changes` does, and
        ValidationFailed if rewards could not be handed over as declared.
        """
        now = self.now()
        live = self._find(declared.id)
        version = 0 if live is None else live.version
        changes = changes_between(None if live is None else to_declaration(live), to_declaration(declared))
        publishes = publish and (live is None or live.status is Status.DRAFT)
        if live is not None and not changes and not publishes:
            return Act(live)
        if expected_version is not None and expected_version != version:
            raise CampaignConflict(version=version)
        if live is None:
            check_not_over(declared, now)
            after = replace(declared, applied_at=now)
        else:
            check_changes(live, declared, changes, now)
            after = _redeclared(live, declared, now)
        self._check_words(declared, now)
        self._check_brand_day(declared, now)
        # A partner who is down must not keep operators from changing something else.
        if live is None or publishes or declared.fulfilment != live.fulfilment:
            unreachable = self.check_destinations(declared.fulfilment)
            if unreachable:
                raise ValidationFailed(errors=unreachable)
        seed = None
        if publishes:
            # A dry run shows nothing of the salt and must not be what decides it.
            salt = self.random_bytes(SALT_BYTES) if dry_run else self._secrets(after)
            after, seed = self._published(after, salt, now)
            changes += (_status_change(Status.DRAFT, Status.PUBLISHED),)
        if dry_run:
            # What luck would be frozen is decided by the act itself: a seed of the dry run promises nothing.
            return Act(replace(after, luck=None if live is None else live.luck), changes)
        return self._save(after, version, who, "apply", changes + _luck_changes(live, after), now, seed)

    def publish(self, campaign_id: str, who: str) -> Act:
        """Freeze the draft's terms and layout (and a lottery's luck), and let the clock open the sale."""
        now = self.now()
        live = self.show(campaign_id)
        if live.status is not Status.DRAFT:
            check_published(live, now)
            return Act(live)
        check_not_over(live, now)
        self._check_words(live, now)
        self._check_brand_day(live, now)
        after, seed = self._published(live, self._secrets(live), now)
        return self._move(live, after, who, "publish", now, seed)

    def pause(self, campaign_id: str, who: str) -> Act:
        """Stop the sale until it is resumed; holds stay, and can be paid."""
        return self._switch(campaign_id, who, "pause", Status.PAUSED)

    def resume(self, campaign_id: str, who: str) -> Act:
        """Let a paused sale go on."""
        return self._switch(campaign_id, who, "resume", Status.PUBLISHED)

    def end(self, campaign_id: str, who: str) -> Act:
        """Close the campaign for good; holds stay, and can be paid until they expire.

        A lottery that is ended early keeps all that was promised. Entries count up to the end, which is now; nobody
        enters afterwards. An instant win opens its seed a minute later, as it would have at its declared end, and
        the receipt has the entries there are: units and winning moments that were still to come are won by nobody. A
        scheduled draw still takes place at its declared time, with its declared beacon, over the entries so far:
        an operator who could choose the time of the draw could choose who enters it.
        """
        now = self.now()
        live = self.show(campaign_id)
        match live.state_at(now):
            case State.DRAFT:
                raise CampaignNotPublished
            case State.ENDED:
                return Act(live)
            case _:
                return self._move(live, replace(live, status=Status.ENDED, ended_at=now), who, "end", now)

    def restock(self, campaign_id: str, restock_id: str, sku_id: str, quantity: int, who: str) -> Act:
        """Put `quantity` more units of `sku_id` on sale, once per `restock_id` however often it is asked.

        First the restock is recorded, then each shard gets its part in a write that can happen only once,
        then the restock is marked done. Stopped anywhere in between, the same request takes up what is left.
        Raises RestockConflict if the id stands for another restock, and what `check_restock` does.
        """
        now = self.now()
        live = self.show(campaign_id)
        known = live.restock(restock_id)
        act = Act(live)
        if known is None:
            check_published(live, now)
            check_restock(live, sku_id, quantity)
            known = Restock(restock_id, sku_id, quantity, now)
            after = replace(live, restocks=(*live.restocks, known))
            changes = (Change(("restocks", restock_id), None, {"sku": sku_id, "quantity": quantity}),)
            act = self._save(after, live.version, who, "restock", changes, now)
        if (known.sku, known.quantity) != (sku_id, quantity):
            raise RestockConflict(restock_id=restock_id)
        if known.done:
            return act
        self._add_units(act.campaign, known)
        return replace(act, campaign=self._finish(campaign_id, restock_id, who))

    def _add_units(self, campaign: Campaign, restock: Restock) -> None:
        layout = campaign.layout
        if layout is None:
            raise CampaignNotPublished
        slot = layout.slots[restock.sku]
        mark = restock_mark(slot, restock.id)
        for shard, units in spread_restock(restock.quantity, layout.shards, restock.id).items():
            written = self.stock.write(
                campaign.id,
                ShardWrite(
                    shard=shard,
                    changes=(RecordChange(name=mark, before=None, after=str(units)),),
                    free={slot: units},
                    capacity={slot: layout.capacity(slot, shard)},
                ),
            )
            if isinstance(written, Refused) and mark not in written.image.records:
                raise TemporarilyOverloaded

    def _finish(self, campaign_id: str, restock_id: str, who: str) -> Campaign:
        """Mark the restock done, whatever else operators do meanwhile."""
        for tries_left in reversed(range(_TRIES_TO_FINISH)):
            now = self.now()
            live = self.show(campaign_id)
            restocks = tuple(
                replace(restock, done=True) if restock.id == restock_id else restock for restock in live.restocks
            )
            if restocks == live.restocks:
                return live
            changes = (Change(("restocks", restock_id, "done"), False, True),)
            try:
                after = replace(live, restocks=restocks)
                return self._save(after, live.version, who, "finish_restock", changes, now).campaign
            except CampaignConflict:
                if tries_left == 0:
                    raise
        raise AssertionError("unreachable")

    def _find(self, campaign_id: str) -> Campaign | None:
        try:
            return self.show(campaign_id)
        except CampaignNotFound:
            return None

    def _secrets(self, draft: Campaign) -> bytes:
        """See to what all campaigns of a deployment share, and return the salt.

        A shopper has one name in the whole deployment, and so one list of rewards. All codes are made with one secret;
        it is there before any campaign that has codes is published.
        """
        if draft.coupon is not None:
            self.campaigns.deployment_code_secret(self.random_bytes(SECRET_BYTES))
        return self.campaigns.deployment_salt(self.random_bytes(SALT_BYTES))

    def _check_words(self, declared: Campaign, now: int) -> None:
        """Raise ValidationFailed if codes could not be told from those of another campaign.

        Two campaigns with the same word cannot be published at the same moment either: see `CampaignStore.save`.
        """
        if words_of(declared):
            check_words(declared, self.campaigns.words(), now)

    def _check_brand_day(self, declared: Campaign, now: int) -> None:
        """Raise ValidationFailed if a limit counts otherwise than in a campaign it shares its counts with.

        Two campaigns that are declared in the same moment do not see each other; the one that is published later does.
        """
        if declared.protection is None or declared.protection.brand_day is None:
            return
        from brandday.domain.protection_freezes import other_counts  # most campaigns have no use for it

        others = (self.campaigns.load(campaign_id)[0] for campaign_id in self.campaigns.list_ids())
        going_on = (other for other in others if other.state_at(now) is not State.ENDED)
        errors = [
            FieldError(place, "refused", {"reason": reason}) for place, reason in other_counts(declared, going_on)
        ]
        if errors:
            raise ValidationFailed(errors=errors)

    def _switch(self, campaign_id: str, who: str, act: str, status: Status) -> Act:
        now = self.now()
        live = self.show(campaign_id)
        check_published(live, now)
        if live.status is status:
            return Act(live)
        return self._move(live, replace(live, status=status), who, act, now)

    def _published(self, draft: Campaign, salt: bytes, now: int) -> tuple[Campaign, bytes | None]:
        """The draft, published, and the seed if it is a lottery."""
        layout = plan_layout(draft.skus, salt)
        published = replace(draft, status=Status.PUBLISHED, layout=layout, published_at=now)
        if draft.lottery is None:
            return published, None
        # Nobody can enter before the seed's hash can be seen.
        window = max(draft.starts_at, now), draft.ends_at
        days = local_midnights(*window, draft.time_zone)
        check_can_start(draft.lottery, window, days)
        seed = self.random_bytes(SEED_BYTES)
        luck = freeze(
            draft.lottery,
            draft.id,
            window,
            days,
            layout.shards,
            seed=seed,
            entry_salt=self.random_bytes(SALT_BYTES),
        )
        return replace(published, luck=luck), seed

    def _move(self, live: Campaign, after: Campaign, who: str, act: str, now: int, seed: bytes | None = None) -> Act:
        changes = (_status_change(live.status, after.status), *_luck_changes(live, after))
        return self._save(after, live.version, who, act, changes, now, seed)

    def _save(
        self,
        after: Campaign,
        version: int,
        who: str,
        act: str,
        changes: tuple[Change, ...],
        now: int,
        seed: bytes | None = None,
    ) -> Act:
        saved = replace(after, version=version + 1)
        entry = TrailEntry(self.random_bytes(6).hex(), now, who, act, saved.version, changes)
        self.campaigns.save(saved, version, entry, seed=seed)
        return Act(saved, changes)


def _redeclared(live: Campaign, declared: Campaign, now: int) -> Campaign:
    """What is declared, with what has become of the live campaign."""
    luck = live.luck
    if luck is not None and live.lottery is not None and declared.lottery is not None:
        odds = changed_odds(live.lottery, declared.lottery)
        luck = luck.with_odds(odds, live.lottery, now) if odds else luck
    return replace(
        declared,
        status=live.status,
        version=live.version,
        layout=live.layout,
        luck=luck,
        restocks=live.restocks,
        applied_at=now,
        published_at=live.published_at,
        ended_at=live.ended_at,
    )


def _luck_changes(live: Campaign | None, after: Campaign) -> tuple[Change, ...]:
    """What a lottery has promised anew: the commitment to its seed, and the version of its odds."""
    old, new = _promises(live), _promises(after)
    return tuple(Change(path, old.get(path), of) for path, of in new.items() if old.get(path) != of)


def _promises(campaign: Campaign | None) -> dict[tuple[str, ...], Any]:
    if campaign is None or campaign.lottery is None or campaign.luck is None:
        return {}
    frozen, table = campaign.luck.frozen, campaign.luck.tables[-1]
    return {
        ("commitment",): frozen.commitment,
        ("table", "version"): table.version,
        ("table", "hash"): table.hash(campaign.lottery, frozen),
        ("table", "in_force_from"): to_rfc3339(table.since),
    }


def _status_change(before: Status, after: Status) -> Change:
    return Change(("status",), str(before), str(after))

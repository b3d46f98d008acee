"""What codes are: told apart by their text where that is possible, and only then looked up.

A guess has to be a shared code (they are public), or begin like the codes of a partner, or have our keyed check
characters. All others are dismissed from memory; of random guesses all but one in 30,000. What has got by is looked up
by the id that follows from the code.

Somebody else's coupon and none are the same answer after the same calls: one look-up of all ids, and, if it is known
who asks, a look at that shopper's own claims. That look is needed anyway. A coupon exists from the claim on, and
is written down by a reader of the stream a moment later; who uses it at once is served from the claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from brandday.domain.code_words import DAY_MS, CodeWords
from brandday.domain.coupon_code import CodeKeys, coupon_id, fold, is_ours
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.errors import CampaignNotFound, TemporarilyOverloaded
from brandday.domain.layout import home_shard
from brandday.domain.shard import CONFIRMED
from brandday.usecases.claim_units import read_claims
from brandday.usecases.coupon_facts import facts_of_claim
from brandday.usecases.coupon_ports import Coupons, Found, SharedCode, StoredCoupon, Words
from brandday.usecases.live_campaigns import REFRESH_MS, LiveCampaigns
from brandday.usecases.ports import Clock, Stock

CODE_TEXT = re.compile(r"[0-9A-Z]{4,40}")
"""What every code looks like once it is folded."""

UNWRITTEN_MS = DAY_MS
"""How long a coupon may be used without being written down: as long as the stream keeps its records."""


class LiveCodes:
    """Resolves codes; one instance serves an execution environment, and remembers the words for a second."""

    def __init__(self, words: Words, coupons: Coupons, campaigns: LiveCampaigns, stock: Stock, now: Clock) -> None:
        self._store = words
        self._coupons = coupons
        self._campaigns = campaigns
        self._stock = stock
        self._now = now
        self._keys: CodeKeys | None = None
        self._words: CodeWords = CodeWords()
        self._looked_at: int | None = None

    def keys(self) -> CodeKeys:
        """The deployment's keys, read once; TemporarilyOverloaded if the first publication is not seen yet."""
        if self._keys is None:
            self._look()
        if self._keys is None:
            raise TemporarilyOverloaded
        return self._keys

    def shared(self, folded: str) -> str | None:
        """The campaign that has this shared code."""
        return self._look()[0].shared.get(folded)

    def imported(self, folded: str) -> str | None:
        """The campaign whose imported codes begin like this one."""
        return self._look()[0].imported(folded)

    def resolve(self, owner: str | None, codes: Sequence[str], *, consistent: bool = False) -> tuple[Found | None, ...]:
        """What each of the codes is for a shopper: see `coupon_ports.Codes`."""
        words, keys = self._look()
        folded = [fold(code) for code in codes]
        ids = {} if keys is None else {code: coupon_id(keys, code) for code in folded if _may_be(words, keys, code)}
        found = self._coupons.load(list(ids.values()), consistent=consistent) if ids else {}
        mine = {code: found[at] for code, at in ids.items() if at in found and found[at].facts.owner in (None, owner)}
        strange = [code for code in ids if code not in mine]
        if keys is not None and owner is not None and strange:
            mine |= self._written_down(self._just_taken(keys, words, owner), strange)
        return tuple(
            SharedCode(words.shared[code], code) if code in words.shared else mine.get(code) for code in folded
        )

    def own(self, owner: str, coupon_id: str) -> CouponFacts | None:
        """A shopper's own coupon with this id; None if there is no such one. One that was taken a moment ago is written
        down first: who scans it has to find it.
        """
        stored = self._coupons.load([coupon_id], consistent=False).get(coupon_id)
        if stored is not None:
            return stored.facts if stored.facts.owner == owner else None
        words, keys = self._look()
        if keys is None:
            return None
        taken = [one for one in self._just_taken(keys, words, owner) if one.id == coupon_id]
        self._coupons.put_facts(taken)
        return taken[0] if taken else None

    def _written_down(self, taken: Iterable[CouponFacts], codes: Sequence[str]) -> dict[str, StoredCoupon]:
        """Those of the codes that are coupons just taken, by code. Their facts are written first, so that no
        coupon is ever used that nobody could look up.
        """
        facts = [one for one in taken if one.code in codes]
        if not facts:
            return {}
        self._coupons.put_facts(facts)
        found = self._coupons.load([one.id for one in facts], consistent=True)
        return {coupon.facts.code: coupon for coupon in found.values()}

    def _just_taken(self, keys: CodeKeys, words: CodeWords, owner: str) -> Iterator[CouponFacts]:
        """The coupons of all of a shopper's claims, whether they are written down or not."""
        now = self._now()
        for campaign_id, until in words.taken.items():
            if until + UNWRITTEN_MS <= now:
                continue
            try:
                live = self._campaigns.get(campaign_id)
            except CampaignNotFound:  # a replica that is behind
                continue
            (home,) = self._stock.read(campaign_id, (home_shard(owner, live.layout.shards),), consistent=True)
            for shard, entry in read_claims(self._stock, campaign_id, home, owner):
                if entry.state == CONFIRMED:
                    yield facts_of_claim(keys, live.campaign, owner, shard, entry.attempt)

    def _look(self) -> tuple[CodeWords, CodeKeys | None]:
        """The words as of the last second, and the keys, which never change once they are there."""
        now = self._now()
        if self._looked_at is None or now - self._looked_at >= REFRESH_MS:
            self._words = CodeWords.of(self._store.words())
            if self._keys is None:
                secret = self._store.code_secret()
                self._keys = None if secret is None else CodeKeys.from_secret(secret)
            self._looked_at = now
        return self._words, self._keys


def _may_be(words: CodeWords, keys: CodeKeys, code: str) -> bool:
    """Whether there can be a coupon with this code: what is not, needs no look-up."""
    if code in words.shared or CODE_TEXT.fullmatch(code) is None:
        return False
    return is_ours(keys, code) or words.imported(code) is not None

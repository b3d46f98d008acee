"""Every key string of our tables is built and taken apart here, and nowhere else."""

import hashlib
import zlib

from brandday.domain.shard import ATTEMPT_LENGTH, to_base36

CONFIG = "CONFIG"
SUMMARY = "SUMMARY"
CAMPAIGN_INDEX = "CAMPAIGNS"
BREAKER = "BREAKER"
DEPLOYMENT = "DEPLOYMENT"
SALT = "SALT"
CODES = "CODES"
"""CampaignTable pk of all public words of codes, and the sk of the secret behind all codes."""

ISSUED = "ISSUED"
COUPON_JOB = "JOB#"
"""What every sk of a job begins with."""

REWARD_INDEX = "by_status"
CAMPAIGN_COPIES = 4
"""How many copies of CONFIG and SUMMARY there are: as many times what one partition can read (docs/decisions/0011)."""

STATUS_PARTS = 16
"""Over how many keys of the index a campaign's rewards are spread: as many times what one partition can write."""

CASE_PARTS = 16
"""Over how many keys a campaign's cases are spread."""

GUARD = "-"
"""GuardTable sk of all that is alone under its pk."""

COUPON_OWNER_INDEX = "by_owner"
COUPON_CAMPAIGN_INDEX = "by_campaign"
COUPON_FACTS = "FACTS"
COUPON_STATE = "STATE"
PART_PREFIX = "PART#"
_MOMENT_LENGTH = 13


def shard_key(campaign_id: str, shard: int) -> str:
    """StockTable pk of one shard."""
    return f"{campaign_id}#{shard}"


def parse_shard_key(key: str) -> tuple[str, int]:
    """The campaign and the shard number of a StockTable pk; ValueError if it is not one."""
    campaign_id, separator, shard = key.rpartition("#")
    if not separator or not campaign_id or not shard.isdecimal():
        raise ValueError(f"{key!r} is not the key of a shard")
    return campaign_id, int(shard)


def campaign_key(campaign_id: str, copy: int = 0) -> str:
    """CampaignTable pk under which one copy of a campaign's CONFIG and SUMMARY items lie side by side.

    Copy 0 is what operators look at and what conditions are about; the others are for environments to read.
    """
    return f"CAMPAIGN#{campaign_id}#{copy}" if copy else f"CAMPAIGN#{campaign_id}"


def summary_key(campaign_id: str) -> str:
    """CampaignTable pk of the per-shard summary items."""
    return f"SUMMARY#{campaign_id}"


def summary_group_key(group: int) -> str:
    """CampaignTable sk of summary item number `group`; padded, so that a query returns them in order."""
    return f"{group:05d}"


def refusals_key(campaign_id: str) -> str:
    """CampaignTable pk of the counts of refusals; not with CONFIG, which every environment reads each second."""
    return f"REFUSALS#{campaign_id}"


def refusals_part_key(part: int) -> str:
    """CampaignTable sk of one part of the counts; environments spread over the parts."""
    return str(part)


def entry_counts_key(campaign_id: str) -> str:
    """CampaignTable pk of the counts of a lottery's entries."""
    return f"ENTRIES#{campaign_id}"


def entry_counts_part_key(part: int) -> str:
    """CampaignTable sk of one part of the counts."""
    return str(part)


def seed_key(campaign_id: str) -> str:
    """CampaignTable pk of a lottery's seed; not with CONFIG, which everybody who shows a campaign reads."""
    return f"SEED#{campaign_id}"


def code_word_key(kind: str, text: str) -> str:
    """CampaignTable sk of a public word of codes; of a kind no two campaigns have the same."""
    return f"{kind}#{text}"


def parse_code_word_key(key: str) -> tuple[str, str]:
    """The kind and the text of a word's sk."""
    kind, _, text = key.partition("#")
    return kind, text


def coupon_jobs_key(campaign_id: str) -> str:
    """CampaignTable pk of the jobs that make a campaign's coupons, and of what they are counted with (ISSUED)."""
    return f"COUPONS#{campaign_id}"


def coupon_job_key(name: str) -> str:
    """CampaignTable sk of one job."""
    return f"{COUPON_JOB}{name}"


def draw_key(campaign_id: str) -> str:
    """CampaignTable pk of what was sealed and drawn; the sk is the name of the part."""
    return f"DRAW#{campaign_id}"


def draw_count_key(what: str) -> str:
    """CampaignTable sk of how many of something are done in a draw; no part's name begins like this."""
    return f"count#{what}"


def trail_key(campaign_id: str) -> str:
    """CampaignTable pk of a campaign's audit trail."""
    return f"TRAIL#{campaign_id}"


def trail_entry_key(at: str, entry_id: str) -> str:
    """CampaignTable sk of one act: its RFC 3339 time first, so that a query returns the acts in order."""
    return f"{at}#{entry_id}"


def parse_trail_entry_key(key: str) -> tuple[str, str]:
    """The time and the id of a trail entry's sk."""
    at, _, entry_id = key.partition("#")
    return at, entry_id


def bucket_key(campaign_id: str, bucket: str) -> str:
    """EntryTable pk of the entrants whose names begin with `bucket`; sk is the name."""
    return f"{campaign_id}#{bucket}"


def parse_bucket_key(key: str) -> tuple[str, str]:
    """The campaign and the bucket of an EntryTable pk; ValueError if it is not one."""
    campaign_id, separator, bucket = key.partition("#")
    if not separator or not campaign_id or not bucket:
        raise ValueError(f"{key!r} is not the key of a bucket")
    return campaign_id, bucket


def breaker_key(destination: str) -> str:
    """RewardTable pk of a destination's circuit breaker; a hash, as a URL is long and nobody's business."""
    return f"{BREAKER}#{hashlib.sha256(destination.encode()).hexdigest()[:32]}"


def reward_sort_key(at: int, campaign_id: str) -> str:
    """RewardTable sk of a shopper's reward, of which pk is the owner; `at` (epoch ms) first: in order of time."""
    return f"{to_base36(at, ATTEMPT_LENGTH)}.{campaign_id}"


def parse_reward_sort_key(key: str) -> tuple[int, str]:
    """The moment and the campaign of a reward's sk; ValueError if it is not one."""
    at, separator, campaign_id = key.partition(".")
    if not separator or not campaign_id or len(at) != ATTEMPT_LENGTH:
        raise ValueError(f"{key!r} is not the key of a reward")
    return int(at, 36), campaign_id


def status_part(owner: str) -> int:
    """Which of the STATUS_PARTS the rewards of a shopper are in."""
    return zlib.crc32(owner.encode()) % STATUS_PARTS


def status_key(campaign_id: str, part: int) -> str:
    """RewardTable gpk of one part of a campaign's rewards."""
    return f"{campaign_id}#{part}"


def status_sort_key(status: str, status_at: int, sort_key: str, *, owes: bool = False) -> str:
    """RewardTable gsk: by status and, in it, by time (epoch ms); those that owe units are apart."""
    return f"{status_prefix(status, owes=owes)}{status_at:013d}#{sort_key}"


def status_prefix(status: str, *, owes: bool = False) -> str:
    """What every gsk of a status begins with."""
    return f"{status}{'!' if owes else ''}#"


def status_range(prefix: str, until: int | None) -> tuple[str, str]:
    """The first and the last gsk with this prefix that can be of a time up to `until` (epoch ms)."""
    return prefix, f"{prefix}~" if until is None else f"{prefix}{until:013d}#~"


def part_key(number: int) -> str:
    """CouponTable sk of a redemption's part, of which pk is the redemption; padded, so that they come in order."""
    return f"{PART_PREFIX}{number:02d}"


def parse_part_key(key: str) -> int:
    """The number of a part's sk; ValueError if it is not one."""
    number = key.removeprefix(PART_PREFIX)
    if number == key or not number.isdecimal():
        raise ValueError(f"{key!r} is not the key of a part")
    return int(number)


def coupon_group(key: str, parts: int) -> int:
    """Which of the parts of its campaign an item of CouponTable is in, by its pk."""
    return zlib.crc32(key.encode()) % parts


def coupon_group_key(campaign_id: str, part: int) -> str:
    """CouponTable gpk of one part of a campaign's coupons and redemptions."""
    return f"{campaign_id}#{part}"


def coupon_group_sort_key(key: str, sort_key: str) -> str:
    """CouponTable gsk of an item: its kind, then its pk and sk, neither of which has a `#` before the kind's."""
    return f"{sort_key.partition('#')[0]}#{key}#{sort_key}"


def parse_coupon_group_sort_key(key: str) -> tuple[str, str]:
    """The pk and the sk of a gsk; ValueError if it is not one."""
    kind, _, rest = key.partition("#")
    pk, _, sort_key = rest.partition("#")
    if not pk or sort_key.partition("#")[0] != kind or kind not in (COUPON_FACTS, COUPON_STATE, PART_PREFIX[:-1]):
        raise ValueError(f"{key!r} is not the key of a coupon in its campaign")
    return pk, sort_key


def owner_sort_key(issued_at: int, coupon_id: str) -> str:
    """CouponTable gsk_owner of a coupon, of which gpk_owner is the owner: in order of time (epoch ms)."""
    return f"{issued_at:013d}#{coupon_id}"


def parse_owner_sort_key(key: str) -> tuple[int, str]:
    """The time and the coupon of a gsk_owner; ValueError if it is not one."""
    at, _, coupon_id = key.partition("#")
    if len(at) != _MOMENT_LENGTH or not at.isdecimal() or not at.isascii() or not coupon_id:
        raise ValueError(f"{key!r} is not the key of a coupon of an owner")
    return int(at), coupon_id


def tally_key(scope: str, limit: str, mark: str) -> str:
    """GuardTable pk of what one mark has taken of one limit on wins."""
    return f"TALLY#{scope}#{limit}#{mark}"


def activity_key(scope: str, kind: str, mark: str) -> str:
    """GuardTable pk of how often, and by how many shoppers, was tried what has this mark."""
    return f"ACTIVITY#{scope}#{kind}#{mark}"


def listing_key(kind: str, mark: str) -> str:
    """GuardTable pk of the lists' entry about one mark."""
    return f"LISTED#{kind}#{mark}"


def listings_key() -> str:
    """GuardTable pk under which all listings lie side by side, for operators to page through."""
    return "LISTINGS"


def listing_place(kind: str, mark: str) -> str:
    """GuardTable sk of a listing under that pk."""
    return f"{kind}#{mark}"


def parse_listing_place(key: str) -> tuple[str, str]:
    """The kind and the mark of such an sk; ValueError if it is not one."""
    kind, separator, mark = key.partition("#")
    if not separator or not kind or not mark:
        raise ValueError(f"{key!r} is not the place of a listing")
    return kind, mark


def case_key(campaign_id: str, reference: str) -> str:
    """GuardTable pk of one of the CASE_PARTS of a campaign's cases; the sk is the reference."""
    return cases_key(campaign_id, zlib.crc32(reference.encode()) % CASE_PARTS)


def cases_key(campaign_id: str, part: int) -> str:
    """GuardTable pk of one part of a campaign's cases."""
    return f"CASES#{campaign_id}#{part}"


def backoff_key(kind: str, mark: str) -> str:
    """GuardTable pk of the wrong guesses of one mark."""
    return f"BACKOFF#{kind}#{mark}"

"""Every key string of both tables is built and taken apart here, and nowhere else."""

STOCK_KEY = "pk"
CAMPAIGN_KEYS = ("pk", "sk")

CONFIG = "CONFIG"
SUMMARY = "SUMMARY"
CAMPAIGN_INDEX = "CAMPAIGNS"
DEPLOYMENT = "DEPLOYMENT"
SALT = "SALT"


def shard_key(campaign_id: str, shard: int) -> str:
    """StockTable pk of one shard."""
    return f"{campaign_id}#{shard}"


def parse_shard_key(key: str) -> tuple[str, int]:
    """The campaign and the shard number of a StockTable pk; ValueError if it is not one."""
    campaign_id, separator, shard = key.rpartition("#")
    if not separator or not campaign_id or not shard.isdecimal():
        raise ValueError(f"{key!r} is not the key of a shard")
    return campaign_id, int(shard)


def campaign_key(campaign_id: str) -> str:
    """CampaignTable pk under which a campaign's CONFIG and SUMMARY items lie side by side."""
    return f"CAMPAIGN#{campaign_id}"


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

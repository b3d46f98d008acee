"""Reward ids: they say where the reward is, so that no lookup table is needed.

The form is ``rwd_<owner>.<attempt>.<campaign>``: a shopper's attempts in a campaign strictly increase, so it is unique.
An id is no secret and gives no right: a shopper's token has to hash to the owner in it.
"""

import re

from brandday.domain.shard import ATTEMPT_LENGTH, NAME_LENGTH, to_base36

_PREFIX = "rwd_"
_FORM = re.compile(
    rf"{_PREFIX}([A-Za-z0-9_-]{{{NAME_LENGTH}}})\.([0-9a-z]{{{ATTEMPT_LENGTH}}})\.([a-z0-9][a-z0-9-]{{2,39}})"
)


def reward_id(owner: str, at: int, campaign_id: str) -> str:
    """Return the id of the reward for a shopper's claim (or play) of the moment `at`, in epoch milliseconds."""
    return f"{_PREFIX}{owner}.{to_base36(at, ATTEMPT_LENGTH)}.{campaign_id}"


def parse_reward_id(text: str) -> tuple[str, int, str] | None:
    """Return owner, moment and campaign id, or None if `text` cannot be an id we gave out."""
    match = _FORM.fullmatch(text)
    return None if match is None else (match[1], int(match[2], 36), match[3])

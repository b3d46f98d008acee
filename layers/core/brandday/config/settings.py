"""What the environment tells a function: the only module that reads environment variables.

They are read when asked for, not at import, so that a test or a tool can import anything without setting
anything.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


class SettingMissing(LookupError):
    """A function was started without a variable that it cannot do without."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of the tables and the queue, and how long to wait for the database.

    `hold_queue_url` is empty for functions that send no messages.
    """

    stock_table: str
    campaign_table: str
    hold_queue_url: str = ""
    database_timeout_ms: int = 900

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raises SettingMissing or ValueError naming the variable."""
        env = os.environ if environ is None else environ
        return cls(
            stock_table=_required(env, "STOCK_TABLE"),
            campaign_table=_required(env, "CAMPAIGN_TABLE"),
            hold_queue_url=env.get("HOLD_QUEUE_URL", ""),
            database_timeout_ms=_milliseconds(env, "DATABASE_TIMEOUT_MS", default=900),
        )


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise SettingMissing(f"environment variable {name} is not set")
    return value


def _milliseconds(env: Mapping[str, str], name: str, *, default: int) -> int:
    text = env.get(name, "") or str(default)
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"environment variable {name} must be a whole number of milliseconds, not {text!r}")
    return int(text)

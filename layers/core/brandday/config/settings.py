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


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How connectors may deliver: how long to wait for an answer, who e-mail is from ("" for nobody), and whether
    webhooks may lead to private addresses.
    """

    timeout_ms: int = 10_000
    email_sender: str = ""
    allow_private: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raises ValueError naming the variable."""
        env = os.environ if environ is None else environ
        return cls(
            timeout_ms=_milliseconds(env, "DELIVERY_TIMEOUT_MS", default=10_000),
            email_sender=env.get("EMAIL_SENDER", ""),
            allow_private=_one_of(env, "PRIVATE_DESTINATIONS", ("refuse", "allow")) == "allow",
        )


@dataclass(frozen=True, slots=True)
class RewardSettings:
    """What the functions of rewards need besides: their table, the key of addresses, all queues."""

    reward_table: str
    address_key_id: str
    fulfilment_queue_url: str
    fulfilment_dead_letter_queue_url: str
    hold_dead_letter_queue_url: str
    stream_dead_letter_queue_url: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raises SettingMissing naming the variable."""
        env = os.environ if environ is None else environ
        return cls(
            reward_table=_required(env, "REWARD_TABLE"),
            address_key_id=_required(env, "ADDRESS_KEY_ID"),
            fulfilment_queue_url=_required(env, "FULFILMENT_QUEUE_URL"),
            fulfilment_dead_letter_queue_url=_required(env, "FULFILMENT_DEAD_LETTER_QUEUE_URL"),
            hold_dead_letter_queue_url=_required(env, "HOLD_DEAD_LETTER_QUEUE_URL"),
            stream_dead_letter_queue_url=_required(env, "STREAM_DEAD_LETTER_QUEUE_URL"),
        )


@dataclass(frozen=True, slots=True)
class LotterySettings:
    """What the functions of lotteries need besides: the table of entries."""

    entry_table: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raises SettingMissing naming the variable."""
        env = os.environ if environ is None else environ
        return cls(entry_table=_required(env, "ENTRY_TABLE"))


@dataclass(frozen=True, slots=True)
class CouponSettings:
    """What the functions of coupons need besides: the table of coupons."""

    coupon_table: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raises SettingMissing naming the variable."""
        env = os.environ if environ is None else environ
        return cls(coupon_table=_required(env, "COUPON_TABLE"))


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What the gates of protected campaigns need besides: their table and the names of their secrets.

    `shop_signals_secret` is "" where the shop signs no signals of its own, `edge_secret` where there is no edge.
    """

    guard_table: str
    mark_secret: str
    pass_secret: str
    shop_signals_secret: str = ""
    edge_secret: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raises SettingMissing naming the variable."""
        env = os.environ if environ is None else environ
        return cls(
            guard_table=_required(env, "GUARD_TABLE"),
            mark_secret=_required(env, "MARK_SECRET"),
            pass_secret=_required(env, "PASS_SECRET"),
            shop_signals_secret=env.get("SHOP_SIGNALS_SECRET", ""),
            edge_secret=env.get("EDGE_SECRET", ""),
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


def _one_of(env: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    text = env.get(name, "") or allowed[0]
    if text not in allowed:
        raise ValueError(f"environment variable {name} must be one of {', '.join(allowed)}, not {text!r}")
    return text

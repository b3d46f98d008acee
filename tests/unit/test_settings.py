"""What functions read from their environment, what clients they make of it, and the keys they use."""

import pytest

from brandday.adapters import aws, keys
from brandday.config.settings import (
    CouponSettings,
    DeliverySettings,
    LotterySettings,
    RewardSettings,
    SettingMissing,
    Settings,
)

TABLES = {"STOCK_TABLE": "stock", "CAMPAIGN_TABLE": "campaigns"}
REWARDS = {
    "REWARD_TABLE": "rewards",
    "ADDRESS_KEY_ID": "key-1",
    "FULFILMENT_QUEUE_URL": "https://fulfilments",
    "FULFILMENT_DEAD_LETTER_QUEUE_URL": "https://fulfilments-dead",
    "HOLD_DEAD_LETTER_QUEUE_URL": "https://holds-dead",
    "STREAM_DEAD_LETTER_QUEUE_URL": "https://stream-dead",
}


def test_settings_come_from_the_environment() -> None:
    env = {**TABLES, "HOLD_QUEUE_URL": "https://queue", "DATABASE_TIMEOUT_MS": "250"}
    assert Settings.from_env(env) == Settings("stock", "campaigns", "https://queue", 250)
    assert Settings.from_env(TABLES) == Settings("stock", "campaigns", "", 900)


@pytest.mark.parametrize("name", sorted(TABLES))
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_table_that_is_not_named_is_said_by_its_variable(name: str, value: str | None) -> None:
    env = {key: text for key, text in TABLES.items() if key != name} | ({} if value is None else {name: value})
    with pytest.raises(SettingMissing, match=name):
        Settings.from_env(env)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "soon", "٣x"])
def test_a_timeout_that_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_TIMEOUT_MS"):
        Settings.from_env({**TABLES, "DATABASE_TIMEOUT_MS": text})


def test_settings_of_rewards_come_from_the_environment() -> None:
    assert RewardSettings.from_env(REWARDS) == RewardSettings(
        "rewards",
        "key-1",
        "https://fulfilments",
        "https://fulfilments-dead",
        "https://holds-dead",
        "https://stream-dead",
    )


@pytest.mark.parametrize("name", sorted(REWARDS))
def test_what_rewards_cannot_do_without_is_said_by_its_variable(name: str) -> None:
    with pytest.raises(SettingMissing, match=f" {name} "):
        RewardSettings.from_env(REWARDS | {name: ""})


def test_lotteries_need_their_table() -> None:
    assert LotterySettings.from_env({"ENTRY_TABLE": "entries"}) == LotterySettings("entries")
    with pytest.raises(SettingMissing, match="ENTRY_TABLE"):
        LotterySettings.from_env({})


def test_what_coupons_need_is_read_only_by_those_who_ask() -> None:
    assert CouponSettings.from_env({"COUPON_TABLE": "coupons"}) == CouponSettings("coupons")
    with pytest.raises(SettingMissing, match="COUPON_TABLE"):
        CouponSettings.from_env({})


def test_deliveries_are_careful_unless_told_otherwise() -> None:
    assert DeliverySettings.from_env({}) == DeliverySettings(10_000, "", allow_private=False)
    told = {"DELIVERY_TIMEOUT_MS": "500", "EMAIL_SENDER": "shop@example.com", "PRIVATE_DESTINATIONS": "allow"}
    assert DeliverySettings.from_env(told) == DeliverySettings(500, "shop@example.com", allow_private=True)


@pytest.mark.parametrize(
    ("name", "text"), [("DELIVERY_TIMEOUT_MS", "0"), ("DELIVERY_TIMEOUT_MS", "10s"), ("PRIVATE_DESTINATIONS", "yes")]
)
def test_a_delivery_setting_that_makes_no_sense_is_said_by_its_variable(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        DeliverySettings.from_env({name: text})


def test_clients_give_up_in_time_and_never_repeat_a_call() -> None:
    for client in (aws.dynamodb_client(250), aws.sqs_client(250)):
        config = client.meta.config
        assert config.connect_timeout + config.read_timeout == pytest.approx(0.25)  # type: ignore[attr-defined]
        assert config.retries["total_max_attempts"] == 1  # type: ignore[attr-defined]
        client.close()


@pytest.mark.parametrize("campaign", ["abc", "november-brand-day"])
@pytest.mark.parametrize("shard", [0, 33_333])
def test_the_key_of_a_shard_can_be_taken_apart(campaign: str, shard: int) -> None:
    assert keys.parse_shard_key(keys.shard_key(campaign, shard)) == (campaign, shard)


@pytest.mark.parametrize("key", ["", "#", "abc", "abc#", "#1", "abc#x", "abc#-1"])
def test_what_is_no_key_of_a_shard_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not the key of a shard"):
        keys.parse_shard_key(key)


def test_summary_groups_sort_by_their_number() -> None:
    made = [keys.summary_group_key(group) for group in (0, 1, 9, 10, 99, 130)]
    assert made == sorted(made)

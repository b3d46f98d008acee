"""The functions of rewards: from what was won or paid for to what a partner has taken."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from brandday.adapters import aws
from brandday.adapters.clock import now_ms
from brandday.bootstrap.environment import TablesWithRewards, each_at_once, secrets_of, start
from brandday.config.settings import DeliverySettings, RewardSettings, Settings

if TYPE_CHECKING:
    from brandday.bootstrap.environment import Handler, Tables
    from brandday.connectors.port import Tools

QUEUE_PATIENCE_MS = 2000
"""How much longer an operator's look at a queue may take than one at the database."""


def tools_of(tables: Tables) -> Tools:
    """What connectors look and send through."""
    from brandday.adapters.http_post import HttpPost
    from brandday.adapters.outgoing_aws import OutgoingAws
    from brandday.connectors.port import Tools

    settings = DeliverySettings.from_env()
    timeout = settings.timeout_ms
    return Tools(
        http=HttpPost(allow_private=settings.allow_private),
        aws=OutgoingAws(lambda region: aws.sqs_client(timeout, region), lambda: aws.ses_client(timeout)),
        secrets=secrets_of(tables),
        timeout_ms=timeout,
        email_sender=settings.email_sender,
        allow_private=settings.allow_private,
    )


@start
def rewards() -> Handler:
    """Return the handler of shoppers' rewards."""
    from brandday.adapters.address_cipher import AddressCipher
    from brandday.entrypoints.http import build_app
    from brandday.entrypoints.rewards import ROUTES, RewardUseCases
    from brandday.usecases.manage_rewards import ManageRewards, Owners

    tables = TablesWithRewards()
    manage = ManageRewards(
        tables.rewards,
        tables.live(),
        Owners(tables.campaigns.known_salt),
        AddressCipher(aws.kms_client(tables.settings.database_timeout_ms), tables.reward_settings.address_key_id),
        now_ms,
    )
    use_cases = RewardUseCases(list_rewards=manage.list, get_reward=manage.get, give_address=manage.give_address)
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@start
def fulfilments() -> Handler:
    """Return the handler of partners' reports and of what operators do about rewards."""
    from brandday.adapters.clock import random_bytes
    from brandday.adapters.queue_admin import QueueAdmin
    from brandday.adapters.reward_acts import RewardActs
    from brandday.bootstrap.lottery_functions import issue_wins
    from brandday.connectors import CONNECTORS
    from brandday.entrypoints.fulfilments import ROUTES, FulfilmentUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.dead_letter_ports import QueueName
    from brandday.usecases.issue_rewards import IssueRewards, RebuildRewards
    from brandday.usecases.issue_wins import RebuildWins
    from brandday.usecases.operate_rewards import OperateRewards
    from brandday.usecases.rebuild_campaign import RebuildCampaign
    from brandday.usecases.redrive_queues import RedriveQueues
    from brandday.usecases.take_reports import TakeReports

    tables = TablesWithRewards()
    settings, stored = tables.reward_settings, tables.rewards
    # Looking for dead letters asks all of SQS's servers and may wait a second for that.
    sqs = aws.sqs_client(tables.settings.database_timeout_ms + QUEUE_PATIENCE_MS)
    live = tables.live()
    operate = OperateRewards(
        stored,
        RewardActs(tables.client, settings.reward_table, tables.settings.campaign_table),
        tables.campaigns,
        CONNECTORS,
        now_ms,
        random_bytes,
    )
    redrive = RedriveQueues(
        queues={
            QueueName.HOLDS: QueueAdmin(sqs, tables.settings.hold_queue_url, settings.hold_dead_letter_queue_url),
            QueueName.FULFILMENTS: QueueAdmin(
                sqs, settings.fulfilment_queue_url, settings.fulfilment_dead_letter_queue_url
            ),
            QueueName.STREAM: QueueAdmin(sqs, "", settings.stream_dead_letter_queue_url),
        },
        campaigns=tables.campaigns,
        rewards=stored,
        redrive_failed=operate.redrive_failed,
        rebuild=RebuildCampaign(
            live,
            RebuildRewards(IssueRewards(live, stored, now_ms, book=tables.coupon_book(live)), tables.stock),
            RebuildWins(live, issue_wins(tables, live), tables.entries),
        ),
        now=now_ms,
    )
    reports = TakeReports(stored, live, secrets_of(tables), CONNECTORS, now_ms)
    use_cases = FulfilmentUseCases(operate, redrive, reports)
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@start
def reward_issuer() -> Handler:
    """Return the handler of StockTable's stream that makes rewards of sales."""
    from brandday.adapters.stock_stream import read_change
    from brandday.entrypoints.on_stock_changed import build_handler
    from brandday.usecases.issue_rewards import IssueRewards

    tables = TablesWithRewards()
    live = tables.live()
    issue = IssueRewards(live, tables.rewards, now_ms, each=each_at_once(), book=tables.coupon_book(live))
    return build_handler(issue, read_change, done="issued")


@start
def reward_dispatcher() -> Handler:
    """Return the handler of RewardTable's stream."""
    from brandday.adapters.fulfilment_queue import FulfilmentQueue
    from brandday.adapters.reward_stream import read_reward_change
    from brandday.entrypoints.on_reward_changed import build_handler
    from brandday.usecases.dispatch_rewards import DispatchRewards

    settings = Settings.from_env()
    queue = FulfilmentQueue(
        aws.sqs_client(settings.database_timeout_ms), RewardSettings.from_env().fulfilment_queue_url
    )
    return build_handler(DispatchRewards(queue), read_reward_change)


@start
def fulfilment_worker() -> Handler:
    """Return the handler of FulfilmentQueue."""
    import uuid

    from brandday.adapters.address_cipher import AddressCipher
    from brandday.adapters.breaker_table import BreakerTable
    from brandday.adapters.dead_letters import DeadLetters
    from brandday.adapters.fulfilment_queue import FulfilmentQueue, read_dispatch
    from brandday.connectors import CONNECTORS
    from brandday.entrypoints.on_fulfilment_due import build_handler
    from brandday.usecases.circuit_breakers import CircuitBreakers
    from brandday.usecases.deliver_rewards import DeliverRewards

    tables = TablesWithRewards()
    settings, timeout = tables.reward_settings, tables.settings.database_timeout_ms
    sqs = aws.sqs_client(timeout)
    dead_letters = DeadLetters(sqs, settings.fulfilment_dead_letter_queue_url)
    deliver = DeliverRewards(
        rewards=tables.rewards,
        campaigns=tables.live(),
        connectors=CONNECTORS,
        tools=tools_of(tables),
        cipher=AddressCipher(aws.kms_client(timeout), settings.address_key_id),
        breakers=CircuitBreakers(BreakerTable(tables.client, settings.reward_table), now_ms),
        dead_letters=dead_letters,
        now=now_ms,
        jitter=random.random,
        new_holder=lambda: uuid.uuid4().hex,
    )
    queue = FulfilmentQueue(sqs, settings.fulfilment_queue_url)
    return build_handler(deliver, queue, dead_letters, read_dispatch)


@start
def reward_sweeper() -> Handler:
    """Return the handler of the reward sweeper's schedule."""
    from brandday.entrypoints.on_reward_sweep_due import build_handler
    from brandday.usecases.settle_entries import Records, ReturnPrizes
    from brandday.usecases.sweep_rewards import SweepRewards

    tables = TablesWithRewards()
    live = tables.live()
    return_prize = ReturnPrizes(Records(tables.entries, tables.stock))
    return build_handler(SweepRewards(live, tables.campaigns, tables.rewards, tables.stock, now_ms, return_prize))

"""Operators who publish the first campaigns of a deployment at the same moment agree on one salt."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier

from brandday.adapters.campaign_table import CampaignTable
from brandday.domain.layout import SALT_BYTES
from tests.engines import Tables

PUBLISHERS = 8
ROUNDS = 5

type Decide = Callable[[CampaignTable, bytes, Barrier], bytes]


def _at_once(tables: Tables, decide: Decide) -> set[bytes]:
    """Let everybody bring a salt of their own to an empty table; return what they go away with."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(tables.engine.client())) for _ in range(PUBLISHERS)]
        stores = [CampaignTable(client, tables.campaign) for client in clients]
        ready = Barrier(PUBLISHERS)
        pool = stack.enter_context(ThreadPoolExecutor(PUBLISHERS))
        found = pool.map(lambda at: decide(stores[at], bytes([at]) * SALT_BYTES, ready), range(PUBLISHERS))
        decided = set(found)
        assert stores[0].known_salt() in decided
        clients[0].delete_item(TableName=tables.campaign, Key={"pk": {"S": "DEPLOYMENT"}, "sk": {"S": "SALT"}})
    return decided


def _ours(store: CampaignTable, fresh: bytes, ready: Barrier) -> bytes:
    ready.wait()
    return store.deployment_salt(fresh)


def _look_then_put(store: CampaignTable, fresh: bytes, ready: Barrier) -> bytes:
    known = store.known_salt()
    ready.wait()
    if known is None:
        store.deployment_salt(fresh)
        return fresh
    return known


def test_all_who_publish_first_agree_on_one_salt(fresh_tables: Tables) -> None:
    for _ in range(ROUNDS):
        assert len(_at_once(fresh_tables, _ours)) == 1


def test_who_looks_first_and_then_trusts_its_own_would_not_agree(fresh_tables: Tables) -> None:
    """The negative control."""
    assert len(_at_once(fresh_tables, _look_then_put)) > 1

"""Environments that ask at the same time, on real engines: a limit on attempts holds over all of them together.

A note is one write that adds up in the database and answers with the sum, so whoever comes too late sees it. Threads
are enough here: what races is in the database, and each thread has an environment and connections of its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Barrier

from brandday.adapters.guard_table import GuardTable
from brandday.domain.activity import Activity, ActivityKey, Note
from brandday.domain.errors import RateLimited
from brandday.domain.signals import SignalKind
from brandday.usecases.admission import Admission
from brandday.usecases.open_case import OpenCase
from tests.engines import Engine, table_in
from tests.fakes.backend import SALE, web_shopper
from tests.fakes.gate_world import BY_DEVICE, GateWorld, OneKey, mark, protection, read_signals, visit

ENVIRONMENTS = 4
TIMES = 6
"""How often each environment is asked, by another shopper every time."""

MOST = 18
"""Not a multiple of the environments, or the limit would be reached between two rounds."""


class Blind(GuardTable):
    """Notes like the real one, but answers what was there before: as if the gate looked first and then trusted that."""

    def note(self, key: ActivityKey, note: Note) -> Activity:
        """Add an attempt; return what was seen without it."""
        before = self.look({}, [key], 0).activity[key]
        super().note(key, note)
        return before


def rush(engine: Engine, kind: type[GuardTable]) -> tuple[int, int]:
    """Let environments ask in lockstep; return how many were let in, and how many are counted then."""
    demanded = protection(replace(BY_DEVICE, most=MOST))
    world = GateWorld(demanded)
    live = world.environment().live
    with table_in(engine, "GuardTable") as table, ExitStack() as stack:
        ready = Barrier(ENVIRONMENTS)
        clients = [stack.enter_context(closing(engine.client())) for _ in range(ENVIRONMENTS)]

        def environment(number: int) -> int:
            visits = kind(clients[number], table.name)
            gate = Admission(visits, OpenCase(visits, OneKey(), world.clock), read_signals, OneKey(), world.clock)
            let_in = 0
            for time in range(TIMES):
                ready.wait(30)
                try:
                    gate.admit(live, demanded, web_shopper(f"bot-{number}-{time}"), visit("farm"))
                except RateLimited:
                    continue
                let_in += 1
            return let_in

        with ThreadPoolExecutor(ENVIRONMENTS) as pool:
            let_in = sum(pool.map(environment, range(ENVIRONMENTS)))
        key = ActivityKey(SALE, SignalKind.DEVICE, mark(SignalKind.DEVICE, "farm"))
        kept = GuardTable(clients[0], table.name).look({}, [key], world.clock())
        return let_in, kept.activity[key].estimate(demanded.limits[0], world.clock())


def test_a_limit_on_attempts_holds_over_all_environments(engine: Engine) -> None:
    let_in, counted = rush(engine, GuardTable)
    assert let_in == MOST
    assert MOST <= counted < MOST + ENVIRONMENTS, "who looked at the same moment is counted, and nobody else"


def test_who_looks_and_then_trusts_what_it_saw_would_let_in_more(engine: Engine) -> None:
    """The negative control."""
    assert any(rush(engine, Blind)[0] > MOST for _ in range(5))

"""A breaker opens after failures in a row, lets one probe through at a time, and forgets all when that gets through."""

from brandday.domain.breaker import Breaker, BreakerRules, Gate, failed, gate, probe, succeeded, wait_ms
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.circuit_breakers import REMEMBER_MS, CircuitBreakers, Permit, Wait
from tests.fakes.clock import SettableClock
from tests.fakes.memory_breakers import MemoryBreakers
from tests.fakes.tap import Tap, tapped

RULES = BreakerRules()
NOW = 1_000_000


def _fail(breaker: Breaker, times: int, *, now: int = NOW) -> Breaker:
    for _ in range(times):
        breaker = failed(breaker, now, RULES, probing=False) or breaker
    return breaker


def test_it_opens_with_the_fifth_failure_in_a_row_for_half_a_minute() -> None:
    nearly = _fail(Breaker(), 4)
    opened = _fail(nearly, 1)

    assert gate(nearly, NOW) is Gate.PASS
    assert (gate(opened, NOW), wait_ms(opened, NOW)) == (Gate.WAIT, 30_000)
    assert (gate(opened, NOW + 29_999), gate(opened, NOW + 30_000)) == (Gate.WAIT, Gate.PROBE)


def test_one_answer_in_between_begins_the_count_anew() -> None:
    recovered = succeeded(_fail(Breaker(version=7), 4))

    assert recovered == Breaker(version=7)
    assert succeeded(Breaker(version=7)) is None
    assert gate(_fail(recovered, 4), NOW) is Gate.PASS


def test_a_probe_that_fails_keeps_it_open_twice_as_long_up_to_ten_minutes() -> None:
    breaker, now, waits = _fail(Breaker(), 5), NOW, []
    for _ in range(8):
        waits.append(wait_ms(breaker, now))
        now += waits[-1]
        probing = probe(breaker, now, RULES)
        assert probing is not None
        again = failed(probing, now, RULES, probing=True)
        assert again is not None
        breaker = again

    assert waits == [30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000]


def test_while_a_probe_is_out_all_others_wait_until_it_is_overdue() -> None:
    later = NOW + 30_000
    probing = probe(_fail(Breaker(), 5), later, RULES)

    assert probing is not None
    assert gate(probing, later) is Gate.WAIT
    assert probe(probing, later, RULES) is None
    assert gate(probing, later + RULES.probe_ms) is Gate.PROBE


def test_failures_of_deliveries_that_began_before_it_opened_change_nothing() -> None:
    opened = _fail(Breaker(), 5)

    assert failed(opened, NOW + 10_000, RULES, probing=False) is None
    assert succeeded(opened) == Breaker()  # but an answer is an answer


def _open(store: MemoryBreakers, clock: SettableClock) -> None:
    environment = CircuitBreakers(store, clock)
    for _ in range(RULES.failures):
        permit = environment.ask("partner")
        assert isinstance(permit, Permit)
        environment.tell("partner", permit, is_down=True)


def test_all_environments_share_it_and_learn_of_it_within_two_seconds() -> None:
    store, clock = MemoryBreakers(), SettableClock(NOW)
    other = CircuitBreakers(store, clock)
    assert other.ask("partner") == Permit()
    _open(store, clock)

    clock.advance(REMEMBER_MS - 1)
    assert other.ask("partner") == Permit()
    clock.advance(1)
    assert other.ask("partner") == Wait(30_000 - REMEMBER_MS)
    assert other.ask("somebody else") == Permit()


def test_failures_of_several_environments_add_up() -> None:
    store, clock = MemoryBreakers(), SettableClock(NOW)
    for _ in range(RULES.failures):
        environment = CircuitBreakers(store, clock)
        environment.tell("partner", Permit(), is_down=True)

    assert isinstance(CircuitBreakers(store, clock).ask("partner"), Wait)


def test_of_many_who_want_to_probe_one_may() -> None:
    store, clock = MemoryBreakers(), SettableClock(NOW)
    _open(store, clock)
    environments = [CircuitBreakers(store, clock) for _ in range(10)]
    for environment in environments:
        environment.ask("partner")
    clock.advance(30_000)

    answers = [environment.ask("partner") for environment in environments]

    assert answers.count(Permit(probing=True)) == 1
    assert all(isinstance(answer, Wait) and answer.wait_ms > 0 for answer in answers if answer != Permit(probing=True))


def test_a_race_for_the_probe_is_lost_by_the_write() -> None:
    store, clock, tap = MemoryBreakers(), SettableClock(NOW), Tap()
    _open(store, clock)
    clock.advance(30_000)
    slow, fast = CircuitBreakers(tapped(store, "breakers", tap), clock), CircuitBreakers(store, clock)
    won: list[Permit | Wait] = []
    tap.before = lambda name: won.append(fast.ask("partner")) if name == "breakers.save" and not won else None

    assert slow.ask("partner") == Wait(REMEMBER_MS)
    assert won == [Permit(probing=True)]


def test_a_probe_that_gets_through_closes_it_for_everybody() -> None:
    store, clock = MemoryBreakers(), SettableClock(NOW)
    _open(store, clock)
    clock.advance(30_000)
    prober = CircuitBreakers(store, clock)
    permit = prober.ask("partner")
    assert permit == Permit(probing=True)

    prober.tell("partner", Permit(probing=True), is_down=False)

    assert prober.ask("partner") == CircuitBreakers(store, clock).ask("partner") == Permit()


def test_in_good_times_it_costs_one_read_every_two_seconds_and_no_write() -> None:
    store, clock, tap = MemoryBreakers(), SettableClock(NOW), Tap()
    environment = CircuitBreakers(tapped(store, "breakers", tap), clock)
    for _ in range(100):
        environment.tell("partner", Permit(), is_down=False)
        assert environment.ask("partner") == Permit()
        clock.advance(100)

    assert tap.tally() == {"breakers.load": 5}


def test_a_count_that_a_busy_database_does_not_take_is_let_go() -> None:
    store, clock, tap = MemoryBreakers(), SettableClock(NOW), Tap()
    environment = CircuitBreakers(tapped(store, "breakers", tap), clock)

    def busy(_: str) -> None:
        raise TemporarilyOverloaded

    tap.before = busy
    environment.tell("partner", Permit(), is_down=True)
    tap.before = lambda _: None

    assert environment.ask("partner") == Permit()
    assert store.breakers == {}


def test_failures_between_successes_do_not_add_up_however_many_environments_there_are() -> None:
    # a partner who fails every fifth delivery; no environment meets two failures in a row
    store, clock = MemoryBreakers(), SettableClock(NOW)
    environments = [CircuitBreakers(store, clock) for _ in range(50)]
    for turn in range(10):
        for number, environment in enumerate(environments):
            permit = environment.ask("partner")
            assert isinstance(permit, Permit), f"left alone in turn {turn}"
            environment.tell("partner", permit, is_down=turn > 0 and (turn + number) % 5 == 0)
    # one who answers nobody is left alone soon after everybody has met it once
    for number in range(50 + RULES.failures):
        environments[number % 50].tell("partner", Permit(), is_down=True)
    assert isinstance(CircuitBreakers(store, clock).ask("partner"), Wait)

"""What is told of a sale adds up to what has become of its units, whatever was repeated."""

import json
from collections.abc import Mapping, Sequence

import pytest

from brandday.adapters.metrics import count, milliseconds
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.stock_moves import Moves, moves_between
from brandday.usecases.measure_stock import MeasureStock
from brandday.usecases.project_stock import ShardChanged
from tests.fakes.backend import HOLD_MS, OPENS, SALE, Backend, sale, sku


def _of_a_day(backend: Backend) -> list[ShardChanged]:
    """Everything the stream tells of it: claims held, paid, cancelled and expired."""
    environment = backend.environment()
    for who in ("ann", "bob", "cid", "dan"):
        made = environment.reserve(who).reservation
        if who == "ann":
            environment.confirm(made.id)
        elif who == "bob":
            environment.cancel(who, made.id)
        elif who == "cid":
            environment.extend(who, made.id)
    backend.clock.now = OPENS + 3 * HOLD_MS
    for shard in (0, 1):
        backend.expirer()(SALE, shard, backend.clock())
    return backend.stock.stream


def test_the_moves_of_a_sale_add_up_to_what_is_left_of_it() -> None:
    backend = Backend(sale(sku(stock=10), shards=2))
    total = Moves()
    for change in _of_a_day(backend):
        total = total.plus(moves_between(change.before, change.after))
    _, held, sold = backend.counts()
    assert total == Moves(held=4, sold=1, released=3)
    assert (total.held - total.released - total.sold, total.sold) == (held, sold) == (0, 1)


def test_what_failed_and_is_repeated_is_measured_once() -> None:
    changes = _of_a_day(Backend(sale(sku(stock=10), shards=2)))
    told: list[tuple[str, Mapping[str, int]]] = []
    failing = iter((True, False))

    def handle(_: Sequence[ShardChanged]) -> None:
        if next(failing):
            raise TemporarilyOverloaded

    measured = MeasureStock(handle, lambda counts, *, campaign_id: told.append((campaign_id, counts)))
    with pytest.raises(TemporarilyOverloaded):
        measured(changes)
    assert told == []
    measured(changes)
    assert told == [(SALE, {"UnitsHeld": 4, "UnitsSold": 1, "UnitsReleased": 3})]


def test_measurements_are_lines_that_cloudwatch_understands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "BrandDay")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "brandday")
    count({"UnitsSold": 3}, campaign_id="brand-day")
    milliseconds("HoldExpiryLag", 700)
    sold, lag = map(json.loads, capsys.readouterr().out.splitlines())
    assert (sold["UnitsSold"], sold["campaign"]) == ([3.0], "brand-day")
    directive = sold["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "BrandDay"
    assert directive["Metrics"] == [{"Name": "UnitsSold", "Unit": "Count"}]
    assert "campaign" in directive["Dimensions"][0]
    assert lag["HoldExpiryLag"] == [700.0]
    assert "campaign" not in lag

"""The beacon over real sockets: what a relay says is asked for with GET, in time, and believed only if it is signed."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from brandday.adapters.drand_beacon import DrandBeacon
from brandday.adapters.http_post import HttpPost
from brandday.connectors.port import AddressRefused, NoAnswer
from brandday.domain.beacon import CHAIN
from brandday.domain.lottery import Beacon
from brandday.usecases.draw_ports import RoundMissing
from tests.unit.test_drand import RANDOMNESS, ROUND, SIGNATURE

GENUINE = {"round": ROUND, "randomness": RANDOMNESS.hex(), "signature": SIGNATURE.hex()}


@contextmanager
def _relay(document: object, *, delay: float = 0) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps(document).encode()
            time.sleep(delay)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            del format, args

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_round_comes_from_whichever_relay_has_it() -> None:
    get = HttpPost(allow_private=True).get
    with _relay({"round": ROUND, "signature": "00"}) as (lying, _), _relay(GENUINE) as (honest, asked):
        beacon = DrandBeacon(get, ("http://127.0.0.1:1", lying, honest))
        assert beacon.fetch(Beacon(CHAIN, ROUND)).value == RANDOMNESS
        assert asked == [f"/{CHAIN}/public/{ROUND}"]
        with pytest.raises(RoundMissing, match=r"connection refused.*not the chain's"):
            DrandBeacon(get, ("http://127.0.0.1:1", lying)).fetch(Beacon(CHAIN, ROUND))


def test_a_relay_that_takes_its_time_is_left() -> None:
    with _relay(GENUINE, delay=1) as (slow, _):
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="time-out"):
            HttpPost(allow_private=True).get(slow, 200)
        assert time.monotonic() - began < 0.9


def test_deployments_ask_public_addresses_over_tls_only() -> None:
    with pytest.raises(AddressRefused):
        HttpPost().get("http://127.0.0.1:1/", 200)

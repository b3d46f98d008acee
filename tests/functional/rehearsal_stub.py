"""A small shop with the wire behaviour of the real one, honest or with one planted fault."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from brandday_cli.audit_rules import Findings, Pool
from brandday_cli.rehearsal_crowd import MintToken


def open_mint() -> MintToken:
    """Tokens of the stub: the subject in plain sight."""
    return lambda subject, scope, _claims: f"{subject}|{scope}"


def rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


class Refused(Exception):
    def __init__(self, status: int, code: str, retry_after_ms: int = 0) -> None:
        super().__init__(code)
        self.status, self.code, self.retry_after_ms = status, code, retry_after_ms


class StubShop:
    """One campaign, one SKU with 40 units, two per shopper; `fault` names what it does wrong."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.lock = threading.Lock()
        self.initial = 40
        self.free = self.initial
        self.reservations: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.starts_at = "2026-11-09T00:00:00+08:00"
        self.opens_at = 0.0
        self.ended: list[str] = []
        self.published: list[str] = []
        self.requests = 0
        self.reads_before_requests = 0

    # --- the admin API ---

    def declaration(self, campaign_id: str) -> dict[str, Any]:
        return {
            "id": campaign_id,
            "time_zone": "Asia/Shanghai",
            "starts_at": self.starts_at,
            "ends_at": "2099-11-12T00:00:00+08:00",
            "channels": ["app"],
            "hold_seconds": 600,
            "skus": [{"sku": "HERO", "stock": self.initial, "units_per_shopper": 2}],
        }

    def apply(self, declaration: Mapping[str, Any]) -> None:
        self.opens_at = datetime.fromisoformat(declaration["starts_at"]).timestamp()

    def publish(self, campaign_id: str) -> None:
        self.published.append(campaign_id)

    def end(self, campaign_id: str) -> None:
        self.ended.append(campaign_id)

    # --- the audit ---

    def findings(self, _campaign_id: str) -> Findings:
        with self.lock:
            units = {"held": 0, "confirmed": 0, "cancelled": 0}
            for reservation in self.reservations.values():
                units[reservation["state"]] += reservation["quantity"]
            pool = Pool("HERO", self.initial, 0, self.free, units["held"], units["confirmed"])
            balance = pool.free + pool.held + pool.sold - pool.initial
            return Findings([pool], oversold=max(0, balance), lost=max(0, -balance))

    # --- the shopper API ---

    def answer(self, method: str, path: str, token: str, key: str, body: dict[str, Any]) -> tuple[int, Any, bool]:
        with self.lock:
            if method == "GET":
                self.reads_before_requests += self.requests == 0
                raise Refused(404, "reservation_not_found")
            self.requests += 1
            subject = token.removeprefix("Bearer ").partition("|")[0]
            if self.fault == "refuses":
                raise Refused(403, "not_eligible")
            if self.fault == "fails" and self.requests % 10 == 0:
                raise Refused(500, "internal_error")
            if self.fault == "stumbles" and self.requests % 10 == 0:
                raise Refused(503, "temporarily_overloaded", 50)
            if path.endswith("/reservations"):
                return self._reserve(subject, key, body["quantity"])
            reservation = self.reservations[path.split("/")[3]]
            if method == "DELETE":
                if reservation["state"] == "held":
                    reservation["state"] = "cancelled"
                    self.free += reservation["quantity"]
                return 200, reservation, False
            return self._confirm(reservation)

    def _reserve(self, subject: str, key: str, quantity: int) -> tuple[int, Any, bool]:
        if time.time() < self.opens_at:
            raise Refused(409, "campaign_not_started", int(1000 * (self.opens_at - time.time())))
        if quantity > 2:
            raise Refused(409, "shopper_limit_reached")
        if key in self.keys and self.fault != "repeats":
            return 201, self.reservations[self.keys[key]], True
        mine = [r for r in self.reservations.values() if r["subject"] == subject and r["state"] == "held"]
        if mine and self.fault != "repeats":
            return 200, mine[0], False
        if self.free < quantity and self.fault != "oversells":
            if any(r["state"] == "held" for r in self.reservations.values()) and self.fault != "lies":
                raise Refused(409, "all_held", 100)
            raise Refused(409, "sold_out" if self.free == 0 or self.fault == "lies" else "all_held", 100)
        self.free = self.free - quantity if self.fault != "oversells" else max(0, self.free - quantity)
        made: dict[str, Any] = {
            "id": f"rsv_{len(self.reservations)}",
            "subject": subject,
            "quantity": quantity,
            "state": "held",
            "expires_at": rfc3339(time.time() + 600),
        }
        self.reservations[made["id"]] = made
        self.keys[key] = made["id"]
        return 201, made, False

    def _confirm(self, reservation: dict[str, Any]) -> tuple[int, Any, bool]:
        if reservation["state"] == "confirmed":
            return 200, reservation, True
        if self.fault == "forgets":
            return 200, {**reservation, "state": "confirmed"}, False
        reservation["state"] = "confirmed"
        return 200, reservation, False


@contextmanager
def serve(shop: StubShop) -> Iterator[str]:
    """Serve the shop on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            token, key = self.headers["Authorization"], self.headers.get("Idempotency-Key", "")
            try:
                status, document, replayed = shop.answer(self.command, self.path, token, key, body)
            except Refused as refused:
                status, replayed = refused.status, False
                document = {"code": refused.code, "retry_after_ms": refused.retry_after_ms}
            payload = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            if replayed:
                self.send_header("Idempotent-Replayed", "true")
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_DELETE = do_POST  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

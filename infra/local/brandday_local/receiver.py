"""A partner for one machine: takes signed webhooks (Standard Webhooks), shows what arrived, can misbehave on request.

    POST /webhook      where rewards are delivered; a repetition is told by its `webhook-id`
    GET  /             a page for people
    GET  /deliveries   the same as JSON: what was accepted, and how every arrival ended
    POST /faults       how to misbehave from now on: {"status500": 0.1, "refuse": ["rwd_..."], ...} (see Faults)

Every arrival is a line of `arrivals.jsonl` in the stack's folder. The signature is verified with code of its own: if it
shared a mistake with the sender, nobody would notice. https://github.com/standard-webhooks/standard-webhooks
"""

import base64
import binascii
import hashlib
import hmac
import html
import json
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from brandday_local.ports import LOOPBACK
from brandday_local.processes import Service
from brandday_local.servers import start_server

SECRET_VARIABLE = "RECEIVER_SECRET"  # noqa: S105 - the name, not the secret
ARRIVALS_FILE = "arrivals.jsonl"
TOLERANCE_SECONDS = 300
"""How old a message may be (the specification's advice)."""

MAX_BODY = 256 * 1024


@dataclass(frozen=True)
class Faults:
    """How to misbehave. Each share of arrivals (0 to 1) ends like that; what is refused is refused always.

    A hanging or lost answer may be to something that was taken: the sender cannot know. That is the hard case.
    """

    status500: float = 0.0
    status429: float = 0.0
    hang: float = 0.0
    """No answer for `hang_seconds`; every other one of them was taken nevertheless."""
    drop: float = 0.0
    """The connection is closed before anything is taken."""
    lose_answer: float = 0.0
    """It is taken, and the connection closed before the answer."""
    hang_seconds: float = 15.0
    refuse: frozenset[str] = frozenset()
    """Ids of deliveries that are refused for good (422)."""

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "Faults":
        """Read them from JSON; TypeError or ValueError for what is none."""
        given = {**document}
        refuse = frozenset(map(str, given.pop("refuse", ())))
        return cls(**{name: float(value) for name, value in given.items()}, refuse=refuse)

    def draw(self, chance: float) -> str:
        """Return what happens to an arrival, given a number from 0 to 1: a fault's name, or "" for none."""
        for name in ("status500", "status429", "hang", "drop", "lose_answer"):
            chance -= getattr(self, name)
            if chance < 0:
                return name
        return ""


@dataclass
class Book:
    """What arrived, in memory and in the file; safe under threads."""

    file: Path
    faults: Faults = field(default_factory=Faults)
    _accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    _outcomes: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, outcome: str, delivery_id: str, data: Mapping[str, Any] | None = None) -> None:
        """Write down how an arrival ended."""
        with self._lock:
            self._outcomes[outcome] += 1
            line = {"at": time.time(), "outcome": outcome, "delivery_id": delivery_id, "data": data}
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def take(self, delivery_id: str, data: Mapping[str, Any]) -> tuple[str, bool]:
        """Take a delivery unless it is here already; our name for it, and whether it was new."""
        with self._lock:
            known = self._accepted.get(delivery_id)
            if known is None:
                reference = f"PARTNER-{len(self._accepted) + 1:06d}"
                known = {"reference": reference, "at": time.time(), "repetitions": 0, "data": data}
                self._accepted[delivery_id] = known
                return reference, True
            known["repetitions"] += 1
            return str(known["reference"]), False

    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        with self._lock:
            accepted = [{"delivery_id": delivery_id, **known} for delivery_id, known in self._accepted.items()]
            return {"accepted": accepted, "outcomes": dict(self._outcomes)}


def is_signed(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether one of the secrets has signed this body, and lately."""
    delivery_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not delivery_id or not at.isdecimal() or abs(now - int(at)) > TOLERANCE_SECONDS:
        return False
    signed = b".".join((delivery_id.encode(), at.encode(), body))
    wanted = [base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)) for secret in secrets]
    given = [part.partition(",") for part in headers.get("webhook-signature", "").split(" ")]
    return any(
        hmac.compare_digest(signature.encode(), good)
        for version, _, signature in given
        if version == "v1"
        for good in wanted
    )


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("a secret that begins with whsec_ must go on in base64") from None


class Receiver(ThreadingHTTPServer):
    """The server; `secrets` are the ones it believes."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, book: Book, secrets: Sequence[str]) -> None:
        super().__init__((LOOPBACK, port), _Answer)
        self.book = book
        self.secrets = secrets


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        document = self.server.book.document()
        match self.path:
            case "/deliveries":
                self._send(200, document)
            case "/":
                self._send_page(page(document))
            case _:
                self._send(404, {"error": "not_found"})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self._send(413, {"error": "too_large"})
            return
        body = self.rfile.read(length)
        match self.path:
            case "/webhook":
                self._receive(body)
            case "/faults":
                self._misbehave(body)
            case _:
                self._send(404, {"error": "not_found"})

    def _misbehave(self, body: bytes) -> None:
        try:
            self.server.book.faults = Faults.parse(json.loads(body))
        except (TypeError, ValueError, AttributeError) as error:
            self._send(422, {"error": str(error)})
        else:
            self._send(200, asdict(self.server.book.faults) | {"refuse": sorted(self.server.book.faults.refuse)})

    def _receive(self, body: bytes) -> None:
        book, faults = self.server.book, self.server.book.faults
        headers = {name.lower(): value for name, value in self.headers.items()}
        delivery_id = headers.get("webhook-id", "")
        if not is_signed(self.server.secrets, headers, body, time.time()):
            book.note("bad_signature", delivery_id)
            self._send(401, {"error": "this is not signed with our secret"})
            return
        data = json.loads(body)["data"]
        fault = faults.draw(random.random())  # noqa: S311 - no secret
        if delivery_id in faults.refuse:
            book.note("refused", delivery_id, data)
            self._send(422, {"error": "we do not deliver this"})
        elif fault == "status500":
            book.note(fault, delivery_id)
            self._send(500, {"error": "something broke here"})
        elif fault == "status429":
            book.note(fault, delivery_id)
            self._send(429, {"error": "slower, please"}, {"Retry-After": "1"})
        elif fault == "drop":
            book.note(fault, delivery_id)
            self._drop()
        elif fault == "hang" and random.random() < 0.5:  # noqa: S311
            book.note(fault, delivery_id)
            time.sleep(faults.hang_seconds)
            self._drop()
        else:
            self._take(delivery_id, data, fault)

    def _take(self, delivery_id: str, data: Mapping[str, Any], fault: str) -> None:
        book = self.server.book
        reference, new = book.take(delivery_id, data)
        book.note(f"{'accepted' if new else 'repeated'}{fault and f', {fault}'}", delivery_id, data)
        if fault == "hang":
            time.sleep(book.faults.hang_seconds)
        if fault:
            self._drop()
        else:
            self._send(200, {"reference": reference, "repeated": not new})

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self._send_bytes(status, "application/json", json.dumps(document).encode(), headers or {})

    def _send_page(self, text: str) -> None:
        self._send_bytes(200, "text/html; charset=utf-8", text.encode(), {})

    def _send_bytes(self, status: int, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
        """Stay quiet: what matters is in the file of arrivals."""


def page(document: Mapping[str, Any]) -> str:
    """What arrived, for people: the newest first."""
    rows = "".join(
        f"<tr><td>{html.escape(each['delivery_id'])}<td>{html.escape(str(each['data'].get('kind', '')))}"
        f"<td>{html.escape(str(each['data'].get('sku', '')))}<td>{html.escape(str(each['data'].get('quantity', '')))}"
        f"<td>{time.strftime('%H:%M:%S', time.localtime(each['at']))}<td>{each['repetitions']}"
        f"<td><code>{html.escape(json.dumps(each['data'].get('address'), ensure_ascii=False))}</code>"
        for each in reversed(document["accepted"])
    )
    outcomes = ", ".join(f"{html.escape(name)}: {count}" for name, count in sorted(document["outcomes"].items()))
    return (
        "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=3><title>Partner</title>"
        "<style>body{font:15px system-ui;margin:2rem}td,th{padding:.3rem .8rem;text-align:left}"
        "tr:nth-child(even){background:#f4f4f4}</style>"
        f"<h1>What the partner received</h1><p>{len(document['accepted'])} accepted. {outcomes}</p>"
        "<table><tr><th>delivery<th>kind<th>SKU<th>units<th>at<th>repeated<th>address"
        f"{rows}</table>"
    )


def start(port: int, secret: str, folder: Path) -> Service:
    """Start the receiver under the guard; ServerDidNotStart if it does not answer."""
    return start_server(
        "the receiver",
        [sys.executable, "-m", "brandday_local.receiver", str(port), str(folder)],
        {**os.environ, SECRET_VARIABLE: secret},
        folder / "receiver.log",
        ready=f"http://{LOOPBACK}:{port}/deliveries",
    )


def new_secret() -> str:
    """A secret in Standard Webhooks' form."""
    return "whsec_" + base64.b64encode(os.urandom(24)).decode()


def main(arguments: Sequence[str]) -> None:
    """Serve until killed: `python -m brandday_local.receiver PORT FOLDER`."""
    port, folder = int(arguments[0]), Path(arguments[1])
    file = folder / ARRIVALS_FILE
    file.write_text("")  # the emulator forgets everything, too
    Receiver(port, Book(file), [os.environ[SECRET_VARIABLE]]).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])

"""A DynamoDB that answers from memory: what the real engine said to the same calls, byte for byte.

Served by a process of its own over a loopback socket, so that the measured process does all that a client does (sign,
send, receive, check, parse) and shares its processor with nothing that thinks.
"""

import multiprocessing
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from mypy_boto3_dynamodb import DynamoDBClient

LOOPBACK = "127.0.0.1"
_HEAD_ENDS = b"\r\n\r\n"
_TARGET = b"x-amz-target: "
_LENGTH = b"content-length: "

type Answers = dict[tuple[str, str], bytes]
"""(operation, a word of the request's body) -> a whole HTTP answer; the last one recorded counts."""


@dataclass
class Recorder:
    """Attached to a client, keeps what it was last asked and what it was answered, per operation and campaign."""

    campaigns: tuple[str, ...]
    answers: Answers = field(default_factory=dict)
    requests: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def attach(self, client: "DynamoDBClient") -> None:
        """Record every call of `client` from now on."""
        events = client.meta.events
        events.register("before-parameter-build.dynamodb", self._asked)
        events.register("before-parse.dynamodb", self._answered)

    def _asked(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        campaign = next((name for name in self.campaigns if name in str(params)), "")
        self.requests.pop((model.name, campaign), None)  # the one asked last is at the end
        self.requests[model.name, campaign] = params

    def _answered(self, response_dict: dict[str, Any], operation_model: Any, **_: Any) -> None:
        asked = [of for of in self.requests if of[0] == operation_model.name]
        body: bytes = response_dict["body"]
        head = "".join(
            f"{name}: {value}\r\n"
            for name, value in response_dict["headers"].items()
            if name.lower() not in ("content-length", "transfer-encoding", "connection")
        )
        status = f"HTTP/1.1 {response_dict['status_code']} OK\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        self.answers[asked[-1]] = status.encode() + body


@contextmanager
def serve(answers: Answers) -> Iterator[str]:
    """Answer like that, from another process, as long as the block runs; gives the endpoint's URL."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_listen, args=(answers, theirs), daemon=True)
    process.start()
    try:
        yield f"http://{LOOPBACK}:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _listen(answers: Answers, started: "Connection") -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        started.send(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_answer, args=(answers, connection), daemon=True).start()


def _answer(answers: Answers, connection: socket.socket) -> None:
    choices = [(operation.encode(), campaign.encode(), text) for (operation, campaign), text in answers.items()]
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        head, ended, body = received.partition(_HEAD_ENDS)
        if not ended or len(body) < int(_header(head, _LENGTH)):
            continue
        operation = _header(head, _TARGET).rpartition(b".")[2]
        connection.sendall(next(text for of, campaign, text in choices if of == operation and campaign in body))
        received = b""


def _header(head: bytes, name: bytes) -> bytes:
    at = head.lower().index(name) + len(name)
    return head[at:].partition(b"\r\n")[0]

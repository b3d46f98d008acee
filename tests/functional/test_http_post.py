"""Requests over real sockets: the answer comes in time, from the address that was looked at, or not at all.

Everything listens on this machine's loopback address, so these tests allow private addresses where a request is to get
through at all; names are resolved by a resolver that is handed in.
"""

import datetime
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from brandday.adapters.http_post import MAX_ANSWER_BYTES, HttpPost, resolve
from brandday.connectors.port import AddressRefused, HttpAnswer, NoAnswer

LIMIT_MS = 400
SLACK_SECONDS = 1.5
"""For a machine that is busy; who went by each byte alone would stay for the four seconds that a server trickles."""

type Behaviour = Callable[[socket.socket], None]


class Server:
    """Listens on a port of its own and treats each connection in a thread; `requests` is what it read."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            thread.start()
            self._threads.append(thread)

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        try:
            connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
        except OSError:
            plain.close()
            return
        with connection:
            try:
                self.requests.append(_read_request(connection))
                self._behaviour(connection)
            except OSError:
                pass  # the other side has gone, which is what is tested

    def close(self) -> None:
        # A listener that is closed while somebody waits in accept() keeps waiting: wake it up.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(6)


def _read_request(connection: socket.socket) -> bytes:
    read = b""
    while b"\r\n\r\n" not in read:
        more = connection.recv(65536)
        if not more:
            return read
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(behaviour, tls)
    try:
        yield server
    finally:
        server.close()


def sends(answer: bytes) -> Behaviour:
    return lambda connection: connection.sendall(answer)


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-One: 1\r\n\r\n{"id":"abc"}'


def trickles(*, head: bytes) -> Behaviour:
    """Send a byte every 50 ms, for as long as anybody listens."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(head)
        ends = time.monotonic() + 4
        while time.monotonic() < ends:
            connection.sendall(b"x")
            time.sleep(0.05)

    return behave


def hangs(connection: socket.socket) -> None:
    connection.recv(1)


def _post(port: int, http: HttpPost | None = None, *, host: str = "127.0.0.1", scheme: str = "http") -> HttpAnswer:
    sender = http or HttpPost(allow_private=True)
    return sender.post(f"{scheme}://{host}:{port}/a?b=c", {"X-Id": "1"}, b"body", timeout_ms=LIMIT_MS)


@contextmanager
def _within_the_limit() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < LIMIT_MS / 1000 + SLACK_SECONDS


def test_a_request_arrives_as_it_is_and_the_answer_comes_back() -> None:
    with serving(sends(OK)) as server:
        answer = _post(server.port)

    assert answer == HttpAnswer(200, {"content-length": "12", "x-one": "1"}, '{"id":"abc"}')
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in head
    assert b"\r\nX-Id: 1" in head
    assert body == b"body"


def test_a_server_that_says_nothing_is_left_in_time() -> None:
    with serving(hangs) as server, _within_the_limit(), pytest.raises(NoAnswer, match="time-out"):
        _post(server.port)


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "],
    ids=["status", "header", "after continue"],
)
def test_a_head_that_trickles_ends_too(head: bytes) -> None:
    with serving(trickles(head=head)) as server, _within_the_limit(), pytest.raises(NoAnswer, match="time-out"):
        _post(server.port)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 201 Created\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3E8\r\n",
    ],
    ids=["length", "until closed", "chunked"],
)
def test_a_body_that_trickles_ends_and_the_status_counts(head: bytes) -> None:
    with serving(trickles(head=head)) as server, _within_the_limit():
        answer = _post(server.port)
    assert answer.status == 201
    assert set(answer.body) == {"x"}


def test_of_a_huge_body_four_kilobytes_are_read() -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"y" * 65536)

    with serving(behave) as server, _within_the_limit():
        assert _post(server.port).body == "y" * MAX_ANSWER_BYTES


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "connection dropped"),
        (b"HTTP/1.1 2", "no HTTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"z" * 70_000 + b"\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "no HTTP"),
    ],
    ids=["dropped", "cut", "not http", "long header", "many headers"],
)
def test_what_is_no_answer_says_so(answer: bytes, words: str) -> None:
    with serving(sends(answer)) as server, pytest.raises(NoAnswer, match=words):
        _post(server.port)


def test_nobody_listens() -> None:
    with serving(sends(OK)) as server:
        pass
    with pytest.raises(NoAnswer, match="connection refused"):
        _post(server.port)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_followed_by_nobody(status: int) -> None:
    with serving(sends(OK)) as inside:
        redirect = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:{inside.port}/\r\nContent-Length: 0\r\n\r\n"
        with serving(sends(redirect.encode())) as server:
            assert _post(server.port).status == status
    assert inside.connections == 0


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(sends(b"HTTP/1.1 500 X\r\n\r\n")) as proxy, serving(sends(OK)) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setitem(os.environ, name, f"http://127.0.0.1:{proxy.port}")
        assert _post(server.port).status == 200
    assert proxy.connections == 0


# --- where it leads ---------------------------------------------------------------------------------------------


def _leading_to(*answers: Sequence[str]) -> tuple[Callable[[str, int], Sequence[str]], list[str]]:
    """A resolver that gives one answer after the other, and what it was asked."""
    asked: list[str] = []

    def resolve(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]],
    ids=["loopback", "one of two", "metadata", "mapped", "nat64"],
)
def test_a_name_that_leads_inside_is_refused_before_a_connection_is_made(addresses: Sequence[str]) -> None:
    resolver, _ = _leading_to(addresses)
    with serving(sends(OK)) as server:
        for act in (
            lambda http: http.check(f"https://partner.example:{server.port}/"),
            lambda http: _post(server.port, http, host="partner.example", scheme="https"),
        ):
            with pytest.raises(AddressRefused, match="private address"):
                act(HttpPost(resolve=resolver))
    assert server.connections == 0


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:7f00:1]", "localhost", "a.internal"]
)
def test_a_url_that_names_the_inside_is_refused_without_a_look_up(host: str) -> None:
    resolver, asked = _leading_to(["93.184.216.34"])
    with pytest.raises(AddressRefused, match="not on the public internet"):
        HttpPost(resolve=resolver).check(f"https://{host}/")
    assert asked == []


def test_only_https_leaves() -> None:
    resolver, asked = _leading_to(["93.184.216.34"])
    with pytest.raises(AddressRefused, match="must be https"):
        HttpPost(resolve=resolver).check("http://partner.example/")
    with pytest.raises(AddressRefused, match="but for this machine"):
        HttpPost(resolve=resolver, allow_private=True).check("http://partner.example/")
    assert asked == ["partner.example"]
    HttpPost(resolve=resolver).check("https://partner.example/")


def test_a_name_is_resolved_once_so_it_cannot_lead_elsewhere_in_between() -> None:
    """DNS rebinding: the second answer would lead to another server."""
    resolver, asked = _leading_to(["127.0.0.1"], ["10.0.0.1"])
    with serving(sends(OK)) as server:
        assert _post(server.port, HttpPost(allow_private=True, resolve=resolver), host="partner.example").status == 200
    assert asked == ["partner.example"]
    assert b"Host: partner.example:" in server.requests[0]


def test_if_one_address_is_dead_the_next_one_is_tried() -> None:
    resolver, _ = _leading_to(["127.0.0.2", "127.0.0.1"])
    with serving(sends(OK)) as server:
        assert _post(server.port, HttpPost(allow_private=True, resolve=resolver), host="partner.example").status == 200


def test_an_unknown_name_and_a_slow_look_up_are_no_answer() -> None:
    def unknown(_: str, __: int) -> Sequence[str]:
        raise socket.gaierror

    def slow(_: str, __: int) -> Sequence[str]:
        time.sleep(1)
        return ["127.0.0.1"]

    with pytest.raises(NoAnswer, match="not known"):
        _post(80, HttpPost(resolve=unknown), host="partner.example", scheme="https")
    with _within_the_limit(), pytest.raises(NoAnswer, match="time-out"):
        _post(80, HttpPost(resolve=slow), host="partner.example", scheme="https")


def test_the_operating_system_resolves() -> None:
    assert "127.0.0.1" in resolve("localhost", 80) or "::1" in resolve("localhost", 80)


# --- TLS --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for partner.example, signed by itself."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "partner.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("partner.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


@pytest.fixture
def server_tls(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    return context


def _secure(certificates: Path, *, trusting: bool = True, to: str = "127.0.0.1") -> HttpPost:
    resolver, _ = _leading_to([to])
    tls = ssl.create_default_context(cafile=str(certificates / "cert.pem")) if trusting else None
    return HttpPost(allow_private=True, resolve=resolver, tls=tls)


def test_tls_is_spoken_with_the_name_in_the_url(certificates: Path, server_tls: ssl.SSLContext) -> None:
    with serving(sends(OK), server_tls) as server:
        for host in ("partner.example", "127.0.0.1"):
            assert _post(server.port, _secure(certificates), host=host, scheme="https").status == 200


def test_a_certificate_of_another_name_is_refused_and_nothing_is_sent(
    certificates: Path, server_tls: ssl.SSLContext
) -> None:
    with serving(sends(OK), server_tls) as server, pytest.raises(NoAnswer, match=r"bad certificate: .*other\.example"):
        _post(server.port, _secure(certificates), host="other.example", scheme="https")
    assert server.requests == []


def test_a_certificate_nobody_vouches_for_is_refused_and_nothing_is_sent(
    certificates: Path, server_tls: ssl.SSLContext
) -> None:
    with serving(sends(OK), server_tls) as server, pytest.raises(NoAnswer, match="bad certificate: self-signed"):
        _post(server.port, _secure(certificates, trusting=False), host="partner.example", scheme="https")
    assert server.requests == []


def test_a_server_without_tls_and_one_that_never_shakes_hands_are_left_in_time(certificates: Path) -> None:
    with serving(sends(OK)) as server, _within_the_limit(), pytest.raises(NoAnswer):
        _post(server.port, _secure(certificates), host="partner.example", scheme="https")
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        _within_the_limit(),
        pytest.raises(NoAnswer, match="time-out"),
    ):
        _post(silent.getsockname()[1], _secure(certificates), host="partner.example", scheme="https")


def test_over_tls_too_a_body_that_trickles_ends(certificates: Path, server_tls: ssl.SSLContext) -> None:
    behaviour = trickles(head=b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    with serving(behaviour, server_tls) as server, _within_the_limit():
        assert _post(server.port, _secure(certificates), host="partner.example", scheme="https").status == 200
    with (
        serving(trickles(head=b""), server_tls) as server,
        _within_the_limit(),
        pytest.raises(NoAnswer, match="time-out"),
    ):
        _post(server.port, _secure(certificates), host="partner.example", scheme="https")

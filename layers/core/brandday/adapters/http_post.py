"""One HTTP request to an address that may be sent to, and an answer within the time limit.

Where a campaign's URL leads is a stranger's choice, so this goes by what the network says at the moment of sending:

- the host name is resolved once, every address that comes back has to be public, and the connection is made to one of
  those very addresses. There is no second look-up that could say something else (DNS rebinding);
- TLS is always verified, against the name in the URL;
- redirects are answers like others, and proxies of the environment are not asked;
- the time limit holds for everything together. Time-outs of sockets begin anew with each byte, so a watch closes the
  connection when the time is over, whatever the other side is doing;
- of the answer no more than 4 KB is read.

Built on the standard library alone: the socket is made here, before anything else can do so, and handed to http.client.
Trusted certificates are those of the operating system (in Lambda: of the runtime).
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from brandday.connectors.port import AddressRefused, HttpAnswer, NoAnswer
from brandday.connectors.web_address import WebAddress, is_outside, is_public, parse_web_address

MAX_ANSWER_BYTES: Final = 4096
CHECK_TIMEOUT_MS: Final = 3000
_LOOPBACK: Final = ("127.", "::1")

type Resolve = Callable[[str, int], Sequence[str]]
"""Returns the IP addresses of a host; raises OSError if it has none."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the operating system for a host's addresses, in the order it prefers them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


class HttpPost:
    """The port `Http`. `allow_private` opens private addresses, and http on this machine: for the local stack."""

    def __init__(
        self, *, allow_private: bool = False, resolve: Resolve = resolve, tls: ssl.SSLContext | None = None
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._tls = tls

    def check(self, url: str) -> None:
        """Find out where a URL leads; raises NoAnswer if its host is unknown, AddressRefused."""
        self._addresses(self._parse(url), _Watch(CHECK_TIMEOUT_MS))

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> HttpAnswer:
        """Send a request and return the answer; raises NoAnswer or AddressRefused."""
        return self._send("POST", url, headers, body, timeout_ms)

    def get(self, url: str, timeout_ms: int) -> HttpAnswer:
        """Ask for a document and return the answer; raises NoAnswer or AddressRefused."""
        return self._send("GET", url, {}, None, timeout_ms)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_ms: int
    ) -> HttpAnswer:
        address = self._parse(url)
        watch = _Watch(timeout_ms)
        addresses = self._addresses(address, watch)
        with (
            _trouble_translated(watch),
            watch.connect(addresses, address.port) as plain,
            self._secure(plain, address) as connected,
        ):
            return _ask(connected, address, _Request(method, headers, body), watch)

    def _parse(self, url: str) -> WebAddress:
        try:
            address = parse_web_address(url)
        except ValueError as error:
            raise AddressRefused(f"the URL {error}") from error
        if not self._allow_private and not address.is_secure:
            raise AddressRefused("the URL must be https")
        if not self._allow_private and not is_outside(address.host):
            raise AddressRefused("the host is not on the public internet")
        return address

    def _addresses(self, address: WebAddress, watch: "_Watch") -> Sequence[str]:
        try:
            found = watch.bounded(lambda: self._resolve(address.host, address.port))
        except (OSError, UnicodeError) as error:
            raise NoAnswer("the host name is not known") from error
        if not found:
            raise NoAnswer("the host name is not known")
        if self._allow_private:
            if not address.is_secure and not all(each.startswith(_LOOPBACK) for each in found):
                raise AddressRefused("the URL must be https, but for this machine")
        elif not all(is_public(each) for each in found):
            raise AddressRefused("the host leads to a private address")
        return found

    def _secure(self, plain: socket.socket, address: WebAddress) -> socket.socket:
        if not address.is_secure:
            return plain
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls.wrap_socket(plain, server_hostname=address.host)


class _Watch:
    """The time that one delivery has; begins to run when it is made."""

    def __init__(self, timeout_ms: int) -> None:
        self._ends = time.monotonic() + timeout_ms / 1000

    @property
    def left(self) -> float:
        """Seconds; TimeoutError once there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._ends

    def bounded[Result](self, call: Callable[[], Result]) -> Result:
        """Make a call that knows no time limit; one that takes too long is left behind and ends by itself."""
        outcome: list[Result] = []
        trouble: list[Exception] = []

        def run() -> None:
            try:
                outcome.append(call())
            except Exception as error:
                trouble.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(self.left)
        if trouble:
            raise trouble[0]
        if not outcome:
            raise NoAnswer("time-out: the host name was not resolved")
        return outcome[0]

    @contextlib.contextmanager
    def connect(self, addresses: Sequence[str], port: int) -> Iterator[socket.socket]:
        """Connect to the first address that answers; the connection ends with the time."""
        connected = self._first(addresses, port)
        connected.settimeout(self.left)
        handle = connected.dup()  # TLS takes the first one over
        alarm = threading.Timer(self.left, _end, (handle,))
        alarm.daemon = True
        alarm.start()
        try:
            yield connected
        finally:
            alarm.cancel()
            handle.close()
            connected.close()

    def _first(self, addresses: Sequence[str], port: int) -> socket.socket:
        trouble: OSError | None = None
        for number, address in enumerate(addresses):
            try:
                # A dead address must leave time for the next one.
                return socket.create_connection((address, port), timeout=self.left / (len(addresses) - number))
            except OSError as error:
                trouble = error
        raise trouble or OSError("no address")


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Request(NamedTuple):
    method: str
    headers: Mapping[str, str]
    body: bytes | None


def _ask(connected: socket.socket, address: WebAddress, request: _Request, watch: _Watch) -> HttpAnswer:
    connection = http.client.HTTPConnection(address.host, address.port)
    connection.sock = connected
    connection.auto_open = 0  # never connects by itself
    host = address.origin.partition("://")[2]
    headers = {"Host": host, "Connection": "close", **request.headers}
    connection.request(request.method, address.target, request.body, headers)
    with contextlib.closing(connection), connection.getresponse() as answer:
        if watch.is_over:  # to http.client, a head that was cut short is one without further headers
            raise TimeoutError
        told = {name.lower(): value for name, value in answer.getheaders()}
        return HttpAnswer(answer.status, told, _beginning(answer).decode("utf-8", "replace"))


def _beginning(answer: http.client.HTTPResponse) -> bytes:
    """The status has come; a body that breaks off or trickles changes nothing about what was decided."""
    read = b""
    with contextlib.suppress(OSError, http.client.HTTPException):
        while len(read) < MAX_ANSWER_BYTES:
            more = answer.read1(MAX_ANSWER_BYTES - len(read))
            if not more:
                break
            read += more
    return read


@contextlib.contextmanager
def _trouble_translated(watch: _Watch) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"bad certificate: {error.verify_message}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer("time-out" if watch.is_over else _what(error)) from error


def _what(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "time-out"
        case ConnectionRefusedError():
            return "connection refused"
        case ssl.SSLError():
            return "no TLS"
        case http.client.RemoteDisconnected() | ConnectionError():
            return "connection dropped"
        case http.client.HTTPException() | ValueError():
            return "no HTTP"
        case _:
            return "not reachable"

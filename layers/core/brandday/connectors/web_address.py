"""URLs that rewards may be sent to, and the addresses that they may not lead to (server-side request forgery).

What a URL says can be judged here, without a network. Where its host name leads is found out by whoever connects, at
the moment of connecting, and judged with `is_public`: a name that was harmless when a campaign was applied may lead
elsewhere by now.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

MAX_URL = 2048
_PLAIN = re.compile(r"[!-~]+")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?")
_NUMERIC = re.compile(r"\d+|0x[0-9a-f]*")
_INSIDE = ("localhost", "local", "internal", "lan", "intranet", "corp", "home", "arpa")
_UNICAST = IPv6Network("2000::/3")
_CARRIES_IPV4 = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
"""Teredo and 6to4: the rest (mapped, compatible, NAT64) lies outside of 2000::/3."""
_RELAY = IPv4Network("192.88.99.0/24")


class WebAddress(NamedTuple):
    """A URL in its parts: `host` in lower case and without brackets, `target` as it is asked for."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_secure(self) -> bool:
        """Whether it is https."""
        return self.scheme == "https"

    @property
    def origin(self) -> str:
        """Scheme, host and port: what is one server to us."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = self.port == (443 if self.is_secure else 80)
        return f"{self.scheme}://{host}" if standard else f"{self.scheme}://{host}:{self.port}"


def parse_web_address(url: str) -> WebAddress:
    """Return the parts of an absolute http(s) URL; ValueError says what is wrong with any other.

    Host names are plain ASCII (punycode if need be). IPv4 addresses have four decimal parts: the other spellings
    (2130706433, 0x7f.1, 0177.0.0.1) mean different addresses to different programs.
    """
    if len(url) > MAX_URL or not _PLAIN.fullmatch(url) or "\\" in url:
        raise ValueError(f"must be at most {MAX_URL} printable ASCII characters without spaces or backslashes")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an absolute https URL")
    if "@" in parts.netloc:
        raise ValueError("must not have a user name or password in it")
    if "#" in url:
        raise ValueError("must not have a fragment (#...)")
    try:
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise ValueError("must have a port between 1 and 65535, if any") from error
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("must have a port between 1 and 65535, if any")
    _check_host(host, bracketed=parts.netloc.startswith("["))
    query = f"?{parts.query}" if parts.query else ""
    secure = parts.scheme == "https"
    return WebAddress(parts.scheme, host, port or (443 if secure else 80), (parts.path or "/") + query)


def _check_host(host: str, *, bracketed: bool) -> None:
    if bracketed:
        try:
            address = ip_address(host)
        except ValueError:
            address = IPv4Address(0)
        if not isinstance(address, IPv6Address) or address.scope_id is not None:
            raise ValueError("must have an IPv6 address without a zone between the brackets")
        return
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            IPv4Address(host)
        except ValueError as error:
            raise ValueError("must write an IPv4 address with four decimal numbers") from error
        return
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must have a valid host name")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, and to one machine there."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        hidden = any(parsed in network for network in _CARRIES_IPV4)
        return parsed.scope_id is None and parsed in _UNICAST and parsed.is_global and not hidden
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved and parsed not in _RELAY


def is_outside(host: str) -> bool:
    """Whether a host may be on the public internet, as far as its name tells."""
    try:
        return is_public(host)
    except ValueError:
        labels = host.split(".")
        return len(labels) > 1 and labels[-1] not in _INSIDE

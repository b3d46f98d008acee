"""Where a request comes from: the address of whoever asked, also when the edge (`infra/edge.yaml`) has asked for them.

Behind the edge every connection is one of CloudFront's. What it says about its viewer is in a header that anybody could
send, so that it counts only next to a secret that the edge adds to what it forwards; in all other cases the
connection's own address counts, which cannot be made up.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Final

EDGE_SECRET_HEADER: Final = "edge-secret"  # noqa: S105 - its name
VIEWER_ADDRESS_HEADER: Final = "viewer-address"
"""What the edge adds; it replaces whatever the viewer has sent under these names."""

type EdgeSecrets = Callable[[], Sequence[bytes]]
"""The live values of the edge's secret, the newest first; asked only if a request claims to have come by the edge."""


def client_address(connection: str, headers: Mapping[str, str], edge_secrets: EdgeSecrets | None) -> str:
    """Return the address that a request comes from; "" if nobody knows.

    `connection` is API Gateway's `sourceIp`, which is taken as it is; `headers` have names in lower case;
    `edge_secrets` is None where there is no edge. Raises what `edge_secrets` raises: to take the edge for a shopper
    would be to count all of them as one.
    """
    shown = headers.get(EDGE_SECRET_HEADER, "")
    if shown and edge_secrets is not None and _is_one_of(shown, edge_secrets()):
        return _address(headers.get(VIEWER_ADDRESS_HEADER, "")) or connection
    return connection


def _is_one_of(shown: str, secrets: Sequence[bytes]) -> bool:
    given = shown.encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(given, secret) for secret in secrets if secret)


def _address(text: str) -> str:
    from ipaddress import ip_address  # only behind an edge

    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return ""

"""The network that a caller's address is in: what one household, office or hosting customer has of the internet."""

import ipaddress

_IPV4_PREFIX = 24
_IPV6_PREFIX = 56
"""What providers give to a household at most: https://www.rfc-editor.org/rfc/rfc6177."""


def network_of(address: str) -> str | None:
    """Return the network of an IP address, like 203.0.113.0/24 or 2001:db8:0:100::/56; None for what is no address.

    An IPv4 address inside an IPv6 one (::ffff:203.0.113.7, RFC 4291) is the IPv4 address.
    """
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            # Through the number, which leaves out the scope: it says something of the machine that was asked alone.
            return str(ipaddress.ip_network((int(found), _IPV6_PREFIX), strict=False))
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((int(found), _IPV4_PREFIX), strict=False))

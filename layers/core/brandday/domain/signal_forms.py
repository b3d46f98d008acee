"""The one form in which each kind of signal is compared, so that another spelling is not another signal.

Telephone numbers are not here: their formats need a library (`adapters/phone_number.py`).
"""

import re
import unicodedata

from brandday.domain import email_address
from brandday.domain.ip_network import network_of
from brandday.domain.signals import SignalKind

MAX_LENGTH = 500
"""Of any signal, as it is given."""


def normal_form(kind: SignalKind, text: str) -> str | None:
    """Return what is hashed for a value of any kind but a telephone number, or None for what cannot be one.

    A network is given as an address in it. Devices, means of payment and shoppers are names that others have made up:
    they stay as they are, but for spaces around them.
    """
    if len(text) > MAX_LENGTH:
        return None
    match kind:
        case SignalKind.EMAIL:
            return email_address.fold(text)
        case SignalKind.NETWORK:
            return network_of(text)
        case SignalKind.ADDRESS:
            return _words(text)
        case SignalKind.PHONE:
            raise ValueError("telephone numbers need a library")
        case _:
            name = text.strip()
            return name if name and name.isprintable() else None


def _words(text: str) -> str | None:
    """An address by its words and numbers alone: capitals, punctuation, accents' encoding and line breaks vary."""
    small = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(re.findall(r"\w+", small)) or None

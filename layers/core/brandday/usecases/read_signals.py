"""The signals of a visit: from what the token says, from what the shop has signed, and from where the request comes.

Raw values end here: what leaves is marks, and of the facts the few that rules look at. What the shop has signed wins
over the token. A value of the token that cannot be what it should be counts as not given, since its issuer may not know
of us; the shop signs for us alone, and what it signs has to be right.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from brandday.domain.campaign import Shopper
from brandday.domain.errors import ShopSignalsInvalid
from brandday.domain.signal_forms import MAX_LENGTH, normal_form
from brandday.domain.signals import SignalKind, Signals, mark_of
from brandday.domain.times import from_rfc3339
from brandday.domain.visit import Visit
from brandday.usecases.guard_ports import MarkKeys

type PhoneNumbers = Callable[[str, str], str | None]
"""Returns a number in E.164 form by its text and the region it was written in ("" if that is not known), or None."""

type SignedSignals = Callable[[str, str], Mapping[str, object]]
"""Returns what a header Shop-Signals says that the shop has signed for the shopper with this id; raises
ShopSignalsInvalid, TemporarilyOverloaded.
"""

_NAMES: Final = {
    "device": SignalKind.DEVICE,
    "phone": SignalKind.PHONE,
    "email": SignalKind.EMAIL,
    "address": SignalKind.ADDRESS,
    "payment": SignalKind.PAYMENT,
}
"""What tokens and headers call the signals they may have."""

_SECONDS: Final = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class Marker:
    """Makes marks of raw values; also operators' lists are made with it, so that they hit."""

    key: MarkKeys
    to_e164: PhoneNumbers

    def normal(self, kind: SignalKind, text: str, region: str = "") -> str | None:
        """Return the form in which a value is compared, or None for what cannot be one of this kind.

        `region` is the country (ISO 3166) that a telephone number without country code is meant in.
        """
        return self.to_e164(text, region) if kind is SignalKind.PHONE else normal_form(kind, text)

    def mark(self, kind: SignalKind, text: str, region: str = "") -> str | None:
        """Return the mark of a raw value, or None for what cannot be one of this kind."""
        normal = self.normal(kind, text, region)
        return None if normal is None else mark_of(self.key(), kind, normal)


@dataclass(frozen=True, slots=True)
class ReadSignals:
    """The port `SignalReader`."""

    marker: Marker
    signed: SignedSignals

    def __call__(self, shopper: Shopper, visit: Visit) -> Signals:
        """Return the signals of a visit; raises ShopSignalsInvalid for a header that the shop has not signed like that,
        and what reading secrets raises.
        """
        said = dict(self.signed(visit.shop_signals, shopper.id)) if visit.shop_signals else {}
        claims = visit.claims
        region = _text(said, "phone_region") or claims.get("phone_region", "") or claims.get("region", "")
        normal = {SignalKind.SHOPPER: shopper.id}
        for name, kind in _NAMES.items():
            value = (
                self._signed(said, name, kind, region) if name in said else self._claimed(claims, name, kind, region)
            )
            if value is not None:
                normal[kind] = value
        network = (
            self._signed(said, "ip", SignalKind.NETWORK, "")
            if "ip" in said
            else normal_form(SignalKind.NETWORK, visit.address)
        )
        if network is not None:
            normal[SignalKind.NETWORK] = network
        key = self.marker.key()
        return Signals(
            marks={kind: mark_of(key, kind, value) for kind, value in normal.items()},
            account_created_at=_created_at(said, claims),
            phone=normal.get(SignalKind.PHONE, ""),
            vouched=_is_vouched(said),
        )

    def _claimed(self, claims: Mapping[str, str], name: str, kind: SignalKind, region: str) -> str | None:
        text = claims.get(name, "")
        return self.marker.normal(kind, text, region) if text else None

    def _signed(self, said: Mapping[str, object], name: str, kind: SignalKind, region: str) -> str | None:
        text = _text(said, name)
        if not text:
            return None
        normal = self.marker.normal(kind, text, region)
        if normal is None:
            raise ShopSignalsInvalid
        return normal


def _text(said: Mapping[str, object], name: str) -> str:
    """What the shop has signed under a name; "" if that is nothing."""
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        raise ShopSignalsInvalid
    return value


def _is_vouched(said: Mapping[str, object]) -> bool:
    value = said.get("vouched", False)
    if not isinstance(value, bool):
        raise ShopSignalsInvalid
    return value


def _created_at(said: Mapping[str, object], claims: Mapping[str, str]) -> int | None:
    """When the account was made, in epoch ms; None if nobody says so."""
    if "account_created_at" not in said:
        try:
            return _moment(claims.get("account_created_at", ""))
        except ValueError:
            return None
    value = said["account_created_at"]
    if value is None:
        return None
    try:
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return _moment(str(value))
    except ValueError:
        pass
    raise ShopSignalsInvalid


def _moment(text: str) -> int | None:
    """Epoch ms of a time in seconds (RFC 7519's NumericDate) or in RFC 3339; None for "", ValueError for all else."""
    if not text:
        return None
    if len(text) > MAX_LENGTH:
        raise ValueError("too long")
    try:
        return int(text) * 1000 if _SECONDS.fullmatch(text) else from_rfc3339(text)
    except OverflowError:
        raise ValueError("out of range") from None

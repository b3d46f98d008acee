"""Rewards as e-mails, through SES, to whoever hands them over by hand.

What "once" means here, honestly: SES has no idempotency and mail has none. Nobody sends while another worker does, and
an e-mail that SES has taken is recorded and never sent again. But a worker that dies (or loses SES's answer) between
the two leaves it open, and the next one sends the e-mail a second time, with the same delivery id in its subject and
in its header `X-Brandday-Delivery`. Whoever hands over by e-mail looks for the id before acting. Where that is too
little, use the webhook or the queue. Bounces are not read: a partner without receipts is trusted to read its mail.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from brandday.connectors import port
from brandday.connectors.port import Accepted, AwsRefused, Parcel, Refused, Tools, TryLater, Verdict
from brandday.connectors.secret_name import SecretName, trouble_with
from brandday.connectors.words import clean
from brandday.domain.errors import TemporarilyOverloaded

_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
_MAX_ADDRESS = 254
_MAX_LOCAL_PART = 64


def _email_address(text: str) -> str:
    if len(text) > _MAX_ADDRESS or not _ADDRESS.fullmatch(text) or text.index("@") > _MAX_LOCAL_PART:
        raise ValueError("must be one e-mail address: name@example.com")
    return text


class EmailOptions(port.Options):
    """To whom, and the secret that signs receipts, if any are sent."""

    to: Annotated[str, AfterValidator(_email_address)]
    secret: SecretName | None = None


class EmailConnector:
    """Sends a reward as an e-mail."""

    name: ClassVar[str] = "email"
    Options: ClassVar[type[port.Options]] = EmailOptions

    @staticmethod
    def destination(options: EmailOptions) -> str:
        """Return the one thing all e-mails have in common: SES."""
        del options
        return "email"

    @staticmethod
    def check(options: EmailOptions, tools: Tools) -> Mapping[str, str]:
        """Return what is wrong with the secret, and whether this deployment can send e-mails at all."""
        found: dict[str, str] = {}
        if not tools.email_sender:
            found["to"] = "this deployment has no sender address (parameter EmailSender), so it sends no e-mail"
        if secret := trouble_with(options.secret, tools):
            found["secret"] = secret
        return found

    @staticmethod
    def deliver(parcel: Parcel, options: EmailOptions, tools: Tools, now: int) -> Verdict:
        """Send the e-mail; the reference is SES's message id."""
        del now
        if not tools.email_sender:
            return TryLater("this deployment has no sender address", is_down=False)
        subject = clean(f"Reward {parcel.data.get('sku', '')} x {parcel.data.get('quantity', '')}: {parcel.id}")
        try:
            sent = tools.aws.send_email(
                tools.email_sender, options.to, subject, _text(parcel), {"X-Brandday-Delivery": parcel.id}
            )
        except AwsRefused as error:
            return Refused(clean(str(error)))
        except TemporarilyOverloaded:
            return TryLater("SES did not take it")
        return Accepted(sent)

    @staticmethod
    def receipt_secret(options: EmailOptions) -> str | None:
        """Return the name of the secret, if one is declared."""
        return options.secret


def _text(parcel: Parcel) -> str:
    facts = json.dumps(parcel.data, ensure_ascii=False, indent=2)
    return (
        "Please hand this reward over, once. If you have handed over this delivery before, do nothing.\n\n"
        f"delivery: {parcel.id}\n\n{facts}\n"
    )

"""What partners report about rewards that they were given: that one has arrived, or has come back.

Whoever cannot sign learns nothing: a wrong signature, an unknown reward and a connector without a secret are the same
SignatureInvalid. What is cheap to check is checked first, so that nobody can keep the database busy with forgeries.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from brandday.connectors.port import Connector, SecretMissing, Secrets, SecretUnreadable
from brandday.domain.errors import CampaignNotFound, SignatureInvalid, TemporarilyOverloaded
from brandday.domain.fulfilment import ConnectorChoice
from brandday.domain.reward import Report, Reward, report
from brandday.domain.webhook_signature import TOLERANCE_SECONDS, verify
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import Clock
from brandday.usecases.reward_ports import Rewards

_TRIES: Final = 5
_MAX_ID: Final = 256
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"(^| )v1,[A-Za-z0-9+/]{43}=( |$)")


@dataclass(frozen=True, slots=True)
class TakeReports:
    """Checks who reports, and follows what is reported; `connectors` are by name."""

    rewards: Rewards
    campaigns: LiveCampaigns
    secrets: Secrets
    connectors: Mapping[str, type[Connector]]
    now: Clock

    def authenticate(self, reward_id: str, headers: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureInvalid unless `body`, as it came, is signed by the partner who has this reward.

        `headers` are by their names in lower case. `reward_id` has the form of one.
        """
        if not self._is_worth_a_look(headers):
            raise SignatureInvalid
        try:
            choices = self.campaigns.get(reward_id.rpartition(".")[2]).campaign.fulfilment.by_kind
        except CampaignNotFound:
            raise SignatureInvalid from None
        # Only what one of the campaign's partners has signed is worth a look at the reward.
        self._check_signed(choices.values(), headers, body)
        reward = self.rewards.get(reward_id)
        choice = None if reward is None else choices.get(reward.kind)
        if choice is None:
            raise SignatureInvalid
        self._check_signed([choice], headers, body)

    def __call__(self, reward_id: str, told: Report, at: int, note: str = "") -> Reward:
        """Follow an authenticated report and return the reward as it is then.

        `at` is when it happened, by the partner's clock (epoch ms). A report that was told before, or that an older one
        overtook, changes nothing.
        """
        for _ in range(_TRIES):
            reward = self.rewards.get(reward_id)
            if reward is None:
                raise SignatureInvalid
            after = report(reward, told, at, self.now())
            if after is None:
                return reward
            if note:
                after = replace(after, words=note)
            if self.rewards.save(reward, after):
                return after
        raise TemporarilyOverloaded

    def _is_worth_a_look(self, headers: Mapping[str, str]) -> bool:
        timestamp = headers.get("webhook-timestamp", "")
        return (
            0 < len(headers.get("webhook-id", "")) <= _MAX_ID
            and _TIMESTAMP.fullmatch(timestamp) is not None
            and abs(self.now() // 1000 - int(timestamp)) <= TOLERANCE_SECONDS
            and _SIGNATURE.search(headers.get("webhook-signature", "")) is not None
        )

    def _check_signed(self, choices: Iterable[ConnectorChoice], headers: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureInvalid unless one of these connectors' secrets has signed; a missing one signs nothing."""
        secrets: list[bytes] = []
        unreadable: SecretUnreadable | None = None
        for name in sorted({name for choice in choices if (name := self._secret_name(choice)) is not None}):
            try:
                secrets += self.secrets.get(name)
            except SecretMissing:
                continue
            except SecretUnreadable as error:
                unreadable = error
        if verify(
            secrets,
            headers["webhook-id"],
            headers["webhook-timestamp"],
            body,
            headers["webhook-signature"],
            self.now() // 1000,
        ):
            return
        if unreadable:  # perhaps only for now, and perhaps it is the one: the partner shall try again
            raise TemporarilyOverloaded from unreadable
        raise SignatureInvalid

    def _secret_name(self, choice: ConnectorChoice) -> str | None:
        connector = self.connectors.get(choice.connector)
        if connector is None:
            return None
        try:
            return connector.receipt_secret(connector.Options(**choice.options))
        except ValidationError:
            return None

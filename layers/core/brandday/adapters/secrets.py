"""Secrets from Secrets Manager, remembered for five minutes, the previous value beside the current one.

A secret is changed by storing a new value; Secrets Manager keeps the old one as AWSPREVIOUS until the next change. Both
are live: we sign with both and accept both, so partner and backend need not change in the same second. A partner
keeps the old value for as long as we may not know of the new one: the five minutes.

Powertools' own `SecretsProvider` remembers values by name alone and would give one stage for the other, and asks again
each time for a stage that is not there. This provider, of the same kind, remembers both stages as one value.
https://docs.aws.amazon.com/powertools/python/latest/utilities/parameters/#create-your-own-provider
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.utilities.parameters.base import BaseProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from brandday.adapters.aws import error_code
from brandday.connectors.port import SecretMissing, SecretUnreadable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE_SECONDS: Final = 300
_STAGES: Final = ("AWSCURRENT", "AWSPREVIOUS")
_NOT_THERE: Final = frozenset(("ResourceNotFoundException", "InvalidRequestException"))
"""The second: it is scheduled for deletion."""


class LiveSecrets(BaseProvider):
    """Both live values of each secret, as Powertools remembers parameters."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        super().__init__(client=client)  # type: ignore[no-untyped-call]
        self._secrets = client

    def _get(self, name: str, **_: Any) -> dict[str, Any]:
        values = [self._value(name, stage) for stage in _STAGES]
        if values[0] is None:
            raise SecretMissing(name)
        return {"live": tuple(dict.fromkeys(value for value in values if value is not None))}

    def _get_multiple(self, path: str, **_: Any) -> dict[str, str]:
        raise NotImplementedError

    def _value(self, name: str, stage: str) -> bytes | None:
        try:
            answer: Mapping[str, Any] = self._secrets.get_secret_value(SecretId=name, VersionStage=stage)
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        text: str | None = answer.get("SecretString")
        binary: bytes = answer.get("SecretBinary", b"")
        return binary if text is None else text.encode()


class Secrets:
    """The port `Secrets`."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._provider = LiveSecrets(client)

    def get(self, name: str, *, fresh: bool = False) -> Sequence[bytes]:
        """Return the live values, the newest first; raises SecretMissing, SecretUnreadable.

        `fresh`: as they are now, whatever is remembered.
        """
        try:
            found: Any = self._provider.get(name, max_age=MAX_AGE_SECONDS, force_fetch=fresh)
        except GetParameterError as error:
            cause = error.__context__
            if isinstance(cause, SecretMissing):
                raise cause from None
            reason = error_code(cause) if isinstance(cause, ClientError) else type(cause).__name__
            raise SecretUnreadable(reason) from error
        values: Sequence[bytes] = found["live"]
        return values

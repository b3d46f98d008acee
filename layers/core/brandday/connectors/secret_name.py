"""Names of secrets in a connector's options, and whether what they name can be used."""

from typing import Annotated

from pydantic import Field

from brandday.connectors.port import SecretMissing, SecretUnreadable, Tools
from brandday.domain.webhook_signature import secret_key

type SecretName = Annotated[str, Field(pattern=r"^brandday/[A-Za-z0-9/_+=.@-]+$", max_length=200)]
"""Functions may read the secrets under `brandday/` and no others."""


def trouble_with(name: str | None, tools: Tools) -> str | None:
    """Return why a secret cannot be signed with, or None if it can (or none is named); its newest value decides."""
    if name is None:
        return None
    try:
        secret_key(tools.secrets.get(name)[0])
    except SecretMissing:
        return f"there is no secret {name!r} in Secrets Manager"
    except SecretUnreadable as error:
        return f"secret {name!r} cannot be read: {error}"
    except ValueError as error:
        return f"secret {name!r} {error}"
    return None

"""Whether rewards could be handed over as a campaign declares it: asked before it is applied, of the outside world."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from brandday.connectors.port import Connector, Tools
from brandday.domain.errors import FieldError
from brandday.domain.fulfilment import ConnectorChoice, Fulfilment


@dataclass(frozen=True, slots=True)
class CheckDestinations:
    """Asks each connector that a fulfilment names; `connectors` are by name, `tools` what they look with.

    Nothing is sent: they look whether the secrets are there and where the host names lead.
    """

    connectors: Mapping[str, type[Connector]]
    tools: Tools

    def __call__(self, fulfilment: Fulfilment) -> list[FieldError]:
        """Return what cannot work, as places in the campaign document; an empty list if all is well."""
        return [
            FieldError(f"/fulfilment/by_kind/{kind}/{field}", "destination_refused", {"reason": reason})
            for kind, choice in fulfilment.by_kind.items()
            for field, reason in self._look(choice).items()
        ]

    def _look(self, choice: ConnectorChoice) -> Mapping[str, str]:
        connector = self.connectors.get(choice.connector)
        if connector is None:
            return {"connector": f"there are only: {', '.join(self.connectors)}"}
        try:
            options = connector.Options(**choice.options)
        except ValidationError as error:
            return {str(details["loc"][0]): details["msg"] for details in error.errors(include_url=False)}
        return connector.check(options, self.tools)

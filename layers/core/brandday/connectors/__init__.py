"""Where rewards leave to: one file for each kind of destination, and this list of them."""

from collections.abc import Mapping

from brandday.connectors.email import EmailConnector
from brandday.connectors.port import Connector
from brandday.connectors.sqs import SqsConnector
from brandday.connectors.webhook import WebhookConnector

CONNECTORS: Mapping[str, type[Connector]] = {
    connector.name: connector for connector in (WebhookConnector, SqsConnector, EmailConnector)
}
"""Every connector by the name that campaigns choose it by."""

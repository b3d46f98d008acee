"""The tables of `template.yaml` as arguments of CreateTable, so that tests cannot drift from what is deployed."""

from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

TEMPLATE = Path(__file__).resolve().parents[3] / "template.yaml"

# What a table *is*. The rest of a table's properties (backups, encryption, tags) means nothing to an engine that
# keeps its data in memory.
_SHAPE = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes", "StreamSpecification")


def table_shape(logical_id: str, template: Path = TEMPLATE) -> dict[str, Any]:
    """Return CreateTable's arguments, but for the name, for the table called `logical_id` in the template."""
    properties = _resources(template)[logical_id]["Properties"]
    shape = {key: _plain(properties[key]) for key in _SHAPE if key in properties}
    for index in shape.get("GlobalSecondaryIndexes", ()):
        index.pop("WarmThroughput", None)  # how fast an index is, not what it is
    if "StreamSpecification" in shape:  # CloudFormation's has no switch: to name the view is to turn it on
        shape["StreamSpecification"]["StreamEnabled"] = True
    return shape


def parameters(template: Path = TEMPLATE) -> list[str]:
    """Return the names of the template's parameters."""
    return [str(name) for name in _template(template)["Parameters"]]


def _resources(template: Path) -> Any:
    return _template(template)["Resources"]


@cache
def _template(template: Path) -> Any:
    # The round-trip loader is the one that reads CloudFormation's !Ref and !Sub without being told about them.
    return YAML().load(template)


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(each) for each in node]
    return node

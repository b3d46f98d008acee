"""Campaigns, their live summaries and their audit trails in CampaignTable."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import cancellation_items, cancellation_reasons, is_condition_failure, overload_translated
from brandday.adapters.keys import (
    CAMPAIGN_COPIES,
    CAMPAIGN_INDEX,
    CODES,
    CONFIG,
    DEPLOYMENT,
    SALT,
    SUMMARY,
    campaign_key,
    code_word_key,
    parse_code_word_key,
    parse_trail_entry_key,
    seed_key,
    trail_entry_key,
    trail_key,
)
from brandday.domain.campaign import Campaign, Status
from brandday.domain.code_words import CodeWord, WordKind, word_taken, words_of
from brandday.domain.errors import CampaignConflict, CampaignNotFound
from brandday.domain.times import from_rfc3339, to_rfc3339
from brandday.domain.trail import Change, TrailEntry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRAIL_LENGTH = 500
"""How many acts `history` looks back."""

type Item = Mapping[str, Any]
"""An item as boto3's low-level client gives it: {"version": {"N": "3"}}."""

_SALT_KEY: Mapping[str, Any] = {"pk": {"S": DEPLOYMENT}, "sk": {"S": SALT}}
_CODES_KEY: Mapping[str, Any] = {"pk": {"S": DEPLOYMENT}, "sk": {"S": CODES}}


class CampaignTable:
    """Reads and writes CampaignTable; every method raises TemporarilyOverloaded when it is too busy.

    An environment reads one copy of a campaign all the time, `copy` modulo their number; consistent reads are of the
    first.
    """

    def __init__(self, client: "DynamoDBClient", table: str, copy: int = 0) -> None:
        self._client = client
        self._table = table
        self._copy = copy % CAMPAIGN_COPIES

    def load(self, campaign_id: str, *, consistent: bool = False) -> tuple[Campaign, Mapping[str, str]]:
        """The campaign and the attributes of its summary as text, in one query; CampaignNotFound if there is
        none.
        """
        with overload_translated():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": campaign_key(campaign_id, 0 if consistent else self._copy)}},
                ConsistentRead=consistent,
            )
        items = {item["sk"]["S"]: item for item in answer["Items"]}
        if CONFIG not in items:
            raise CampaignNotFound
        return _decode(items[CONFIG]), _summary_attributes(items.get(SUMMARY, {}))

    def list_ids(self) -> list[str]:
        """The ids of all campaigns, in alphabetical order."""
        return [item["sk"]["S"] for item in self._query_all(CAMPAIGN_INDEX)]

    def save(self, campaign: Campaign, expected_version: int, entry: TrailEntry, *, seed: bytes | None = None) -> None:
        """Write the campaign in all its copies, its place in the index and the entry, with a lottery's `seed` or the
        words of a published campaign's codes too, or nothing at all.

        CampaignConflict if the version there is another than expected; 0 is expected of a new campaign.
        ValidationFailed if a word is another campaign's that is not over.
        """
        condition: dict[str, Any] = (
            {
                "ConditionExpression": "version = :expected",
                "ExpressionAttributeValues": {":expected": {"N": str(expected_version)}},
            }
            if expected_version
            else {"ConditionExpression": "attribute_not_exists(pk)"}
        )
        first = _encode(campaign)
        put_config = {
            "TableName": self._table,
            "Item": first,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **condition,
        }
        others = [
            {"TableName": self._table, "Item": {**first, "pk": {"S": campaign_key(campaign.id, copy)}}}
            for copy in range(1, CAMPAIGN_COPIES)
        ]
        index = {"pk": {"S": CAMPAIGN_INDEX}, "sk": {"S": campaign.id}}
        words = [] if campaign.status is Status.DRAFT else [w for w in words_of(campaign) if w.until > entry.at]
        puts = [
            put_config,
            *others,
            {"TableName": self._table, "Item": index},
            {"TableName": self._table, "Item": encode_trail_entry(campaign.id, entry)},
            *([] if seed is None else [self._put_seed(campaign.id, seed)]),
            *(self._put_word(word, entry.at) for word in words),
        ]
        try:
            with overload_translated():
                self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])  # type: ignore[typeddict-item]
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            there = cancellation_items(error)[0]
            refused = [reason != "None" for reason in cancellation_reasons(error)]
            if words and not any(refused[: -len(words)]):
                at = refused.index(True)
                taken = cancellation_items(error)[at]
                raise word_taken(words[at - len(puts)], taken["campaign"]["S"]) from None
            raise CampaignConflict(version=int(there["version"]["N"]) if there else 0) from None

    def seed(self, campaign_id: str) -> bytes | None:
        """The seed of a published lottery; None if there is none. It never changes."""
        with overload_translated():
            answer = self._client.get_item(TableName=self._table, Key=_seed_item_key(campaign_id))
        return answer["Item"]["seed"]["B"] if "Item" in answer else None

    def _put_seed(self, campaign_id: str, seed: bytes) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Item": {**_seed_item_key(campaign_id), "seed": {"B": seed}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }

    def _put_word(self, word: CodeWord, now: int) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Item": {
                "pk": {"S": CODES},
                "sk": {"S": code_word_key(word.kind, word.text)},
                "campaign": {"S": word.campaign_id},
                "until": {"N": str(word.until)},
            },
            "ConditionExpression": "attribute_not_exists(pk) OR #campaign = :campaign OR #until <= :now",
            "ExpressionAttributeNames": {"#campaign": "campaign", "#until": "until"},
            "ExpressionAttributeValues": {":campaign": {"S": word.campaign_id}, ":now": {"N": str(now)}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def words(self) -> list[CodeWord]:
        """The words of all published campaigns' codes; a moment old at most."""
        found = [(parse_code_word_key(item["sk"]["S"]), item) for item in self._query_all(CODES)]
        return [
            CodeWord(WordKind(kind), text, item["campaign"]["S"], int(item["until"]["N"]))
            for (kind, text), item in found
        ]

    def code_secret(self) -> bytes | None:
        """The secret of all codes; None if no coupon campaign was ever published."""
        with overload_translated():
            answer = self._client.get_item(TableName=self._table, Key=_CODES_KEY, ConsistentRead=True)
        return answer["Item"]["secret"]["B"] if "Item" in answer else None

    def deployment_code_secret(self, fresh: bytes) -> bytes:
        """The secret of all codes; `fresh` becomes it if there is none yet."""
        return self._put_if_absent(_CODES_KEY, "secret", fresh)

    def history(self, campaign_id: str) -> Sequence[TrailEntry]:
        """The newest acts, the latest first; none for a campaign that does not exist."""
        with overload_translated():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": trail_key(campaign_id)}},
                ScanIndexForward=False,
                Limit=TRAIL_LENGTH,
                ConsistentRead=True,
            )
        return [decode_trail_entry(item) for item in answer["Items"]]

    def known_salt(self) -> bytes | None:
        """The salt of all shoppers' names; None as long as nothing was ever published."""
        with overload_translated():
            answer = self._client.get_item(TableName=self._table, Key=_SALT_KEY, ConsistentRead=True)
        return answer["Item"]["salt"]["B"] if "Item" in answer else None

    def deployment_salt(self, fresh: bytes) -> bytes:
        """The salt of all shoppers' names; `fresh` becomes it if there is none yet."""
        return self._put_if_absent(_SALT_KEY, "salt", fresh)

    def _put_if_absent(self, key: Mapping[str, Any], name: str, fresh: bytes) -> bytes:
        """Return what is under `key`, which is `fresh` if nothing was."""
        try:
            with overload_translated():
                self._client.put_item(
                    TableName=self._table,
                    Item={**key, name: {"B": fresh}},
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            there: bytes = error.response["Item"][name]["B"]  # type: ignore[typeddict-item]
            return there
        return fresh

    def _query_all(self, partition: str) -> list[Item]:
        items: list[Item] = []
        start: dict[str, Any] = {}
        while True:
            with overload_translated():
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues={":pk": {"S": partition}},
                    **start,
                )
            items += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return items
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _encode(campaign: Campaign) -> dict[str, Any]:
    item = {
        "pk": {"S": campaign_key(campaign.id)},
        "sk": {"S": CONFIG},
        "document": {"S": _json(campaign.to_document())},
        "status": {"S": str(campaign.status)},
        "version": {"N": str(campaign.version)},
        "restocks": {"S": _json([restock.to_document() for restock in campaign.restocks])},
    }
    if campaign.layout is not None:
        item["layout"] = {"S": _json(campaign.layout.to_document())}
    if campaign.luck is not None:
        item["luck"] = {"S": _json(campaign.luck.to_document())}
    for name, moment in (
        ("applied_at", campaign.applied_at),
        ("published_at", campaign.published_at),
        ("ended_at", campaign.ended_at),
    ):
        if moment is not None:
            item[name] = {"S": to_rfc3339(moment)}
    return item


def _decode(item: Item) -> Campaign:
    return Campaign.from_document(
        json.loads(item["document"]["S"]),
        status=Status(item["status"]["S"]),
        version=int(item["version"]["N"]),
        layout=json.loads(item["layout"]["S"]) if "layout" in item else None,
        luck=json.loads(item["luck"]["S"]) if "luck" in item else None,
        restocks=json.loads(item["restocks"]["S"]),
        applied_at=_moment(item, "applied_at"),
        published_at=_moment(item, "published_at"),
        ended_at=_moment(item, "ended_at"),
    )


def _seed_item_key(campaign_id: str) -> dict[str, Any]:
    return {"pk": {"S": seed_key(campaign_id)}, "sk": {"S": "SEED"}}


def _moment(item: Item, name: str) -> int | None:
    return from_rfc3339(item[name]["S"]) if name in item else None


def _summary_attributes(item: Item) -> dict[str, str]:
    """The summary as name -> text, numbers as they are written; empty if the projector has seen nothing yet."""
    return {name: next(iter(value.values())) for name, value in item.items() if name not in ("pk", "sk")}


def encode_trail_entry(campaign_id: str, entry: TrailEntry) -> dict[str, Any]:
    """The item of an act in a campaign's trail."""
    return {
        "pk": {"S": trail_key(campaign_id)},
        "sk": {"S": trail_entry_key(to_rfc3339(entry.at), entry.id)},
        "who": {"S": entry.who},
        "act": {"S": entry.act},
        "at": {"S": to_rfc3339(entry.at)},
        "version": {"N": str(entry.version)},
        "changes": {"S": _json([change.to_document() for change in entry.changes])},
    }


def decode_trail_entry(item: Item) -> TrailEntry:
    """The reverse of `encode_trail_entry`."""
    at, entry_id = parse_trail_entry_key(item["sk"]["S"])
    return TrailEntry(
        id=entry_id,
        at=from_rfc3339(at),
        who=item["who"]["S"],
        act=item["act"]["S"],
        version=int(item["version"]["N"]),
        changes=tuple(Change.from_document(change) for change in json.loads(item["changes"]["S"])),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

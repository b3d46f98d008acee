"""Lets the emulator enforce the template's IAM policies, where it asks for something else than AWS does.

AWS has one permission for sending one message to a queue or ten (`sqs:SendMessage`), and one for deleting them. For
ten, ministack 1.5.33 asks for `sqs:SendMessageBatch` and `sqs:DeleteMessageBatch`, which do not exist on AWS, so have
no place in the template. And it asks whether one may mail from anybody (`*`); AWS asks for the sender's identity.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from brandday_local.aws import Emulated
from brandday_local.deploy import Deployment

ASKED_FOR_INSTEAD: Mapping[str, Mapping[str, str]] = {
    "sqs:SendMessage": {"Action": "sqs:SendMessageBatch"},
    "sqs:DeleteMessage": {"Action": "sqs:DeleteMessageBatch"},
    "ses:SendEmail": {"Action": "ses:SendEmail", "Resource": "*"},
}
POLICY_NAME = "what-the-emulator-calls-otherwise"


def grant_by_other_names(deployment: Deployment, aws: Emulated) -> None:
    """Give every role that may do one of these actions the emulator's name for it, on the same resources."""
    for name, resource in deployment.template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            role = deployment.resources[name]
            statements = list(by_other_names(statements_of(role, aws)))
            if statements:
                document = json.dumps({"Version": "2012-10-17", "Statement": statements})
                aws.permissions.put_role_policy(RoleName=role, PolicyName=POLICY_NAME, PolicyDocument=document)


def statements_of(role: str, aws: Emulated) -> Iterable[Mapping[str, Any]]:
    """The statements of a role's own policies, as they were deployed."""
    for policy in aws.permissions.list_role_policies(RoleName=role)["PolicyNames"]:
        found = aws.permissions.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        yield from cast("Mapping[str, Any]", found)["Statement"]


def by_other_names(statements: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """The statements that say the same in the emulator's words."""
    for statement in statements:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            if action in ASKED_FOR_INSTEAD:
                yield {**statement, **ASKED_FOR_INSTEAD[action]}

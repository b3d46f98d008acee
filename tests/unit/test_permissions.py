"""Permissions that the emulator knows by another name."""

from typing import Any

from brandday_local.permissions import by_other_names


def test_only_what_is_allowed_on_aws_is_allowed_under_the_other_name() -> None:
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": "queue-1"},
        {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "queue-2"},
        {"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "queue-3"},
        {"Effect": "Allow", "Action": ["sqs:GetQueueAttributes", "sqs:DeleteMessage"], "Resource": "queue-4"},
        {"Effect": "Allow", "Action": ["ses:SendEmail"], "Resource": ["shop@example.com", "example.com"]},
    ]
    assert list(by_other_names(statements)) == [
        {"Effect": "Allow", "Action": "sqs:SendMessageBatch", "Resource": "queue-1"},
        {"Effect": "Deny", "Action": "sqs:SendMessageBatch", "Resource": "queue-3"},
        {"Effect": "Allow", "Action": "sqs:DeleteMessageBatch", "Resource": "queue-4"},
        {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*"},
    ]

"""The mailbox: e-mail that SNS would send lies in a folder of the cloud, one file a message, as a person would get it.

Source: Amazon SNS Developer Guide, "Email notification setup" (subject and text; an alarm comes as words, not as
JSON) and "Confirming an Amazon SNS subscription". Nothing leaves this machine.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

FOLDER = "mail"
SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
CONFIRM_SUBJECT = "AWS Notification - Subscription Confirmation"
DEFAULT_SUBJECT = "AWS Notification Message"
KEPT_MAX = 1000
"""Messages; the oldest go. Addresses times alarms of a long rehearsal are far fewer."""


@dataclass(frozen=True)
class Mail:
    """One message as it lies there."""

    to: str
    subject: str
    at: str
    text: str


class Mailbox:
    """All messages to all addresses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._number = 0

    def deliver(self, to: str, subject: str, text: str) -> None:
        """Put a message there; a reader sees it whole or not at all."""
        message = EmailMessage(policy=policy.default)
        message["From"], message["To"], message["Subject"] = SENDER, to, subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message.set_content(text)
        with self._lock:
            self._folder.mkdir(exist_ok=True)
            self._number += 1
            path = self._folder / f"{self._number:06d}.eml"
            hidden = path.with_suffix(".part")
            hidden.write_bytes(bytes(message))
            hidden.rename(path)
            (self._folder / f"{self._number - KEPT_MAX:06d}.eml").unlink(missing_ok=True)

    def mails(self) -> list[Mail]:
        """Everything, the oldest first."""
        return [_read(path) for path in sorted(self._folder.glob("*.eml"))]


def _read(path: Path) -> Mail:
    found = message_from_bytes(path.read_bytes(), policy=policy.default)
    at = found["Date"].datetime.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = found.get_body()
    return Mail(str(found["To"]), str(found["Subject"]), at, body.get_content() if body else "")


def notification(message: str, topic_arn: str, endpoint: str) -> str:
    """The text of a notification: the message, an alarm's in words, and how to be told no more."""
    told = _alarm(message) or message
    return f"{told}\n\n--\nTo stop receiving notifications of {topic_arn} at {endpoint}, unsubscribe it in SNS.\n"


def confirmation(topic_arn: str, token: str) -> str:
    """What asks whether an address wants to be told."""
    return (
        f"You have chosen to subscribe to the topic:\n{topic_arn}\n\n"
        "To confirm this subscription, run (on AWS this is a link):\n"
        "  pilotlight local mail --confirm\n\n"
        f"Token: {token}\nIf this was not you, no action is necessary.\n"
    )


def _alarm(message: str) -> str:
    """An alarm's message in words; empty where it is none."""
    try:
        found: Any = json.loads(message)
    except ValueError:
        return ""
    if not isinstance(found, dict) or "AlarmName" not in found:
        return ""
    return (
        f'You are receiving this email because your Amazon CloudWatch Alarm "{found["AlarmName"]}" in the '
        f"{found.get('Region', '')} region has entered the {found.get('NewStateValue', '')} state, because "
        f'"{found.get("NewStateReason", "")}" at "{found.get("StateChangeTime", "")}".\n\n'
        f"Alarm Details:\n- Name: {found['AlarmName']}\n- Description: {found.get('AlarmDescription') or ''}"
    )

"""Subscriptions that have to be confirmed: e-mail addresses, and HTTPS endpoints that are not on this machine.

Source: Amazon SNS Developer Guide, "Confirming an Amazon SNS subscription"; API reference, ConfirmSubscription and
ListSubscriptionsByTopic (a pending one is listed as `PendingConfirmation`). A pending subscription gets nothing. What
is on this machine needs no confirmation here (docs/reference/local-cloud-gaps.md).
"""

from __future__ import annotations

import copy
import secrets
from typing import Any
from urllib.parse import urlsplit

from moto.core.responses import ActionResult
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend
from moto.sns.responses import SNSResponse

from pilotlight.local.overrides import original, override
from pilotlight.local.sns.mailbox import CONFIRM_SUBJECT, Mailbox, confirmation

BY_MAIL = ("email", "email-json")
LISTED = "PendingConfirmation"

_subscribe = original(SNSBackend, "subscribe")
_list = original(SNSBackend, "list_subscriptions")
_list_by_topic = original(SNSBackend, "list_subscriptions_by_topic")


def is_pending(subscription: Any) -> bool:
    """Whether nobody has confirmed it yet."""
    return str(subscription.attributes.get("PendingConfirmation", "")).lower() == "true"


def on_this_machine(endpoint: str) -> bool:
    """Whether an HTTP endpoint is on loopback."""
    host = urlsplit(endpoint).hostname or ""
    return host.startswith("127.") or host in ("localhost", "::1")


def confirm(subscription: Any) -> None:
    """Somebody has followed the link."""
    subscription.attributes |= {"PendingConfirmation": False, "ConfirmationWasAuthenticated": False}
    subscription.confirmed = True


def install(mailbox: Mailbox) -> None:
    """Put confirmation into moto's SNS."""

    def subscribe(self: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
        made = _subscribe(self, topic_arn, endpoint, protocol)
        away = protocol in ("http", "https") and not on_this_machine(endpoint)
        if (protocol in BY_MAIL or away) and not hasattr(made, "token"):
            made.token = secrets.token_hex(32)
            made.attributes |= {"PendingConfirmation": True, "ConfirmationWasAuthenticated": False}
            if protocol in BY_MAIL:
                mailbox.deliver(endpoint, CONFIRM_SUBJECT, confirmation(topic_arn, made.token))
        return made

    def list_subscriptions(self: Any, next_token: str | None = None) -> Any:
        found, following = _list(self, next_token)
        return [_as_listed(each) for each in found], following

    def list_subscriptions_by_topic(self: Any, topic_arn: str, next_token: str | None = None) -> Any:
        found, following = _list_by_topic(self, topic_arn, next_token)
        return [_as_listed(each) for each in found], following

    def confirm_subscription(self: Any) -> ActionResult:
        arn, token = self._get_param("TopicArn"), self._get_param("Token")
        for each in self.backend.subscriptions.values():
            if each.topic_arn == arn and getattr(each, "token", None) == token:
                confirm(each)
                return ActionResult({"SubscriptionArn": each.arn})
        raise SNSInvalidParameter("Invalid parameter: Token")

    override(
        SNSBackend,
        subscribe=subscribe,
        list_subscriptions=list_subscriptions,
        list_subscriptions_by_topic=list_subscriptions_by_topic,
    )
    override(SNSResponse, confirm_subscription=confirm_subscription)


def _as_listed(subscription: Any) -> Any:
    if not is_pending(subscription):
        return subscription
    listed = copy.copy(subscription)
    listed.arn = LISTED
    return listed

"""A notification of the user's that is lost is a pipeline of theirs that stands still; one of ours that is not there
is a failure that nobody hears of."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from pilotlight.deploy.bucket_events import ask, leave
from pilotlight.deploy.operations import Operations
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.buckets import notifications
from pilotlight.runtime.records.inventory import Inventory
from support.fake_aws import CORPUS, NAMES, FakeAws, inventory
from support.inventories import changed

ALL = inventory(databases=())
ONE = changed(ALL, datasets=ALL.datasets[:1])
ASSET = ONE.datasets[0]
ID = NAMES.rule(ASSET.name, "events")
THEIRS = {
    "TopicConfigurations": [{"Id": "a", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Events": ["s3:ObjectRemoved:*"]}],
    "QueueConfigurations": [
        {
            "Id": "index",
            "QueueArn": "arn:aws:sqs:us-east-1:1:index",
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "Suffix", "Value": ".json"}]}},
        }
    ],
    "LambdaFunctionConfigurations": [
        {"Id": "l", "LambdaFunctionArn": "arn:aws:lambda:us-east-1:1:function:f", "Events": ["s3:ObjectRestore:*"]}
    ],
    "EventBridgeConfiguration": {},
}
"""A configuration of all that there is; S3 answers names of filters with a capital."""


@dataclass
class S3:
    """One notification configuration a bucket."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    puts: list[dict[str, Any]] = field(default_factory=list)
    refusal: CallRefused | None = None

    def call(self, service: str, operation: str, region: str, **asked: Any) -> dict[str, Any]:
        assert (service, region) == ("s3", NAMES.primary)
        if operation == "get_bucket_notification_configuration":
            if asked["Bucket"] not in self.kept:
                raise refused(service, operation, region, "NoSuchBucket", "there is none")
            return {"ResponseMetadata": {}, **deepcopy(self.kept[asked["Bucket"]])}
        assert operation == "put_bucket_notification_configuration"
        if self.refusal:
            raise self.refusal
        self.puts.append(asked)
        self.kept[asked["Bucket"]] = deepcopy(asked["NotificationConfiguration"])
        return {}

    def pages(self, *asked: Any, **parameters: Any) -> Any:
        raise AssertionError


def _asked(s3: S3, one: Inventory = ONE) -> list[str]:
    said = list[str]()
    ask(s3, one, said.append)
    return said


def _left(s3: S3, before: Inventory | None, now: Inventory | None) -> list[str]:
    said = list[str]()
    leave(s3, before, now, said.append)
    return said


def _refusal(code: str, reason: str) -> CallRefused:
    return refused("s3", "put_bucket_notification_configuration", NAMES.primary, code, reason)


@pytest.mark.parametrize("theirs", [{}, THEIRS, {"EventBridgeConfiguration": {}}])
def test_all_of_the_users_stays_as_it_is_and_none_of_their_consumers_gets_a_test_message(
    theirs: dict[str, Any],
) -> None:
    s3 = S3({CORPUS: deepcopy(theirs)})
    assert len(_asked(s3)) == 1
    (put,) = s3.puts
    assert put["SkipDestinationValidation"] is True
    ours = [each for each in s3.kept[CORPUS]["QueueConfigurations"] if each["Id"] == ID]
    assert [(each["QueueArn"], set(each["Events"])) for each in ours] == [
        (NAMES.events_queue_arn, set(notifications.TOLD))
    ]
    assert notifications.without_ours(s3.kept[CORPUS], NAMES, ASSET.name) == theirs
    assert _asked(s3) == [] and len(s3.puts) == 1, "what is there is not written again"
    assert _left(s3, ONE, None) and s3.kept[CORPUS] == theirs
    assert _left(s3, ONE, None) == [] and len(s3.puts) == 2


def test_what_s3_tells_in_its_own_order_and_with_its_own_capitals_is_ours_still() -> None:
    folder = replace(ASSET, prefix="runs of may/ä/")
    wanted = notifications.wanted(NAMES, folder)
    (rule,) = wanted["Filter"]["Key"]["FilterRules"]
    assert rule == {"Name": "prefix", "Value": "runs+of+may/%C3%A4/"}
    told = wanted | {"Events": sorted(wanted["Events"], reverse=True)}
    told["Filter"] = {"Key": {"FilterRules": [{"Name": "Prefix", "Value": rule["Value"]}]}}
    s3 = S3({CORPUS: {"QueueConfigurations": [told]}})
    assert not notifications.missing(s3, ONE, folder)
    assert notifications.missing(s3, ONE, replace(folder, prefix="another/"))


@pytest.mark.parametrize(
    "change", [{"QueueArn": "arn:aws:sqs:us-east-1:1:other"}, {"Events": list(notifications.TOLD[:1])}, {"Id": "x"}]
)
def test_an_entry_that_says_something_else_is_missing_and_is_put_right(change: dict[str, Any]) -> None:
    s3 = S3({CORPUS: {"QueueConfigurations": [notifications.wanted(NAMES, ASSET) | change]}})
    assert notifications.missing(s3, ONE, ASSET)
    _asked(s3)
    assert not notifications.missing(s3, ONE, ASSET)


def test_where_another_entry_is_in_the_way_what_is_lost_is_said_and_up_goes_on() -> None:
    overlap = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
    s3 = S3({CORPUS: {}}, refusal=_refusal("InvalidArgument", overlap))
    (sentence,) = _asked(s3)
    assert CORPUS in sentence and "Configurations overlap" in sentence and "by full comparisons alone" in sentence
    for code, reason in (("AccessDenied", "no"), ("InvalidArgument", "Unable to validate")):
        with pytest.raises(CallRefused):
            _asked(S3({CORPUS: {}}, refusal=_refusal(code, reason)))


def test_a_bucket_that_is_given_up_tells_no_more_and_one_that_is_gone_needs_nothing() -> None:
    s3 = S3({CORPUS: deepcopy(THEIRS)})
    _asked(s3)
    assert _left(s3, ONE, ONE) == [] and _left(s3, None, ONE) == []
    other = changed(ONE, datasets=(replace(ASSET, primary_bucket="another"),))
    assert _left(s3, ONE, other) and s3.kept[CORPUS] == THEIRS
    assert _left(S3(), ONE, None) == []


def test_what_cannot_be_read_is_not_taken_for_missing() -> None:
    with pytest.raises(CallRefused):
        notifications.missing(S3(), ONE, ASSET)


def test_a_region_that_is_dark_ends_no_up_of_the_region_that_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the standby lacks on that day could not be put right."""
    dark = RegionUnreachable(region=NAMES.primary, service="s3", operation="get_bucket_notification_configuration")
    aws, said = FakeAws(FakeClock()), list[str]()
    aws.dark.add(NAMES.primary)
    engine = SimpleNamespace(update=lambda *given, **named: "updated", held=lambda stack: [])
    acts = Operations(ONE, engine, say=said.append)  # type: ignore[arg-type]
    assert acts._update(aws, "primary", lambda: None) == "updated"
    assert len(said) == 1 and dark.message in said[0] and "next `up`" in said[0]

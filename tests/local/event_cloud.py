"""An embedded cloud inside the test process, with the behaviours that react to events, and short ways to fill it."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from moto.moto_api._internal.models import moto_api_backend

from pilotlight.local.cloudwatch.alarms import Alarms
from pilotlight.local.events.schedules import Schedules
from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.lambda_.runtime import LambdaRuntime
from pilotlight.local.sns.notifications import Notifications
from pilotlight.local.station import Station
from pilotlight.local.traffic.dns import Dns
from pilotlight.local.traffic.front_door import FrontDoor
from pilotlight.local.traffic.load_balancers import LoadBalancers

PRIMARY, STANDBY = "us-east-1", "us-west-2"
T = TypeVar("T")


@contextmanager
def running(directory: Path, pace: float = 60.0) -> Iterator[Cloud]:
    """The event behaviours behind the real gateway; AWS runs 60 times faster unless said otherwise."""
    moto_api_backend.reset()
    cloud = Cloud(directory, (PRIMARY, STANDBY), pace=pace)
    station = Station(cloud, shutdown=lambda: None)
    station.open([FrontDoor(), Dns(), LoadBalancers(), LambdaRuntime(), Notifications(), Alarms(), Schedules()])
    try:
        yield cloud
    finally:
        station.close()
        moto_api_backend.reset()


def client(cloud: Cloud, service: str, region: str = STANDBY) -> Any:
    """A client of the cloud, made once: boto3 reads megabytes of models for each."""
    kept: dict[tuple[str, str], Any] = cloud.__dict__.setdefault("clients_of_tests", {})
    if (service, region) not in kept:
        kept[service, region] = cloud.client(service, region)
    return kept[service, region]


def eventually(look: Callable[[], T], seconds: float = 30.0) -> T:
    """What `look` returns once it is true; the last thing it returned when the time is up."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def make_role(cloud: Cloud, name: str, service: str, *actions: str) -> str:
    """A role that the service may assume and that may do these actions on everything."""
    iam = client(cloud, "iam", PRIMARY)
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if actions:
        allow = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
    return arn


def archive(**files: str) -> bytes:
    """A deployment archive of Python modules, by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        for name, text in files.items():
            content.writestr(f"{name}.py", text)
    return buffer.getvalue()


def make_function(cloud: Cloud, name: str, code: str, *, region: str = STANDBY, **given: Any) -> str:
    """A deployed function whose handler is `app.handler`; its ARN."""
    role = given.pop("role", None) or make_role(
        cloud, f"{name}-role", "lambda.amazonaws.com", "logs:*", "sts:GetCallerIdentity"
    )
    settings = {"Runtime": "python3.12", "Handler": "app.handler", "Timeout": 5, "Role": role} | given
    created = client(cloud, "lambda", region).create_function(
        FunctionName=name, Code={"ZipFile": archive(app=code)}, **settings
    )
    return str(created["FunctionArn"])


def log_lines(cloud: Cloud, function: str, region: str = STANDBY) -> list[str]:
    """Every line the function left in CloudWatch Logs."""
    group = cloud.backend("logs", region).groups.get(f"/aws/lambda/{function}")
    streams = list(group.streams.values()) if group else []
    return [event.message for stream in streams for event in stream.events]


def recorder(cloud: Cloud, name: str, region: str = STANDBY) -> tuple[str, Callable[[], list[Any]]]:
    """A function that prints its events, and a way to read them."""
    arn = make_function(cloud, name, RECORDER, region=region)

    def events() -> list[Any]:
        lines = log_lines(cloud, name, region)
        return [json.loads(line.removeprefix("EVENT ")) for line in lines if line.startswith("EVENT ")]

    return arn, events


RECORDER = """
import json
def handler(event, context):
    print("EVENT " + json.dumps(event))
"""


def metric_sum(cloud: Cloud, region: str, namespace: str, name: str) -> float:
    """All that was ever counted of a metric in a region."""
    stored = cloud.backend("cloudwatch", region).metric_data
    return sum(each.value for each in stored if each.namespace == namespace and each.name == name)

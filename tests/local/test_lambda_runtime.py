"""A function must run as it will in AWS: from its archive alone, as its role, within its time."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_cloud import STANDBY, archive, client, eventually, log_lines, make_function, make_role, metric_sum, running

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.lambda_.errors import NotPermitted
from pilotlight.local.lambda_.runtime import LambdaRuntime


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as started:
        yield started


def call(cloud: Cloud, function: str, event: Any = None, **given: Any) -> dict[str, Any]:
    answer = client(cloud, "lambda").invoke(FunctionName=function, Payload=json.dumps(event or {}), **given)
    return {**answer, "Value": json.loads(answer["Payload"].read() or b"null")}


def test_a_function_that_forgot_a_library_fails_here_and_not_first_in_the_disaster(cloud: Cloud) -> None:
    make_function(
        cloud,
        "island",
        """
import importlib, sys
def found(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
def handler(event, context):
    return {name: found(name) for name in event}, sys.path
""",
    )
    names = ["boto3", "botocore", "urllib3", "pulumi", "moto", "pilotlight", "pydantic", "psycopg", "yaml", "pip"]
    seen, path = call(cloud, "island", names)["Value"]
    assert [name for name in names if seen[name]] == ["boto3", "botocore", "urllib3"]
    assert not [folder for folder in path if "site-packages" in folder]


def test_code_runs_as_its_role_with_the_documented_environment(cloud: Cloud) -> None:
    make_function(
        cloud,
        "who",
        """
import os, boto3
def handler(event, context):
    arn = boto3.client("sts").get_caller_identity()["Arn"]
    return {"arn": arn, "environment": dict(os.environ), "left": context.get_remaining_time_in_millis(),
            "name": context.function_name, "invoked": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb, "request": context.aws_request_id}
""",
        Environment={"Variables": {"MODE": "drill"}},
        MemorySize=256,
    )
    value = call(cloud, "who")["Value"]
    environment = value["environment"]
    assert value["arn"].endswith("assumed-role/who-role/who")
    assert (value["name"], value["memory"]) == ("who", "256") and value["invoked"].endswith(":function:who")
    assert 4000 < value["left"] <= 5000 and len(value["request"]) == 36
    assert (environment["MODE"], environment["AWS_REGION"], environment["TZ"]) == ("drill", STANDBY, ":UTC")
    assert environment["_HANDLER"] == "app.handler" and environment["http_proxy"] == cloud.front_door_url
    assert not {"HOME", "VIRTUAL_ENV", "PYTHONPATH"} & set(environment)


def test_a_warm_environment_is_kept(cloud: Cloud) -> None:
    code = "import boto3, os\ncalls = []\ndef handler(event, context):\n    calls.append(1)\n    return len(calls)\n"
    make_function(cloud, "warm", code)
    assert call(cloud, "warm")["Value"] == 1
    assert [call(cloud, "warm")["Value"] for _ in range(2)] == [2, 3]


def test_new_code_and_new_configuration_get_new_environments(cloud: Cloud) -> None:
    make_function(cloud, "changing", "def handler(event, context):\n    return 'old'\n")
    functions = client(cloud, "lambda")
    assert call(cloud, "changing")["Value"] == "old"
    functions.update_function_code(
        FunctionName="changing",
        ZipFile=archive(app="import os\ndef handler(event, context):\n    return os.environ.get('MODE', 'new')\n"),
    )
    assert call(cloud, "changing")["Value"] == "new"
    functions.update_function_configuration(FunctionName="changing", Environment={"Variables": {"MODE": "newest"}})
    assert call(cloud, "changing")["Value"] == "newest"


def test_code_comes_from_a_bucket_too(cloud: Cloud) -> None:
    s3 = client(cloud, "s3")
    s3.create_bucket(Bucket="archives", CreateBucketConfiguration={"LocationConstraint": STANDBY})
    s3.put_object(Bucket="archives", Key="a.zip", Body=archive(app="def handler(event, context):\n    return 'S3'\n"))
    client(cloud, "lambda").create_function(
        FunctionName="from-bucket",
        Runtime="python3.12",
        Handler="app.handler",
        Role=make_role(cloud, "from-bucket", "lambda.amazonaws.com"),
        Code={"S3Bucket": "archives", "S3Key": "a.zip"},
    )
    assert call(cloud, "from-bucket")["Value"] == "S3"


def test_a_function_that_takes_too_long_is_killed_and_says_so(cloud: Cloud) -> None:
    make_function(cloud, "slow", "import time\ndef handler(event, context):\n    time.sleep(600)\n", Timeout=1)
    answer = call(cloud, "slow", LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in answer["Value"]["errorMessage"]
    assert "Task timed out after 1.00 seconds" in base64.b64decode(answer["LogResult"]).decode()


@pytest.mark.parametrize(
    ("name", "code", "handler", "kind"),
    [
        ("raises", "def handler(event, context):\n    raise ValueError('torn')\n", "app.handler", "ValueError"),
        ("no-module", "", "missing.handler", "Runtime.ImportModuleError"),
        ("no-import", "import pulumi\n", "app.handler", "Runtime.ImportModuleError"),
        ("no-handler", "", "app.handler", "Runtime.HandlerNotFound"),
        ("bad-syntax", "def handler(:\n", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("exits", "import os\ndef handler(event, context):\n    os._exit(3)\n", "app.handler", "Runtime.ExitError"),
        ("no-json", "def handler(event, context):\n    return {1, 2}\n", "app.handler", "Runtime.MarshalError"),
    ],
)
def test_errors_carry_the_name_that_aws_gives_them(cloud: Cloud, name: str, code: str, handler: str, kind: str) -> None:
    make_function(cloud, name, code, Handler=handler)
    answer = call(cloud, name)
    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled"
    assert answer["Value"]["errorType"] == kind


def test_an_error_shows_where_it_happened(cloud: Cloud) -> None:
    make_function(cloud, "traced", "def handler(event, context):\n    raise KeyError('shard')\n")
    report = call(cloud, "traced")["Value"]
    assert report["errorMessage"] == "'shard'" and "line 2, in handler" in report["stackTrace"][0]


def test_logs_arrive_in_cloudwatch_with_start_end_and_report(cloud: Cloud) -> None:
    make_function(cloud, "logging", "def handler(event, context):\n    print('probe beat')\n")
    call(cloud, "logging")
    lines = log_lines(cloud, "logging")
    assert [line.split()[0] for line in lines] == ["START", "probe", "END", "REPORT"]
    assert "Init Duration" in lines[-1]


def test_several_events_at_once_get_environments_of_their_own(cloud: Cloud) -> None:
    make_function(cloud, "wide", "import os, time\ndef handler(e, c):\n    time.sleep(0.5)\n    return os.getpid()\n")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(call(cloud, "wide")["Value"])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 3


def test_a_failed_asynchronous_event_is_tried_three_times_and_then_counted_as_lost(cloud: Cloud) -> None:
    make_function(cloud, "failing", "def handler(event, context):\n    raise RuntimeError('again')\n")
    assert call(cloud, "failing", InvocationType="Event")["StatusCode"] == 202
    assert eventually(lambda: metric_sum(cloud, STANDBY, "AWS/Lambda", "AsyncEventsDropped")) == 1
    starts = [line.split()[2] for line in log_lines(cloud, "failing") if line.startswith("START")]
    assert len(starts) == 3 and len(set(starts)) == 1


def test_a_function_without_concurrency_is_throttled(cloud: Cloud) -> None:
    make_function(cloud, "stopped", "def handler(event, context):\n    return 1\n")
    functions = client(cloud, "lambda")
    functions.put_function_concurrency(FunctionName="stopped", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        functions.invoke(FunctionName="stopped")
    functions.delete_function_concurrency(FunctionName="stopped")
    assert call(cloud, "stopped")["Value"] == 1


def test_a_dry_run_runs_nothing(cloud: Cloud) -> None:
    make_function(cloud, "dry", "def handler(event, context):\n    print('ran')\n")
    assert call(cloud, "dry", InvocationType="DryRun")["StatusCode"] == 204
    assert log_lines(cloud, "dry") == []


def test_a_service_without_permission_cannot_invoke(cloud: Cloud) -> None:
    arn = make_function(cloud, "guarded", "def handler(event, context):\n    print('in')\n")
    runtime = cloud.behaviour(LambdaRuntime)
    topic = f"arn:aws:sns:{STANDBY}:{cloud.account}:alerts"
    given: dict[str, str] = {"source_service": "sns.amazonaws.com", "source_arn": topic}
    with pytest.raises(NotPermitted, match=r"sns\.amazonaws\.com is not authorized"):
        runtime.invoke(STANDBY, arn, b"{}", **given)
    client(cloud, "lambda").add_permission(
        FunctionName="guarded",
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    with pytest.raises(NotPermitted):
        runtime.invoke(STANDBY, arn, b"{}", source_service="sns.amazonaws.com", source_arn=f"{topic}-other")
    runtime.invoke(STANDBY, arn, b"{}", **given)
    assert eventually(lambda: "in" in log_lines(cloud, "guarded"))


def test_events_for_a_dark_region_wait_and_running_ones_freeze(cloud: Cloud) -> None:
    code = "import time\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n    print('done')\n"
    arn = make_function(cloud, "frozen", code, Timeout=2)
    runtime = cloud.behaviour(LambdaRuntime)
    runtime.invoke(STANDBY, arn, b'{"sleep": 1}')
    time.sleep(0.6)
    cloud.darken(STANDBY)
    try:
        runtime.invoke(STANDBY, arn, b"{}")
        time.sleep(2.5)
        assert log_lines(cloud, "frozen") == []
    finally:
        cloud.lighten(STANDBY)
    assert eventually(lambda: log_lines(cloud, "frozen").count("done") == 2)


def test_what_could_never_run_is_refused_when_it_is_created(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match=r"reserved keys.*AWS_REGION"):
        make_function(cloud, "greedy", "", Environment={"Variables": {"AWS_REGION": "us-east-1"}})
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        make_function(cloud, "untrusted", "", role=make_role(cloud, "untrusted", "ec2.amazonaws.com"))
    with pytest.raises(ClientError, match="Could not unzip"):
        client(cloud, "lambda").create_function(
            FunctionName="not-a-zip",
            Runtime="python3.12",
            Handler="app.handler",
            Role=make_role(cloud, "not-a-zip", "lambda.amazonaws.com"),
            Code={"ZipFile": b"no zip"},
        )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"Runtime": "nodejs22.x"}, "the runtime nodejs22.x"),
        ({"Layers": ["arn:aws:lambda:us-west-2:123456789012:layer:tools:1"]}, "functions with layers"),
    ],
)
def test_what_cannot_run_here_is_refused_rather_than_run_differently(
    cloud: Cloud, given: dict[str, Any], why: str
) -> None:
    with pytest.raises(ClientError, match=f"does not run {why}"):
        make_function(cloud, why.split()[-1].replace(".", "-"), "", **given)


def test_a_role_that_may_not_log_leaves_no_logs(cloud: Cloud) -> None:
    role = make_role(cloud, "silent", "lambda.amazonaws.com")
    make_function(cloud, "silent", "def handler(event, context):\n    print('unheard')\n    return 1\n", role=role)
    assert call(cloud, "silent")["Value"] == 1
    assert log_lines(cloud, "silent") == []

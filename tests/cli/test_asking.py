"""What a user loses when this fails: hours, in which a dark region waits for a word that nobody was asked for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pilotlight.cli.main import run
from pilotlight.local.handle import LocalCloud

ONCALL = "oncall@example.com"
DECLARATION = f"""
version: 1
workload: quiet
regions: {{primary: us-east-1, standby: us-west-2}}
objectives: {{rpo: 1h, rto: 1h}}
points: {{every: 1m}}
notify: {{email: [{ONCALL}]}}
assets:
  data: {{kind: dataset, bucket: quiet-data}}
"""
WAIT_SECONDS = 90.0
"""Three unhealthy minutes are six seconds here; a busy machine takes many times that."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A bucket that somebody filled, and nothing that anybody asks from outside."""
    before = dict(os.environ)
    with LocalCloud.start(tmp_path_factory.mktemp("cloud") / "cloud") as started:
        started.hold_schedules()
        os.environ.update(started.environment())
        s3 = started.client("s3", "us-east-1")
        s3.create_bucket(Bucket="quiet-data")
        s3.put_bucket_versioning(Bucket="quiet-data", VersioningConfiguration={"Status": "Enabled"})
        for number in range(5):
            s3.put_object(Bucket="quiet-data", Key=f"shard/{number}", Body=b"from before the rule")
        yield started
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def declaration(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("declared") / "workload.yaml"
    path.write_text(DECLARATION)
    return str(path)


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


@pytest.mark.long
def test_a_dark_region_without_traffic_is_asked_about_by_mail_and_the_words_in_it_work(
    cloud: LocalCloud, declaration: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def pilotlight(*words: str) -> int:
        capsys.readouterr()
        return run([*words, "--directory", str(cloud.directory)])

    def status(wanted: int) -> dict[str, Any]:
        code = pilotlight("status", declaration, "--json")
        found = dict(json.loads(capsys.readouterr().out))
        return found if code == wanted else {}

    assert pilotlight("up", declaration) == 0
    found = eventually(lambda: (each := status(7)) and each["assets"][0]["why"].startswith("5 object(s)") and each)
    assert found["assets"][0]["state"] == "UNPROTECTED", "what is from before the rule is not on its way"
    assert f"not everybody would be asked: {ONCALL} (not confirmed); nobody would be" in found["problems"]
    assert pilotlight("local", "mail", "--confirm") == 0
    assert "Subscription Confirmation" in capsys.readouterr().out
    assert pilotlight("backfill", declaration) == 0
    found = eventually(lambda: status(0))
    assert found and found["assets"][0]["state"] == "PROTECTED" and not found["request"]

    cloud.dark("us-east-1")
    mail = eventually(lambda: [each for each in cloud.mail() if "waits for your word" in each["subject"]])
    assert mail and mail[0]["to"] == ONCALL
    assert "data: up to " in mail[0]["text"] and "EC2 in us-east-1 does not answer" in mail[0]["text"]
    command = next(line.split() for line in mail[0]["text"].splitlines() if "--approve" in line)
    found = status(7)
    assert found["problems"][0].startswith("a failover waits for a person") and found["request"]["told_at"]
    assert found["active"]["region"] == "us-east-1" and found["assets"][0]["state"] == "UNKNOWN"
    words = [declaration if each == "workload.yaml" else each for each in command[1:]]
    assert pilotlight(*words) == 0
    found = status(7)
    assert found["active"]["region"] == "us-west-2" and not found["request"]
    assert found["assets"][0]["state"] == "UNPROTECTED" and "no copy in another region" in found["assets"][0]["why"]

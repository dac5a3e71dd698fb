"""Why nothing happens: walks the chain from probe to commit and names the first link that is broken.

Everything is looked up where an operator would look: run journals, alarms and their actions, function logs, rules,
denied calls. The answer is one sentence per finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pilotlight.demo.scene import Scene
from pilotlight.runtime.naming import ACTIVE_UNHEALTHY

LOG_LINES_MAX = 3
LINE_CHARACTERS_MAX = 300
NO_RULE = "ReplicationConfigurationNotFoundError"
TROUBLE = ("rror", "timed out")
FUNCTIONS = ("probe", "protect", "recover")
NOTHING = "every link from the probe to the run looks right; the call record (`pilotlight local calls`) has the rest"


def diagnose(scene: Scene) -> str:
    """What is broken, in sentences."""
    links: tuple[Callable[[Scene], Iterator[str]], ...] = (_runs, _rules, _alarm, _denied, _logs)
    found = [sentence for link in links for sentence in link(scene)]
    return "; ".join(dict.fromkeys(found)) or NOTHING


def _runs(scene: Scene) -> Iterator[str]:
    for journal in scene.recovery.runs()[:1]:
        yield f"run {journal.run} {journal.state}" + (f": {journal.reason}" if journal.reason else "")


def _rules(scene: Scene) -> Iterator[str]:
    """Replication rules that are not there; asked only where the primary answers."""
    if scene.stage.cloud.status()["dark"]:
        return
    s3 = scene.stage.cloud.client("s3", scene.primary)
    for asset in scene.built.datasets:
        try:
            s3.get_bucket_replication(Bucket=asset.primary_bucket)
        except s3.exceptions.ClientError as problem:
            code, where = problem.response["Error"]["Code"], f"s3://{asset.primary_bucket} in {scene.primary}"
            found = "has no replication rule" if code == NO_RULE else "does not show its replication rules"
            yield f"{asset.name}: {where} {found} ({code})"


def _alarm(scene: Scene) -> Iterator[str]:
    name = scene.names.alarm(ACTIVE_UNHEALTHY)
    alarms = scene.stage.cloud.client("cloudwatch", scene.standby).describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not alarms:
        yield f"alarm {name} does not exist in {scene.standby}"
    elif not alarms[0]["AlarmActions"]:
        yield f"alarm {name} in {scene.standby} is {alarms[0]['StateValue']} and has no action: nobody is told"
    elif scene.disaster_at and alarms[0]["StateValue"] != "ALARM":
        yield f"alarm {name} in {scene.standby} is {alarms[0]['StateValue']}: {alarms[0].get('StateReason', '')}"


def _denied(scene: Scene) -> Iterator[str]:
    """Calls that one of our roles was refused."""
    for call in scene.stage.cloud.calls(principal=f"pilotlight-{scene.workload.workload}"):
        if "AccessDenied" in call.outcome or "Unauthorized" in call.outcome:
            role = call.principal.split("/")[-2] if call.principal.count("/") > 1 else call.principal
            yield f"{role} is not allowed {call.service}:{call.operation} in {call.region}"


def _logs(scene: Scene) -> Iterator[str]:
    """Errors that functions wrote."""
    logs = scene.stage.cloud.client("logs", scene.standby)
    for purpose in FUNCTIONS:
        group = f"/aws/lambda/{scene.names.function(purpose)}"
        try:
            events = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            continue
        lines = [each["message"].strip() for each in events if any(word in each["message"] for word in TROUBLE)]
        for line in lines[-LOG_LINES_MAX:]:
            yield f"{scene.names.function(purpose)} said: {line[:LINE_CHARACTERS_MAX]}"

"""The standby stack waits: nothing runs, everything is ready, and deploying again does not stop what serves."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path

import pytest
from stack_recording import Recording, record
from stack_samples import NAMES, inventory

from pilotlight.runtime.naming import ALARMS
from pilotlight.runtime.records.inventory import Notify
from pilotlight.stacks import program
from pilotlight.stacks.alarms import alarm_specs
from pilotlight.stacks.monitoring import monitoring_spec
from support.inventories import changed

GLOBAL = {"Role", "RolePolicy", "InstanceProfile", "HealthCheck", "Record"}


def test_everything_but_iam_and_dns_says_that_it_is_in_the_standby_region(standby: Recording) -> None:
    regional = [each for each in standby.custom if each.kind not in GLOBAL]
    assert {each.inputs.get("region") for each in regional} == {"us-west-2"}
    assert all("region" not in each.inputs for each in standby.custom if each.kind in GLOBAL)


def test_every_resource_belongs_to_a_component(standby: Recording, vault: Recording, primary: Recording) -> None:
    for recording in (vault, primary, standby):
        assert all("pilotlight:stacks:" in each.parent for each in recording.custom)


def test_the_network_has_two_zones_and_a_way_out_before_anything_needs_it(standby: Recording) -> None:
    zones = {each.inputs["availabilityZone"] for each in standby.all("Subnet")}
    assert zones == {"us-west-2a", "us-west-2b"}
    assert "network-us-west-2a-routes" in standby.one("traffic-balancer").dependencies
    assert "network-way-out" in standby.one("network-us-west-2a-routes").dependencies


def test_the_database_answers_to_the_fleet_alone(standby: Recording) -> None:
    ingress = standby.one("network-database").inputs["ingress"]
    assert [(each["fromPort"], each["securityGroups"]) for each in ingress] == [(5432, ["network-fleet-id"])]
    fleet = standby.one("network-fleet").inputs["ingress"]
    assert [(each["fromPort"], each["securityGroups"]) for each in fleet] == [(8080, ["network-balancer-id"])]


def test_the_secondary_matches_the_primary_and_has_an_instance_to_promote(standby: Recording) -> None:
    cluster = next(each for each in standby.all("Cluster") if each.name == "registry").inputs
    assert (cluster["engine"], cluster["engineVersion"]) == ("aurora-postgresql", "16.6")
    assert cluster["globalClusterIdentifier"] == NAMES.global_cluster("registry")
    assert cluster["clusterIdentifier"] == NAMES.standby_cluster("registry")
    assert len(standby.all("ClusterInstance")) == 1


def test_deploying_after_a_failover_does_not_detach_the_database_that_serves(standby: Recording) -> None:
    cluster = next(each for each in standby.all("Cluster") if each.name == "registry")
    assert cluster.protect
    assert {"globalClusterIdentifier", "replicationSourceIdentifier"} <= set(cluster.ignored)


def test_deploying_after_a_failover_does_not_scale_the_fleet_back_to_zero(standby: Recording) -> None:
    group = next(each for each in standby.all("Group") if each.name == "fleet")
    named = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification"
    assert {"desiredCapacity", "minSize", "maxSize", named} == set(group.ignored)


def test_the_group_waits_at_zero_with_its_instance_types_in_order(standby: Recording) -> None:
    group = next(each for each in standby.all("Group") if each.name == "fleet").inputs
    assert (group["minSize"], group["desiredCapacity"], group["maxSize"]) == (0, 0, 1)
    policy = group["mixedInstancesPolicy"]
    assert [each["instanceType"] for each in policy["launchTemplate"]["overrides"]] == ["g5.xlarge", "g4dn.xlarge"]
    assert policy["instancesDistribution"]["onDemandAllocationStrategy"] == "prioritized"
    assert policy["instancesDistribution"]["onDemandPercentageAboveBaseCapacity"] == 100


def test_a_template_version_added_by_a_run_is_the_one_that_starts(standby: Recording) -> None:
    group = next(each for each in standby.all("Group") if each.name == "fleet").inputs
    named = group["mixedInstancesPolicy"]["launchTemplate"]["launchTemplateSpecification"]
    assert named == {"launchTemplateId": "fleet-template-id", "version": "$Latest"}
    assert group["targetGroupArns"] == ["arn:of:traffic-targets"]
    assert group["healthCheckType"] == "ELB"


def test_the_template_starts_the_copied_image_with_the_standby_databases_endpoint(standby: Recording) -> None:
    template = standby.one("fleet-template").inputs
    assert template["imageId"] == "fleet-image-id"
    plain = base64.b64decode(template["userData"]).decode()
    assert "DATABASE=registry.cluster.example:5432\n" in plain


def test_data_volumes_outlive_the_instance_that_wrote_them(standby: Recording) -> None:
    mappings = {each["deviceName"]: each["ebs"] for each in standby.one("fleet-template").inputs["blockDeviceMappings"]}
    assert [mappings[device]["deleteOnTermination"] for device in ("/dev/sdf", "/dev/sdg")] == ["false", "false"]


def test_functions_run_the_deployed_archive_and_know_only_where_the_records_are(standby: Recording) -> None:
    timeouts = {each.inputs["name"]: each.inputs["timeout"] for each in standby.all("Function")}
    assert timeouts == {NAMES.function("probe"): 30, NAMES.function("protect"): 900, NAMES.function("recover"): 900}
    for each in standby.all("Function"):
        assert each.inputs["handler"] == f"pilotlight.runtime.handlers.{each.name}.handler"
        assert set(each.inputs["environment"]["variables"]) == {
            "PILOTLIGHT_WORKLOAD",
            "PILOTLIGHT_VAULT_BUCKET",
            "PILOTLIGHT_JOURNAL_TABLE",
            "PILOTLIGHT_STANDBY_REGION",
        }
        assert each.inputs["environment"]["variables"]["PILOTLIGHT_VAULT_BUCKET"] == NAMES.vault_bucket
        assert "reservedConcurrentExecutions" not in each.inputs


def test_probe_and_protect_fire_on_their_own(standby: Recording) -> None:
    expressions = {each.name: each.inputs["scheduleExpression"] for each in standby.all("Schedule")}
    assert expressions == {"monitoring-probe": "rate(1 minute)", "monitoring-protect": "rate(1 minute)"}
    assert standby.one("monitoring-probe").inputs["target"]["arn"] == "arn:of:probe"
    assert all(each.inputs["state"] == "ENABLED" for each in standby.all("Schedule"))


def test_three_unhealthy_minutes_in_a_row_reach_the_function_that_recovers(standby: Recording) -> None:
    alarm = standby.one("monitoring-active-unhealthy").inputs
    assert (alarm["metricName"], alarm["statistic"], alarm["comparisonOperator"]) == (
        "ActiveHealthy",
        "Minimum",
        "LessThanThreshold",
    )
    assert (alarm["period"], alarm["evaluationPeriods"], alarm["datapointsToAlarm"]) == (60, 3, 3)
    assert alarm["alarmActions"] == ["arn:of:monitoring-topic"]
    subscription = standby.one("monitoring-subscription").inputs
    assert (subscription["protocol"], subscription["endpoint"]) == ("lambda", "arn:of:recover")
    permission = standby.one("monitoring-permission").inputs
    assert (permission["principal"], permission["sourceArn"]) == ("sns.amazonaws.com", "arn:of:monitoring-topic")


def test_missing_data_starts_no_failover_but_a_silent_probe_is_told(standby: Recording) -> None:
    missing = {each.name: each.inputs["treatMissingData"] for each in standby.all("MetricAlarm")}
    assert missing["monitoring-active-unhealthy"] == "ignore"
    assert missing["monitoring-standby-active"] == "ignore"
    for name in ("active-unknown", "probe-silent", "points-stale", "protect-silent"):
        assert missing[f"monitoring-{name}"] == "breaching", "what is not known is not good"


def test_what_may_be_silent_with_lambda_reaches_people_without_it(standby: Recording) -> None:
    goes = {each.name: each.inputs["alarmActions"] for each in standby.all("MetricAlarm")}
    of_functions = ("recover-errors", "recover-throttled", "recover-dropped", "probe-errors", "protect-errors")
    for name in ("probe-silent", "protect-silent", *of_functions):
        assert goes[f"monitoring-{name}"] == ["arn:of:monitoring-people"]
        assert "`pilotlight" in standby.one(f"monitoring-{name}").inputs["alarmDescription"]
    for name in ("active-unknown", "points-stale", "unreplicated", "protect-failing"):
        assert goes[f"monitoring-{name}"] == ["arn:of:monitoring-topic"]
    assert standby.one("monitoring-active-unhealthy").inputs["okActions"] == ["arn:of:monitoring-topic"]
    assert {f"monitoring-{each}" for each in ALARMS} == set(goes), "`status` looks at these"


@pytest.mark.parametrize(
    ("every", "objective", "bound"), [(60, 60, 180), (3600, 900, 4500), (3600, 7200, 7200), (60, 86400, 180)]
)
def test_points_are_stale_after_three_intervals_or_the_objective(
    every: float, objective: float, bound: float, archive: Path
) -> None:
    taken = dataclasses.replace(inventory(), every_seconds=every, rpo_seconds=objective)
    alarms = {each.purpose: each for each in monitoring_spec(taken).alarms}
    assert alarms["points-stale"].threshold == bound
    assert alarms["protect-silent"].threshold == 3 * every


def test_whom_the_declaration_names_is_subscribed_to_what_people_are_told(archive: Path) -> None:
    notify = Notify(("oncall@example.com",), ("https://alerts.example.com/hook",))
    recording = record(lambda: program.standby(dataclasses.replace(inventory(), notify=notify), archive))
    found = {each.inputs["protocol"]: each.inputs for each in recording.all("TopicSubscription")}
    assert found["email"]["topic"] == found["https"]["topic"] == "arn:of:monitoring-people"
    assert found["email"]["endpoint"] == "oncall@example.com"
    assert found["lambda"]["topic"] == "arn:of:monitoring-topic", "people's messages start no run"


def test_every_alarm_watches_this_workload_and_no_other(standby: Recording) -> None:
    names, watched = inventory().names, set()
    for alarm in standby.all("MetricAlarm"):
        if alarm.inputs["namespace"] == "AWS/Lambda":
            watched.add((alarm.inputs["dimensions"]["FunctionName"], alarm.inputs["metricName"]))
        else:
            assert alarm.inputs["namespace"] == "Pilotlight"
            assert alarm.inputs["dimensions"] == {"Workload": "inference"}
    errors = {(names.function(each), "Errors") for each in ("probe", "protect", "recover")}
    assert watched == errors | {(names.function("recover"), each) for each in ("Throttles", "AsyncEventsDropped")}


@pytest.mark.parametrize(("every", "window"), [(60, (60, 3)), (90, (120, 3)), (86400, (86400, 3)), (86401, (86400, 1))])
def test_runs_that_are_more_than_a_day_apart_ring_all_the_same(every: float, window: tuple[int, int]) -> None:
    """Three periods in a row never have data where a run comes every other day."""
    alarms = {each.purpose: each for each in alarm_specs(dataclasses.replace(inventory(), every_seconds=every))}
    for purpose in ("unreplicated", "protect-failing", "protect-errors"):
        assert (alarms[purpose].period_seconds, alarms[purpose].periods) == window
    longest = max(each.period_seconds * each.periods for each in alarms.values())
    assert longest <= 7 * 86_400, "CloudWatch takes no longer evaluation (PutMetricAlarm)"


def test_traffic_follows_the_alarm_and_nothing_else(standby: Recording) -> None:
    check = standby.one("traffic-check").inputs
    assert check["type"] == "CLOUDWATCH_METRIC"
    assert (check["cloudwatchAlarmName"], check["cloudwatchAlarmRegion"]) == (
        NAMES.alarm("standby-active"),
        "us-west-2",
    )
    assert check["insufficientDataHealthStatus"] == "LastKnownStatus"
    assert not check["invertHealthcheck"]
    assert standby.one("monitoring-standby-active").inputs["alarmActions"] == []


def test_one_name_has_two_answers(standby: Recording) -> None:
    first, second = standby.one("traffic-primary").inputs, standby.one("traffic-standby").inputs
    assert first["name"] == second["name"] == "models.example.internal"
    assert first["failoverRoutingPolicies"] == [{"type": "PRIMARY"}]
    assert first["healthCheckId"] == "traffic-check-id"
    assert first["aliases"] == [{"name": "lb.us-east-1.example", "zoneId": "ZLB", "evaluateTargetHealth": False}]
    assert second["failoverRoutingPolicies"] == [{"type": "SECONDARY"}]
    assert second["aliases"][0]["name"] == "traffic-balancer.elb.example"
    assert "healthCheckId" not in second


def test_copies_are_allowed_only_where_there_is_something_to_copy(archive: Path) -> None:
    without = record(lambda: program.standby(changed(inventory(), volumes=()), archive))
    assert not [each for each in without.all("RolePolicy") if "CreateSnapshots" in each.inputs["policy"]]
    assert [each for each in without.all("RolePolicy") if "CopyImage" in each.inputs["policy"]]
    nothing = changed(inventory(), volumes=(), computes=(), traffic=None)
    assert not [each for each in record(lambda: program.standby(nothing, archive)).resources if "Copies" in each.type]


@pytest.mark.parametrize("missing", ["datasets", "databases", "computes"])
def test_a_workload_without_one_kind_of_asset_still_deploys(missing: str, archive: Path) -> None:
    taken = inventory()
    if missing == "databases":
        computes = tuple(dataclasses.replace(each, user_data="") for each in taken.computes)
        taken = changed(taken, computes=computes)
    fewer = changed(taken, **{missing: ()})
    assert record(lambda: program.standby(fewer, archive)).all("Function")
    assert record(lambda: program.vault(fewer)).all("Table")
    record(lambda: program.primary(fewer))

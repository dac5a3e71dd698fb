"""Names must lead to the region that serves, also when the region that keeps Route 53's control plane is gone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from event_cloud import PRIMARY, STANDBY, client, eventually, running
from event_servers import PORT, Instance, Site

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.traffic.dns import Dns

ZONE = "example.internal"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), pace=120.0) as started:
        yield started


@pytest.fixture(scope="module")
def zone(cloud: Cloud) -> str:
    made = client(cloud, "route53", PRIMARY).create_hosted_zone(Name=ZONE, CallerReference="zone")
    return str(made["HostedZone"]["Id"])


@pytest.fixture(scope="module")
def sites(cloud: Cloud) -> dict[str, Site]:
    return {region: Site(cloud, region, f"models-{region[:7]}") for region in (PRIMARY, STANDBY)}


@pytest.fixture(scope="module")
def instances(sites: dict[str, Site]) -> dict[str, Instance]:
    made = {region: site.add(f"server-{region}") for region, site in sites.items()}
    assert all(site.becomes(made[region], "healthy") for region, site in sites.items())
    return made


def record(cloud: Cloud, zone: str, name: str, **given: Any) -> None:
    change = {"Action": "UPSERT", "ResourceRecordSet": {"Name": f"{name}.{ZONE}", "Type": "A", **given}}
    client(cloud, "route53", PRIMARY).change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})


def alias(site: Site, evaluate: bool = False) -> dict[str, Any]:
    return {"HostedZoneId": "Z2P70J7EXAMPLE", "DNSName": site.dns_name, "EvaluateTargetHealth": evaluate}


def check(cloud: Cloud, **config: Any) -> str:
    route53 = client(cloud, "route53", PRIMARY)
    made = route53.create_health_check(CallerReference=str(uuid.uuid4()), HealthCheckConfig=config)
    return str(made["HealthCheck"]["Id"])


def failover(
    cloud: Cloud, zone: str, name: str, sites: dict[str, Site], health_check: str | None, evaluate: bool
) -> None:
    for role, region in (("PRIMARY", PRIMARY), ("SECONDARY", STANDBY)):
        given = {"HealthCheckId": health_check} if health_check and role == "PRIMARY" else {}
        record(
            cloud, zone, name, SetIdentifier=role, Failover=role, AliasTarget=alias(sites[region], evaluate), **given
        )


def standby_active_check(cloud: Cloud, name: str, **given: Any) -> str:
    client(cloud, "cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Pilotlight",
        MetricName=name,
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="ignore",
    )
    return check(
        cloud,
        Type="CLOUDWATCH_METRIC",
        AlarmIdentifier={"Region": STANDBY, "Name": name},
        InsufficientDataHealthStatus=given.pop("InsufficientDataHealthStatus", "LastKnownStatus"),
        **given,
    )


def measure(cloud: Cloud, name: str, value: float) -> None:
    datum = {"MetricName": name, "Value": value}
    client(cloud, "cloudwatch").put_metric_data(Namespace="Pilotlight", MetricData=[datum])


def leads_to(cloud: Cloud, name: str, target: str) -> bool:
    return bool(eventually(lambda: cloud.behaviour(Dns).resolve(f"{name}.{ZONE}") == [target]))


def test_plain_records_and_chains_are_followed(cloud: Cloud, zone: str, sites: dict[str, Site]) -> None:
    record(cloud, zone, "plain", TTL=60, ResourceRecords=[{"Value": "127.9.9.9"}])
    record(cloud, zone, "chain", Type="CNAME", TTL=60, ResourceRecords=[{"Value": f"plain.{ZONE}"}])
    record(cloud, zone, "balanced", AliasTarget=alias(sites[PRIMARY]))
    dns = cloud.behaviour(Dns)
    assert dns.resolve(f"plain.{ZONE}") == ["127.9.9.9"] == dns.resolve(f"Chain.{ZONE}.")
    assert dns.resolve(f"balanced.{ZONE}") == [sites[PRIMARY].dns_name]
    assert dns.resolve(sites[STANDBY].dns_name) == [sites[STANDBY].dns_name]
    assert dns.resolve(f"nobody.{ZONE}") == [] == dns.resolve("example.com")


def test_a_loop_of_names_ends(cloud: Cloud, zone: str) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        record(cloud, zone, name, Type="CNAME", TTL=60, ResourceRecords=[{"Value": f"{other}.{ZONE}"}])
    assert cloud.behaviour(Dns).resolve(f"one.{ZONE}") == []


def test_one_metric_moves_the_traffic_and_moves_it_back(cloud: Cloud, zone: str, sites: dict[str, Site]) -> None:
    failover(cloud, zone, "models", sites, standby_active_check(cloud, "StandbyActive"), evaluate=False)
    assert leads_to(cloud, "models", sites[PRIMARY].dns_name)
    measure(cloud, "StandbyActive", 1)
    assert leads_to(cloud, "models", sites[STANDBY].dns_name)
    measure(cloud, "StandbyActive", 0)
    assert leads_to(cloud, "models", sites[PRIMARY].dns_name)


def test_traffic_moves_while_the_control_plane_is_dark(cloud: Cloud, zone: str, sites: dict[str, Site]) -> None:
    failover(cloud, zone, "lost", sites, standby_active_check(cloud, "LostActive"), evaluate=False)
    assert leads_to(cloud, "lost", sites[PRIMARY].dns_name)
    cloud.darken(PRIMARY)
    try:
        measure(cloud, "LostActive", 1)
        assert leads_to(cloud, "lost", sites[STANDBY].dns_name)
    finally:
        cloud.lighten(PRIMARY)


def test_an_alarm_in_the_dark_leaves_the_last_known_status(cloud: Cloud, zone: str, sites: dict[str, Site]) -> None:
    checks = cloud.behaviour(Dns).checks
    kept = standby_active_check(cloud, "Kept")
    unhealthy = standby_active_check(cloud, "Kept", InsufficientDataHealthStatus="Unhealthy")
    measure(cloud, "Kept", 0)
    assert eventually(lambda: checks.healthy(kept) and checks.healthy(unhealthy))
    cloud.darken(STANDBY)
    try:
        assert eventually(lambda: not checks.healthy(unhealthy))
        assert checks.healthy(kept)
    finally:
        cloud.lighten(STANDBY)


def test_an_alarm_set_by_hand_does_not_move_traffic(cloud: Cloud) -> None:
    by_hand = standby_active_check(cloud, "ByHand")
    client(cloud, "cloudwatch").set_alarm_state(AlarmName="ByHand", StateValue="ALARM", StateReason="testing")
    assert not eventually(lambda: not cloud.behaviour(Dns).checks.healthy(by_hand), seconds=1.0)


def test_target_health_decides_where_an_alias_asks_for_it(
    cloud: Cloud, zone: str, sites: dict[str, Site], instances: dict[str, Instance]
) -> None:
    failover(cloud, zone, "evaluated", sites, None, evaluate=True)
    assert leads_to(cloud, "evaluated", sites[PRIMARY].dns_name)
    instances[PRIMARY].health.write_text("500")
    assert leads_to(cloud, "evaluated", sites[STANDBY].dns_name)
    instances[STANDBY].health.write_text("500")
    assert leads_to(cloud, "evaluated", sites[PRIMARY].dns_name), "with nobody healthy the primary is answered"
    for instance in instances.values():
        instance.health.write_text("200")


def test_an_endpoint_is_really_asked(cloud: Cloud, instances: dict[str, Instance]) -> None:
    instance = instances[STANDBY]
    made = check(
        cloud,
        Type="HTTP",
        IPAddress=instance.address,
        Port=PORT,
        ResourcePath="/healthz",
        RequestInterval=10,
        FailureThreshold=2,
    )
    checks = cloud.behaviour(Dns).checks
    assert eventually(lambda: checks.of(made).report.startswith("Success: HTTP Status Code 200"))
    instance.health.write_text("500")
    assert eventually(lambda: not checks.healthy(made))
    status = client(cloud, "route53", PRIMARY).get_health_check_status(HealthCheckId=made)
    assert status["HealthCheckObservations"][0]["StatusReport"]["Status"] == "Failure: HTTP Status Code 500."
    instance.health.write_text("200")
    assert eventually(lambda: checks.healthy(made))


def test_an_endpoint_is_asked_by_name_through_its_load_balancer(
    cloud: Cloud, zone: str, sites: dict[str, Site], instances: dict[str, Instance]
) -> None:
    record(cloud, zone, "named", AliasTarget=alias(sites[PRIMARY]))
    made = check(
        cloud,
        Type="HTTP_STR_MATCH",
        FullyQualifiedDomainName=f"named.{ZONE}",
        SearchString=f"server-{PRIMARY}",
        ResourcePath="/predict",
        RequestInterval=10,
        FailureThreshold=1,
    )
    checks = cloud.behaviour(Dns).checks
    assert eventually(lambda: checks.of(made).report.startswith("Success"))
    cloud.darken(PRIMARY)
    try:
        assert eventually(lambda: not checks.healthy(made))
    finally:
        cloud.lighten(PRIMARY)


def test_calculated_inverted_and_disabled_checks(cloud: Cloud) -> None:
    checks = cloud.behaviour(Dns).checks
    missing = {"Region": STANDBY, "Name": "no-such-alarm"}
    common = {"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": missing}
    good = check(cloud, **common, InsufficientDataHealthStatus="Healthy")
    bad = check(cloud, **common, InsufficientDataHealthStatus="Unhealthy")
    inverted = check(cloud, **common, InsufficientDataHealthStatus="Unhealthy", Inverted=True)
    disabled = check(cloud, **common, InsufficientDataHealthStatus="Unhealthy", Disabled=True)
    one = check(cloud, Type="CALCULATED", ChildHealthChecks=[good, bad], HealthThreshold=1)
    both = check(cloud, Type="CALCULATED", ChildHealthChecks=[good, bad], HealthThreshold=2)
    assert eventually(lambda: not checks.healthy(bad))
    assert [checks.healthy(each) for each in (good, inverted, disabled, one, both)] == [True, True, True, True, False]


def test_what_a_health_check_was_made_of_can_be_read_back(cloud: Cloud) -> None:
    made = standby_active_check(cloud, "ReadBack")
    config = client(cloud, "route53", PRIMARY).get_health_check(HealthCheckId=made)["HealthCheck"]["HealthCheckConfig"]
    assert config["AlarmIdentifier"] == {"Region": STANDBY, "Name": "ReadBack"}
    assert config["InsufficientDataHealthStatus"] == "LastKnownStatus"


@pytest.mark.parametrize(
    ("there", "wanted", "said"),
    [
        ({}, {"SetIdentifier": "one", "Failover": "PRIMARY"}, "cannot be created as a non-weighted set exists"),
        ({"SetIdentifier": "one", "Weight": 1}, {}, "cannot be created as other RRSets exist"),
        ({"Type": "CNAME"}, {}, "a conflicting RRSet of type CNAME"),
        ({}, {"Type": "CNAME"}, "RRSet of type CNAME with DNS name"),
    ],
)
def test_records_that_route_53_takes_beside_each_other_nowhere_are_refused_here_too(
    cloud: Cloud, zone: str, there: dict[str, Any], wanted: dict[str, Any], said: str
) -> None:
    name, route53 = f"beside-{uuid.uuid4().hex[:8]}", client(cloud, "route53", PRIMARY)
    value = {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    record(cloud, zone, name, **value, **there)
    with pytest.raises(route53.exceptions.InvalidChangeBatch, match=said):
        record(cloud, zone, name, **value, **wanted)


def test_a_simple_record_becomes_a_failover_pair_in_one_batch_and_simple_again(cloud: Cloud, zone: str) -> None:
    route53 = client(cloud, "route53", PRIMARY)
    simple = {"Name": f"handed.{ZONE}.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    halves = [simple | {"SetIdentifier": each, "Failover": each} for each in ("PRIMARY", "SECONDARY")]

    def change(*changes: tuple[str, dict[str, Any]]) -> list[str]:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": each} for action, each in changes]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
        found = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return sorted(each.get("SetIdentifier", "") for each in found if each["Name"] == simple["Name"])

    assert change(("UPSERT", simple)) == [""]
    assert change(("DELETE", simple), *(("UPSERT", each) for each in halves)) == ["PRIMARY", "SECONDARY"]
    assert change(*(("DELETE", each) for each in halves), ("UPSERT", simple)) == [""]

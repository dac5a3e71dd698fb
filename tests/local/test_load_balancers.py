"""Traffic may only go where somebody answers: target health is found out, not assumed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from event_cloud import STANDBY, running
from event_servers import Site

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.traffic.load_balancers import LoadBalancers, Request, Response
from pilotlight.local.traffic.target_health import Finding, Health, learn, matches


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as started:
        yield started


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Site:
    return Site(cloud, STANDBY, "models")


def ask(site: Site, path: str = "/predict", port: int = 80, method: str = "GET", body: bytes = b"") -> Response:
    request = Request(method, site.dns_name, port, path, {"X-Client": "1", "Host": "ignored"}, body)
    return site.cloud.behaviour(LoadBalancers).serve(site.dns_name, request)


def why(response: Response) -> str:
    return str(json.loads(response.body)["error"])


def test_without_targets_the_answer_is_503_and_says_why(site: Site) -> None:
    assert (ask(site).status, why(ask(site))) == (503, "no healthy target")
    assert json.loads(ask(site).body)["region"] == STANDBY


def test_a_target_is_initial_then_healthy_and_then_gets_requests(site: Site) -> None:
    instance = site.add("first")
    assert site.health(instance)["State"] == "initial"
    assert site.becomes(instance, "healthy")
    response = ask(site, "/predict?x=1", method="POST", body=b"tensor")
    said = json.loads(response.body)
    assert (said["name"], said["path"], said["method"], said["body"]) == ("first", "/predict?x=1", "POST", "tensor")
    assert said["host"] == site.dns_name and said["forwarded"]
    assert dict(response.headers)["X-Region"] == STANDBY and dict(response.headers)["X-Step"] == "7"


def test_a_sick_target_gets_no_requests_until_it_is_well(site: Site) -> None:
    second = site.add("second")
    assert site.becomes(second, "healthy")
    assert {json.loads(ask(site).body)["name"] for _ in range(4)} == {"first", "second"}
    second.health.write_text("500")
    assert site.becomes(second, "unhealthy")
    assert site.health(second)["Description"] == "Health checks failed with these codes: [500]"
    assert {json.loads(ask(site).body)["name"] for _ in range(4)} == {"first"}
    second.health.write_text("200")
    assert site.becomes(second, "healthy")
    second.fall()
    assert site.becomes(second, "unhealthy")
    assert site.health(second)["Reason"] == "Target.FailedHealthChecks"


def test_when_every_target_is_unhealthy_the_load_balancer_fails_open(cloud: Cloud) -> None:
    lone = Site(cloud, STANDBY, "lone")
    instance = lone.add("lonely")
    instance.health.write_text("500")
    assert lone.becomes(instance, "unhealthy")
    assert not cloud.behaviour(LoadBalancers).healthy(lone.dns_name)
    assert ask(lone).status == 200
    instance.fall()
    assert ask(lone).status == 502 and "refused" in why(ask(lone))


def test_a_target_group_that_nobody_uses_is_not_checked(site: Site) -> None:
    vpc = site.elb.describe_target_groups(TargetGroupArns=[site.group])["TargetGroups"][0]["VpcId"]
    spare = site.make_group("spare", vpc)
    site.elb.register_targets(TargetGroupArn=spare, Targets=[{"Id": site.add("unused").id}])
    health = site.elb.describe_target_health(TargetGroupArn=spare)["TargetHealthDescriptions"][0]["TargetHealth"]
    assert (health["State"], health["Reason"]) == ("unused", "Target.NotInUse")


def test_listener_rules_decide_before_the_default(site: Site) -> None:
    site.elb.create_rule(
        ListenerArn=site.listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/maintenance*"]}],
        Actions=[
            {
                "Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "503", "MessageBody": "back soon", "ContentType": "text/plain"},
            }
        ],
    )
    assert (ask(site, "/maintenance/now").status, ask(site, "/maintenance").body) == (503, b"back soon")
    assert ask(site, "/predict").status == 200


def test_a_port_without_listener_refuses(site: Site) -> None:
    assert ask(site, port=8443).status == 502 and "no listener" in why(ask(site, port=8443))


def test_a_load_balancer_of_a_dark_region_refuses_and_comes_back_with_the_light(site: Site) -> None:
    site.cloud.darken(STANDBY)
    try:
        assert (ask(site).status, why(ask(site))) == (503, "region is dark")
        assert not site.cloud.behaviour(LoadBalancers).healthy(site.dns_name)
    finally:
        site.cloud.lighten(STANDBY)
    assert ask(site).status == 200


def test_a_frozen_target_does_not_hang_the_client(cloud: Cloud) -> None:
    cold = Site(cloud, STANDBY, "cold")
    instance = cold.add("frozen")
    assert cold.becomes(instance, "healthy")
    cloud.processes.pause([instance.process])
    assert ask(cold).status == 504
    cloud.processes.resume([instance.process])


def test_names_carry_the_region_and_differ(cloud: Cloud, site: Site) -> None:
    assert site.dns_name.startswith("models-") and site.dns_name.endswith(f".elb.{STANDBY}.amazonaws.com")
    balancers = cloud.behaviour(LoadBalancers)
    assert balancers.region_of(site.dns_name.upper() + ".") == STANDBY
    assert balancers.region_of("nobody.elb.us-west-2.amazonaws.com") is None


def test_thresholds_count_in_a_row() -> None:
    health = Health()
    good, bad = Finding(True), Finding(False, "Target.Timeout", "Request timed out")
    states = []
    for finding in (good, bad, good, bad, bad, good, good, good):
        learn(health, finding, healthy_threshold=3, unhealthy_threshold=2)
        states.append(health.state)
    assert states == ["healthy"] * 4 + ["unhealthy"] * 3 + ["healthy"]


@pytest.mark.parametrize(
    ("status", "matcher", "good"),
    [(200, "200", True), (204, "200-299", True), (302, "200,302", True), (404, "200-399", False)],
)
def test_matchers(status: int, matcher: str, good: bool) -> None:
    assert matches(status, matcher) is good

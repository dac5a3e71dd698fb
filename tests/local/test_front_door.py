"""One URL stands for the user's name on the Internet: whoever asks it gets an answer or the reason why not, in time."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from event_cloud import PRIMARY, STANDBY, client, make_function, running
from event_servers import PORT, Instance, Site

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.traffic.front_door import destination

NAME = "models.example.internal"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), pace=120.0) as started:
        yield started


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Site:
    made = Site(cloud, STANDBY, "models")
    route53 = client(cloud, "route53", PRIMARY)
    zone = route53.create_hosted_zone(Name="example.internal", CallerReference="zone")["HostedZone"]["Id"]
    target = {"HostedZoneId": "Z2P70J7EXAMPLE", "DNSName": made.dns_name, "EvaluateTargetHealth": False}
    change = {"Action": "CREATE", "ResourceRecordSet": {"Name": NAME, "Type": "A", "AliasTarget": target}}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    return made


@pytest.fixture(scope="module")
def instance(site: Site) -> Instance:
    made = site.add("server")
    assert site.becomes(made, "healthy")
    return made


def get(url: str, proxy: str | None = None, data: bytes | None = None) -> tuple[int, Any, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy} if proxy else {}))
    try:
        with opener.open(urllib.request.Request(url, data=data), timeout=10) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


def test_the_path_form_reaches_the_service_behind_a_name(cloud: Cloud, instance: Instance) -> None:
    status, said, headers = get(f"{cloud.front_door_url}/{NAME}/predict?q=1")
    assert (status, said["name"], said["path"], said["host"]) == (200, "server", "/predict?q=1", NAME)
    assert headers["X-Region"] == STANDBY


def test_the_proxy_form_lets_programs_use_the_name_itself(cloud: Cloud, instance: Instance) -> None:
    status, said, headers = get(f"http://{NAME}/predict", cloud.front_door_url, data=b"tensor")
    assert (status, said["path"], said["method"], said["body"]) == (200, "/predict", "POST", "tensor")
    assert headers["X-Region"] == STANDBY


def test_a_load_balancer_is_reached_by_its_own_name(cloud: Cloud, site: Site, instance: Instance) -> None:
    assert get(f"{cloud.front_door_url}/{site.dns_name}/healthz")[1]["path"] == "/healthz"


def test_an_instance_is_reached_by_its_private_address(cloud: Cloud, instance: Instance) -> None:
    status, said, _ = get(f"http://{instance.address}:{PORT}/direct", cloud.front_door_url)
    assert (status, said["path"]) == (200, "/direct")
    status, said, _ = get("http://127.8.8.8:9/", cloud.front_door_url)
    assert (status, said["error"]) == (502, "no running instance has this address")


def test_a_function_uses_the_name_without_knowing_of_the_front_door(cloud: Cloud, instance: Instance) -> None:
    code = f"""
import json, urllib.request
def handler(event, context):
    with urllib.request.urlopen("http://{NAME}/healthz", timeout=2) as answer:
        return answer.headers["X-Region"]
"""
    make_function(cloud, "probe", code)
    answer = client(cloud, "lambda").invoke(FunctionName="probe")
    assert json.loads(answer["Payload"].read()) == STANDBY


def test_a_name_nobody_knows_is_answered_with_those_that_are_known(cloud: Cloud, site: Site) -> None:
    status, said, _ = get(f"{cloud.front_door_url}/nobody.example.internal/")
    assert (status, said["error"]) == (502, "no such name")
    assert NAME in said["names"] and site.dns_name in said["names"]
    status, said, _ = get(f"{cloud.front_door_url}/")
    assert status == 200 and NAME in said["names"]


def test_a_dark_region_is_named_as_the_reason(cloud: Cloud, instance: Instance) -> None:
    cloud.darken(STANDBY)
    try:
        status, said, headers = get(f"{cloud.front_door_url}/{NAME}/predict")
        assert (status, said["error"], said["region"]) == (503, "region is dark", STANDBY)
        assert headers["X-Region"] == STANDBY
        assert get(f"http://{instance.address}:{PORT}/", cloud.front_door_url)[0] == 503
    finally:
        cloud.lighten(STANDBY)


def test_requests_on_their_way_are_dropped_when_the_region_goes_dark(cloud: Cloud, instance: Instance) -> None:
    cloud.processes.pause([instance.process])
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(get, f"{cloud.front_door_url}/{NAME}/predict")
            time.sleep(0.3)
            cloud.darken(STANDBY)
            status, said, _ = waiting.result()
        assert (status, said["error"]) == (503, "region went dark")
    finally:
        cloud.lighten(STANDBY)
        cloud.processes.resume([instance.process])


def test_a_frozen_instance_does_not_hang_the_client(cloud: Cloud, instance: Instance) -> None:
    cloud.processes.pause([instance.process])
    status, said, _ = get(f"{cloud.front_door_url}/{NAME}/predict")
    assert status == 504
    assert "did not answer in time" in said["error"]
    cloud.processes.resume([instance.process])


def test_many_clients_are_served_side_by_side(cloud: Cloud, site: Site, instance: Instance) -> None:
    assert site.becomes(instance, "healthy")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: get(f"{cloud.front_door_url}/{NAME}/predict/{n}"), range(80)))
    assert [status for status, _, _ in answers] == [200] * 80
    assert [said["path"] for _, said, _ in answers] == [f"/predict/{n}" for n in range(80)]


def test_tunnels_are_refused(cloud: Cloud) -> None:
    request = urllib.request.Request(f"{cloud.front_door_url}/{NAME}/x", method="CONNECT")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(request, timeout=5)
    assert refused.value.code == 501


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("http://models.example.internal/predict?x=1", ("models.example.internal", 80, "/predict?x=1")),
        ("http://models.example.internal:8080", ("models.example.internal", 8080, "/")),
        ("/models.example.internal/a/b", ("models.example.internal", 80, "/a/b")),
        ("/Models.example.internal:81", ("models.example.internal", 81, "/")),
        ("/models.example.internal?x=1", ("models.example.internal", 80, "/?x=1")),
        ("/", ("", 80, "/")),
    ],
)
def test_both_forms_name_a_destination(target: str, found: tuple[str, int, str]) -> None:
    assert destination(target) == found

"""Bad days short of a disaster: slow, throttled, one service dead; and what a lost region does to its processes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError
from local_requests import EAST, WEST, client

from pilotlight.local.handle import LocalCloud
from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.kernel.faults import Faults
from pilotlight.runtime.errors import BadOption


def test_a_slow_region_answers_late_and_the_other_does_not(healthy_cloud: LocalCloud) -> None:
    healthy_cloud.slow(EAST, 3.0)
    took = {}
    for region in (EAST, WEST):
        sns = client(healthy_cloud, "sns", region)
        began = time.monotonic()
        sns.list_topics()
        took[region] = time.monotonic() - began
    assert took[EAST] >= 3.0 > took[WEST]


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ec2", "describe_vpcs", "RequestLimitExceeded"),
        ("s3", "list_buckets", "SlowDown"),
        ("dynamodb", "list_tables", "ThrottlingException"),
        ("rds", "describe_db_clusters", "Throttling"),
        ("lambda", "list_functions", "TooManyRequestsException"),
    ],
)
def test_a_throttled_service_says_so_in_its_own_words(
    healthy_cloud: LocalCloud, service: str, operation: str, code: str
) -> None:
    healthy_cloud.throttle(WEST, service, 1)
    calls = client(healthy_cloud, service, WEST)
    with pytest.raises(ClientError) as problem:
        for _ in range(5):
            getattr(calls, operation)()
    assert problem.value.response["Error"]["Code"] == code
    healthy_cloud.throttle(WEST, service, 0)
    getattr(calls, operation)()


def test_one_dead_service_leaves_the_others_of_its_region(healthy_cloud: LocalCloud) -> None:
    healthy_cloud.partial(WEST, "rds")
    with pytest.raises(ClientError) as problem:
        client(healthy_cloud, "rds", WEST).describe_db_clusters()
    assert problem.value.response["Error"]["Code"] == "ServiceUnavailable"
    client(healthy_cloud, "rds", EAST).describe_db_clusters()
    client(healthy_cloud, "sns", WEST).list_topics()
    healthy_cloud.partial(WEST, "rds", dead=False)
    client(healthy_cloud, "rds", WEST).describe_db_clusters()


def test_a_token_bucket_refills_with_time() -> None:
    now = [0.0]
    faults = Faults(monotonic=lambda: now[0])
    faults.throttle(WEST, "ec2", 2)
    assert [faults.throttles(WEST, "ec2") for _ in range(4)] == [False, False, True, True]
    now[0] = 0.5
    assert [faults.throttles(WEST, "ec2") for _ in range(2)] == [False, True]
    assert not faults.throttles(EAST, "ec2")


class Witness(Behaviour):
    """Writes down what it is told."""

    name = "witness"

    def __init__(self) -> None:
        self.heard: list[str] = []

    def darkened(self, region: str) -> None:
        self.heard.append(f"dark {region}")
        raise RuntimeError("a behaviour that fails keeps no other from being told")

    def lightened(self, region: str) -> None:
        self.heard.append(f"light {region}")

    def stop(self) -> None:
        self.heard.append("stop")


def test_behaviours_are_told_once_of_dark_and_of_light(tmp_path: Path) -> None:
    cloud, witness = Cloud(tmp_path), Witness()
    cloud.install([witness])
    for act in (cloud.darken, cloud.darken, cloud.lighten, cloud.lighten):
        act(EAST)
    cloud.stop()
    assert witness.heard == [f"dark {EAST}", f"light {EAST}", "stop"]
    assert "a behaviour that fails" in (tmp_path / "cloud.log").read_text()


SOURCE = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
COUNT = "import time\nwhile True:\n    print('x', flush=True)\n    time.sleep(0.01)"


def test_processes_of_a_dark_region_stand_still_with_all_they_started(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    script = f'setsid {shlex.quote(sys.executable)} -c "$COUNT" & wait'
    with (tmp_path / "out").open("wb") as out:
        cloud.spawn(["/bin/sh", "-c", script], {"COUNT": COUNT, "PATH": "/usr/bin:/bin"}, EAST, stdout=out)
    wait_until_longer(tmp_path / "out", 0)
    cloud.darken(EAST)
    size = (tmp_path / "out").stat().st_size
    time.sleep(0.2)
    assert (tmp_path / "out").stat().st_size == size
    cloud.lighten(EAST)
    wait_until_longer(tmp_path / "out", size)
    cloud.stop()


def test_a_process_that_starts_in_a_dark_region_waits_for_light(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.darken(EAST)
    child = cloud.spawn([sys.executable, "-c", COUNT], {}, EAST)
    assert comes_to(child.pid, stopped=True)
    cloud.lighten(EAST)
    assert comes_to(child.pid, stopped=False)
    cloud.stop()


def test_the_end_of_a_cloud_is_the_end_of_its_frozen_processes(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.darken(EAST)
    child = cloud.spawn(["/bin/sh", "-c", "sleep 300"], {}, EAST)
    cloud.stop()
    assert child.returncode == -9


DAEMONISING = """
import sys, time, psutil
from pathlib import Path
from pilotlight.local.kernel.cloud import Cloud
cloud = Cloud(Path(sys.argv[1]))
cloud.processes.adopt_orphans()
daemon = cloud.spawn(["/bin/sh", "-c", "setsid sleep 301 & setsid sleep 302 & exit 0"], {"PATH": "/usr/bin:/bin"}, "r")
daemon.wait(5)
sleepers, deadline = 0, time.monotonic() + 5
while sleepers < 2 and time.monotonic() < deadline:
    sleepers = sum(child.name() == "sleep" for child in psutil.Process().children(recursive=True))
print(sleepers)
cloud.stop()
print(psutil.Process().children(recursive=True))
"""


def test_the_end_of_a_cloud_is_the_end_of_what_daemonised(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DAEMONISING, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=os.environ | SOURCE)
    assert said.stdout.split() == ["2", "[]"]


def test_how_events_arrive_is_told_and_given_back(healthy_cloud: LocalCloud) -> None:
    healthy_cloud.deliveries(EAST, dropped=0.1, doubled=0.5, delay_seconds=2)
    told = {EAST: {"dropped": 0.1, "doubled": 0.5, "delay_seconds": 2.0}}
    assert healthy_cloud.status()["deliveries"] == told
    with pytest.raises(BadOption):
        healthy_cloud.deliveries(EAST, dropped=2)
    healthy_cloud.deliveries(EAST)
    assert healthy_cloud.status()["deliveries"] == {}


def test_no_two_addresses_are_the_same_even_of_two_clouds(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    clouds = Cloud(tmp_path / "a", seed=7), Cloud(tmp_path / "b", seed=7)
    taken = [cloud.address(EAST) for cloud in clouds for _ in range(300)]
    for cloud in clouds:
        cloud.stop()
    assert len(set(taken)) == 600
    assert all(address.startswith("127.") and address != "127.0.0.1" for address in taken)


def comes_to(pid: int, stopped: bool) -> bool:
    """Signals take effect a moment after they are sent."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if (psutil.Process(pid).status() == psutil.STATUS_STOPPED) is stopped:
            return True
        time.sleep(0.01)
    return False


def wait_until_longer(path: Path, size: int) -> None:
    deadline = time.monotonic() + 5
    while path.stat().st_size <= size:
        assert time.monotonic() < deadline, f"{path} does not grow"
        time.sleep(0.01)

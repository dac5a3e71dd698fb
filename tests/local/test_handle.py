"""Starting and stopping: one clear line when it cannot, nothing left behind however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from local_requests import EAST, WEST, client

from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.errors import BadOption, CloudAlreadyRunning, CloudNotRunning, PortInUse

END_SECONDS = 10.0


def wait_until_gone(pids: list[int], folder: Path) -> None:
    """Fails if a process or the folder is left."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        left = [pid for pid in pids if runs(pid)]
        if not left and not folder.exists():
            return
        time.sleep(0.05)
    pytest.fail(f"left behind: processes {left}, folder {folder.exists()}")


def runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != "zombie")
    except psutil.NoSuchProcess:
        return False


def family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def test_it_starts_says_where_it_is_and_is_gone_when_stopped() -> None:
    cloud = LocalCloud.start(pace=60, seed=3)
    status = cloud.status()
    assert (status["pace"], status["seed"], status["dark"]) == (60, 3, [])
    assert set(status["endpoints"]) == {EAST, WEST}
    assert cloud.environment()["AWS_ENDPOINT_URL"] == cloud.router_url
    pids = family(status["pid"])
    cloud.stop()
    wait_until_gone(pids, cloud.directory)
    cloud.stop()


def test_another_can_attach_while_it_runs_and_not_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    cloud = LocalCloud.start(directory=folder)
    assert LocalCloud.attach(folder).status()["pid"] == cloud.status()["pid"]
    with pytest.raises(CloudAlreadyRunning):
        LocalCloud.start(directory=folder)
    cloud.stop()
    with pytest.raises(CloudNotRunning):
        LocalCloud.attach(folder)
    with pytest.raises(CloudNotRunning):
        cloud.status()


def test_two_run_side_by_side(tmp_path: Path) -> None:
    with LocalCloud.start(seed=1) as one, LocalCloud.start(seed=1) as two:
        one.dark(EAST)
        assert two.status()["dark"] == []
        client(two, "sns", EAST).create_topic(Name="two")
        assert client(one, "sns", WEST).list_topics()["Topics"] == []


def test_a_port_in_use_is_named_and_nothing_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            LocalCloud.start(directory=tmp_path / "cloud", port=port)
    assert not (tmp_path / "cloud").exists()


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadOption, match="holds something else"):
        LocalCloud.start(directory=tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_what_a_killed_cloud_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    first = LocalCloud.start(directory=folder)
    pids = family(first.status()["pid"])
    os.kill(pids[0], signal.SIGKILL)
    wait_until_gone(pids, folder)
    with LocalCloud.start(directory=folder) as second:
        assert second.status()["directory"] == str(folder)


STARTER = """
import sys, time
from pilotlight.local.handle import LocalCloud
cloud = LocalCloud.start()
print(cloud.status()["pid"], cloud.directory, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_whoever_started_it_is_killed(number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True, env=environment)
    assert starter.stdout is not None
    pid, folder = starter.stdout.readline().split()
    pids = family(int(pid))
    starter.send_signal(number)
    starter.wait()
    starter.stdout.close()
    wait_until_gone(pids, Path(folder))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_all_its_processes(number: signal.Signals) -> None:
    cloud = LocalCloud.start()
    pids = family(cloud.status()["pid"])
    os.kill(pids[0], number)
    wait_until_gone(pids, cloud.directory)
    cloud.stop()


def test_the_call_record_can_be_asked_by_time_region_service_and_caller(local_cloud: LocalCloud) -> None:
    client(local_cloud, "sns", EAST).list_topics()
    since = time.time()
    client(local_cloud, "sns", WEST).list_topics()
    client(local_cloud, "sqs", WEST).list_queues()
    assert [call.operation for call in local_cloud.calls(since=since)] == ["ListTopics", "ListQueues"]
    assert {call.region for call in local_cloud.calls(service="sns")} == {EAST, WEST}
    assert local_cloud.calls(principal="assumed-role") == []
    assert (local_cloud.directory / "calls.jsonl").read_text().count("ListTopics") == 2


def test_a_web_page_cannot_make_a_region_dark(local_cloud: LocalCloud) -> None:
    request = urllib.request.Request(
        f"{local_cloud.router_url}/_cloud/dark", b'{"region": "us-east-1"}', {"Content-Type": "text/plain"}
    )
    with pytest.raises(urllib.error.HTTPError) as problem:
        urllib.request.urlopen(request)
    assert problem.value.code == 400
    assert local_cloud.status()["dark"] == []

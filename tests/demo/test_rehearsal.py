"""The whole rehearsal, as a person runs it: it holds, it names what is missing, and it leaves nothing behind."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

COMMAND = [sys.executable, "-m", "pilotlight", "demo"]
SECONDS_MAX = 240
CAUSES = {
    "permission": "rds:FailoverGlobalCluster",
    "code": "pilotlight-inference-recover",
    "replication": "has no replication rule",
    "alarm": "has no action",
}


@pytest.fixture
def room(tmp_path):
    """An environment whose temporary folder is this test's, so that what is left in it can be seen."""
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    return os.environ | {"TMPDIR": str(folder)}


def run(room, *arguments):
    return subprocess.run(
        [*COMMAND, *arguments], env=room, capture_output=True, text=True, timeout=SECONDS_MAX, stdin=subprocess.DEVNULL
    )


def left(room):
    """Folders and processes of a rehearsal that is over."""
    folder = room["TMPDIR"]
    running = [each.info["cmdline"] for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"]]
    return list(Path(folder).glob("pilotlight-*")), [each for each in running if any(folder in word for word in each)]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_region_is_lost_and_regained_and_every_figure_is_there(room, tmp_path, seed):
    figures = tmp_path / "figures.json"
    done = run(room, "--seed", str(seed), "--json", str(figures), "--report", str(tmp_path / "report.html"))
    assert done.returncode == 0, done.stderr
    report = json.loads(figures.read_text())
    assert report["schema"] == "pilotlight/report/1"
    assert report["calls_during_failover"]["primary"] == report["calls_during_failover"]["global_control_plane"] == 0
    assert report["second_up_changes"] == report["up_after_failover_changes"] == 0
    assert report["failback"]["lost_items"] == 0
    assert [report["answers"][when]["region"] for when in ("before", "after_failover", "after_failback")] == [
        "us-east-1",
        "us-west-2",
        "us-east-1",
    ]
    assert left(room) == ([], [])


@pytest.mark.parametrize("what", sorted(CAUSES))
def test_one_thing_taken_away_makes_it_fail_and_is_named(room, what):
    done = run(room, "--seed", "3", "--break", what)
    assert done.returncode != 0
    assert CAUSES[what] in done.stderr
    assert left(room) == ([], [])


def test_every_verb_works_on_the_cloud_that_is_kept_as_its_last_lines_say(room):
    done = run(room, "--seed", "5", "--keep")
    assert done.returncode == 0, done.stderr
    told = [shlex.split(line.partition("pilotlight ")[2]) for line in done.stdout.splitlines() if "--directory" in line]
    *verbs, down = told
    try:
        codes = {words[0]: typed(room, *words) for words in verbs}
        assert len(codes) >= 5 and set(codes) - {"status"} == {verb for verb in codes if codes[verb] == 0}
        assert codes["status"] in (0, 7), "nobody trains any more, which may be told by now"
    finally:
        assert typed(room, *down) == 0


def typed(room, *words):
    """The exit code of one command, as somebody who copies the line gets it."""
    command = [sys.executable, "-m", "pilotlight", *words]
    return subprocess.run(command, env=room, stdin=subprocess.DEVNULL, timeout=SECONDS_MAX, check=False).returncode


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_it_nothing_is_left_running(room, how):
    process = subprocess.Popen(
        [*COMMAND, "--seed", "4"], env=room, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(12)
    process.send_signal(how)
    process.wait(30)
    deadline = time.monotonic() + 15
    while left(room)[1] and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left(room)[1] == []

"""What somebody loses when one of these fails: the sight of a run that goes on, or a region that was serving."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pilotlight.cli.asking import before_failback, before_failover
from pilotlight.cli.telling import watched
from pilotlight.runtime.clock import FakeClock, stamp
from pilotlight.runtime.errors import NotConfirmed, NothingToApprove, PilotlightError, RunInterrupted, StepFailed
from pilotlight.runtime.recovery import Recovery
from pilotlight.workload.load import load
from pilotlight.workload.model import Workload
from support.fake_aws import FakeAws, recovery_of, save

TESTS = Path(__file__).parents[1]
DECLARATION = TESTS.parent / "examples/inference-service/workload.yaml"
SECONDS_MAX = 60
SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cli.test_runs import recovery_before_a_disaster
from pilotlight.cli.streams import by_the_line
from pilotlight.cli.telling import watched
recovery, clock = recovery_before_a_disaster()
moves = clock.sleep
def sleep(seconds):
    time.sleep(0.1)
    moves(seconds)
clock.sleep = sleep
watched(recovery, lambda lines: recovery.failover(observer=lines), "--json" in sys.argv, None, Path("workload.yaml"))
"""


def recovery_before_a_disaster() -> tuple[Recovery, FakeClock]:
    """A protected workload whose primary region is lost."""
    aws = FakeAws(FakeClock())
    recovery = recovery_of(aws)
    recovery.initialise()
    save(aws, 20)
    for _ in range(4):
        aws.clock.sleep(20)
        recovery.protect()
    aws.dark.add("us-east-1")
    return recovery, aws.clock


@pytest.fixture(scope="module")
def workload() -> Workload:
    return load(DECLARATION)


@pytest.fixture(scope="module")
def _lost() -> Recovery:
    return recovery_before_a_disaster()[0]


@pytest.fixture
def recovery(_lost: Recovery) -> Recovery:
    return copy.deepcopy(_lost)


def light(recovery: Recovery) -> Recovery:
    """The same, with a region that answers."""
    inner = recovery.context.client
    while not isinstance(inner, FakeAws):
        inner = inner.inner  # type: ignore[attr-defined]
    inner.dark.clear()
    return recovery


def failover(recovery: Recovery, as_json: bool = False, report: Path | None = None) -> None:
    watched(recovery, lambda lines: recovery.failover(observer=lines), as_json, report, Path("workload.yaml"))


def test_the_output_of_a_run_that_is_piped_into_a_file_grows_while_it_runs(tmp_path: Path) -> None:
    out = tmp_path / "run.txt"
    sizes: set[int] = set()
    with out.open("w") as stream:
        child = subprocess.Popen([sys.executable, "-c", SLOW, str(TESTS)], stdout=stream, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + SECONDS_MAX
        while child.poll() is None and time.monotonic() < deadline:
            sizes.add(out.stat().st_size)
            time.sleep(0.02)
        assert child.wait(5) == 0, out.read_text()
    assert len(sizes) > 2, "empty, and whole: nothing in between"
    assert "RTO" in out.read_text() and "next: " in out.read_text()


def test_a_run_says_what_it_waits_for_and_ends_with_time_loss_and_what_to_do(
    recovery: Recovery, capsys: pytest.CaptureFixture[str]
) -> None:
    failover(recovery)
    out = capsys.readouterr().out
    assert "at most 900 s: Aurora: order of minutes" in out
    assert "RPO by asset, at most, from recovery point" in out and "corpus" in out
    assert "next: When us-east-1 answers: `pilotlight failback workload.yaml`" in out
    assert out.index("promote-registry") < out.index("RTO ")


def test_with_json_stdout_is_one_value_and_the_lines_go_to_whoever_watches(
    recovery: Recovery, capsys: pytest.CaptureFixture[str]
) -> None:
    failover(recovery, as_json=True)
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["schema"] == "pilotlight/journal/2" and told["state"] == "succeeded"
    assert told["report"]["schema"] == "pilotlight/report/1" and told["report"]["kind"] == "failover"
    assert {each["name"]: each["lost_items"] for each in told["report"]["assets"]}["registry"] is None
    assert "proven    commit" in err


def test_the_report_of_a_real_run_is_a_page_also_when_the_run_failed(
    recovery: Recovery, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    failover(recovery, report=page)
    assert "us-east-1 was lost" in page.read_text() and "<svg" in page.read_text()
    broken = copy.deepcopy(recovery)
    with pytest.raises(PilotlightError):
        watched(broken, _failing(broken), False, page, Path("workload.yaml"))
    assert "FAILED" in capsys.readouterr().out


def _failing(recovery: Recovery):  # type: ignore[no-untyped-def]
    """A run whose last line is a failure."""

    def run(lines):  # type: ignore[no-untyped-def]
        from pilotlight.runtime.records.runs import FAILED, Entry

        ledger = recovery.context.ledger
        held = ledger.leases.take("test")
        ledger.open_run("99-failback", "failback", held)
        entry = Entry("primary-answers", FAILED, "2026-01-01T00:00:00.000Z", held.epoch, {"reason": "dark"})
        ledger.append("99-failback", entry, 1, held)
        ledger.close_run("99-failback", "failback", held, FAILED, "dark")
        lines.wrote("99-failback", entry)
        raise StepFailed(step="primary-answers", asset="all", region="us-east-1", reason="dark", runbook="failback")

    return run


def test_where_nothing_ever_ran_nobody_is_told_of_a_moment_that_never_was(
    recovery: Recovery, capsys: pytest.CaptureFixture[str]
) -> None:
    watched(light(recovery), lambda lines: recovery.failback(observer=lines), False, None, Path("workload.yaml"))
    told = capsys.readouterr().err
    assert "us-east-1 serves" in told and "since ;" not in told


def test_a_region_that_answers_is_not_failed_over_without_a_word(
    recovery: Recovery, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotConfirmed, match="us-east-1, which answers,") as refused:
        before_failover(light(recovery), workload, yes=False)
    assert "--yes" in refused.value.advice
    told = capsys.readouterr().err
    assert "corpus loses up to" in told and "is split from" in told and "forecast" in told


def test_a_lost_region_costs_no_word_and_with_yes_nothing_is_asked_of_it(
    recovery: Recovery, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    before_failover(recovery, workload, yes=False)
    capsys.readouterr()
    before_failover(light(recovery), workload, yes=True)
    assert not capsys.readouterr().err


def test_what_was_written_on_volumes_is_not_left_behind_without_a_word(
    recovery: Recovery, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fleet's volumes go back to what they were when the region was lost: whoever goes home has to know it."""
    before_failback(recovery, workload, yes=False)
    assert not capsys.readouterr().err, "who serves at home already is asked nothing"
    recovery.failover()
    with pytest.raises(NotConfirmed, match="The failback"):
        before_failback(recovery, workload, yes=False)
    assert "does not come home" in capsys.readouterr().err
    before_failback(recovery, workload, yes=True)
    assert "does not come home" in capsys.readouterr().err


def test_a_word_for_a_request_that_nobody_made_is_not_taken_for_one(recovery: Recovery) -> None:
    with pytest.raises(NothingToApprove):
        recovery.approve("somebody")
    assert recovery.context.ledger.request() is None
    recovery.request("alarm")
    assert recovery.approve("somebody").approved_by == "somebody"


def test_ctrl_c_says_where_the_run_stands_and_the_next_command_goes_on_at_once(
    recovery: Recovery, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = recovery.context.clock
    assert isinstance(clock, FakeClock)
    moves = clock.sleep

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    clock.sleep = interrupt  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted) as problem:
        failover(recovery)
    clock.sleep = moves  # type: ignore[method-assign]
    assert "promote-registry" in problem.value.message and "its lease is given back" in problem.value.message
    run = problem.value.facts["run"]
    assert "`pilotlight failover` again" in problem.value.advice and problem.value.code == 130
    stopped, began = recovery.runs()[0], clock.now()
    assert (stopped.run, stopped.state) == (run, "failed") and "interrupted" in stopped.reason
    failover(recovery)
    taken = [each for each in recovery.runs()[0].entries if each.step == "take-lease"]
    assert len(taken) == 2 and taken[-1].at == stamp(began), "nobody waits for a lease that nobody holds"
    assert (recovery.runs()[0].run, recovery.runs()[0].state) == (run, "succeeded")

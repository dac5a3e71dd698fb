"""What a person is shown is what the record says, also when a run put hostile text into it."""

import io
import xml.etree.ElementTree as ElementTree

import pytest
from rich.console import Console

from pilotlight.report import page, terminal, timeline
from pilotlight.report.record import (
    Answer,
    Answers,
    AssetFigures,
    CallFigures,
    Check,
    CheckpointFigures,
    FailbackFigures,
    Moment,
    ObjectiveFigures,
    Report,
)
from pilotlight.runtime.records.codec import dumps, loads


@pytest.fixture
def report():
    answer = Answer("us-east-1", 40, "ab" * 32)
    return Report(
        workload="inference",
        primary="us-east-1",
        standby="us-west-2",
        seed=7,
        objectives=ObjectiveFigures(60.0, 120.0),
        disaster_at="2026-01-01T00:00:00.000Z",
        detected_at="2026-01-01T00:00:05.000Z",
        recovered_at="2026-01-01T00:00:14.500Z",
        rto_seconds=14.5,
        assets=(AssetFigures("corpus", "dataset", "replication", 0.42, 3, 97, 60.0),),
        checkpoint=CheckpointFigures(80, 60, 60),
        calls_during_failover=CallFigures(0, 0, 57),
        answers=Answers(answer, Answer("us-west-2", 60, "cd" * 32), answer),
        failback=FailbackFigures(0, 9.0),
        second_up_changes=0,
        up_after_failover_changes=0,
        phases_seconds={"cloud": 1.0},
        timeline=(
            Moment("t", 0.0, "disaster", "us-east-1 goes dark"),
            Moment("t", 14.5, "service", "<script>alert(1)</script> & first answer"),
        ),
        checks=(Check("nothing forks", True, "refused"), Check("weights", False, "<b>wrong</b>")),
        evidence={"fence": {"epoch": 2}},
    )


def test_the_json_a_script_reads_is_the_report(report):
    assert loads(Report, dumps(report), "report") == report


def test_the_page_needs_no_other_file_and_runs_no_script(report):
    html = page.render(report)
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "&lt;b&gt;wrong&lt;/b&gt;" in html


def test_the_page_shows_every_figure(report):
    html = page.render(report)
    for figure in ("14.5 s", "step 60", "newest begun 80", "0 + 0", "1 of 2 checks held", "0.42 s", "us-west-2"):
        assert figure in html


def test_the_timeline_is_well_formed_and_names_every_moment(report):
    drawing = ElementTree.fromstring(timeline.draw(report))
    words = " ".join(text.text or "" for text in drawing.iter("{http://www.w3.org/2000/svg}text"))
    assert all(moment.what in words for moment in report.timeline)


def test_a_failed_check_is_named_on_screen(report):
    screen = io.StringIO()
    terminal.show(report, Console(file=screen, width=140))
    assert "FAILED weights" in screen.getvalue()
    assert not report.held

"""What a user loses when one of these fails: days of training, resumed from a model that had diverged already."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.runtime.checkpoints.format import Candidate, File, Unreadable
from pilotlight.runtime.checkpoints.formats.generic import Generic
from pilotlight.runtime.checkpoints.health import METRICS_BYTES_MAX, Rule, ailment, judge
from pilotlight.runtime.checkpoints.verify import Found

BOUNDED = Rule("metrics.json", "loss", 4.0)
LOG = {"log_history": [{"loss": 9.0, "step": 10}, {"loss": 2.5, "step": 20}, {"eval_loss": 7.0, "step": 20}]}


def told(value: object, rule: Rule = BOUNDED) -> str:
    return judge(json.dumps(value).encode(), rule)


def test_a_sound_log_is_healthy_whatever_the_loss_was_in_the_beginning() -> None:
    assert told(LOG) == ""


def test_the_last_loss_above_the_bound_is_poison() -> None:
    spiked = {"log_history": [*LOG["log_history"], {"loss": 40.0, "step": 30}]}
    assert told(spiked) == "metrics.json: loss is 40, above 4"


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity", '"nan"', "1e999"])
def test_a_number_that_is_none_is_poison_wherever_it_stands(written: str) -> None:
    text = f'{{"loss": 1.0, "layers": [{{"grad_norm": {written}}}]}}'
    assert "grad_norm is" in judge(text.encode(), Rule("metrics.json"))


def test_json_lines_are_read_in_their_order() -> None:
    assert judge(b'{"loss": 9}\n{"loss": 1}\n', BOUNDED) == ""
    assert "above" in judge(b'{"loss": 1}\n{"loss": 9}\n', BOUNDED)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"loss: 1", b"[" * 100_000, b'{"accuracy": 1}'])
def test_a_file_that_does_not_tell_proves_no_health(data: bytes) -> None:
    assert "health is not known" in judge(data, BOUNDED)


def test_without_a_bound_any_finite_loss_is_healthy() -> None:
    assert told({"loss": 1e30}, Rule("metrics.json")) == ""


@given(st.binary(max_size=200))
def test_no_bytes_break_the_judge(data: bytes) -> None:
    assert isinstance(judge(data, BOUNDED), str)


class OneFile:
    """A reader of one metrics file, or of one that cannot be read."""

    def __init__(self, body: bytes | None) -> None:
        self.body = body

    def files(self):  # type: ignore[no-untyped-def]
        return iter(())

    def read_range(self, file: File, start: int, length: int) -> bytes:
        if self.body is None:
            raise Unreadable("cannot be read: AccessDenied")
        return self.body[start : start + length]


def found(*files: File) -> Found:
    return Found(Candidate("step-1/", files), Generic())


def test_a_checkpoint_without_its_metrics_is_not_called_healthy() -> None:
    assert "is missing" in ailment(found(File("step-1/model.bin", 3)), OneFile(b"{}"), BOUNDED)
    assert "too many" in ailment(found(File("step-1/metrics.json", METRICS_BYTES_MAX + 1)), OneFile(b"{}"), BOUNDED)
    assert "AccessDenied" in ailment(found(File("step-1/metrics.json", 2)), OneFile(None), BOUNDED)


def test_the_file_is_looked_for_in_the_checkpoints_own_folder() -> None:
    body = b'{"loss": 1.0}'
    assert ailment(found(File("step-1/metrics.json", len(body))), OneFile(body), BOUNDED) == ""
    assert "missing" in ailment(found(File("step-1/other/metrics.json", len(body))), OneFile(body), BOUNDED)

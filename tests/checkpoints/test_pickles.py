"""What a user loses when one of these fails: the account that their disaster recovery runs in."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from archives import archive
from damage import FIXTURES, judged
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.runtime.checkpoints.encodings.pickles import Made, Name, walk
from pilotlight.runtime.checkpoints.format import Damaged
from pilotlight.runtime.checkpoints.formats.torch_archive import member_of

PLAIN: Any = {"a": [1, 2.5, None, True, b"bytes", "text"], (1, 2): {"b": {3, 4}}, "c": frozenset({5}), "n": 2**80}


class Calls:
    """Pickles to a call of anything."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_read_as_they_were_written(protocol: int) -> None:
    value = PLAIN if protocol > 2 else {key: each for key, each in PLAIN.items() if key != "c" and key != (1, 2)}
    found = walk(pickle.dumps(value, protocol)).value
    assert {key: found[key] for key in ("n",)} == {"n": 2**80}
    if protocol > 3:
        assert found == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [os.system, subprocess.check_output, eval, exec, __import__, open])
def test_a_pickle_that_would_run_code_is_not_run_and_is_named(
    tmp_path: Path, protocol: int, function: Callable[..., Any]
) -> None:
    mark = tmp_path / "it-ran"
    walked = walk(pickle.dumps({"weights": Calls(function, f"touch {mark}")}, protocol))
    assert not mark.exists()
    assert walked.strange and function.__name__ in walked.strange[0]


@pytest.mark.parametrize("where", ["torch", "dcp"])
def test_a_checkpoint_whose_pickle_would_run_code_is_never_complete(tmp_path: Path, where: str) -> None:
    mark = tmp_path / "it-ran"
    body = pickle.dumps({"state_dict": Calls(os.system, f"touch {mark}")}, 2)
    folder = tmp_path / "step-1"
    folder.mkdir()
    file = folder / ("model.pt" if where == "torch" else ".metadata")
    file.write_bytes(archive(body) if where == "torch" else body)
    (verdict,) = judged(folder)
    assert not verdict.complete and "system" in verdict.problems[0].what
    assert not mark.exists()


def test_names_that_reach_through_a_harmless_module_are_strange() -> None:
    assert Name("torch", "Size").is_harmless
    assert not Name("torch", "hub.load").is_harmless
    assert not Name("torch.distributed.checkpoint.metadata", "os.system").is_harmless
    assert not Name("collections", "OrderedDict\nos.system").is_harmless


def test_what_the_frameworks_write_names_nothing_strange() -> None:
    walked = walk((FIXTURES / "torch-dcp/step-1200/.metadata").read_bytes())
    assert isinstance(walked.value, Made) and walked.names and not walked.strange


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02}",
        b"\x80\x02}.}",
        b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"}.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"text.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"bytes.",
        b"\x80\x02\x8b\xff\xff\xff\x7f1.",
        b"\x80\x02(.",
        b"\x80\x02h\x07.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02}}s.",
        b"\x80\x02]]\x85s.",
        b"\x80\x02NNR.",
        b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
        b"I" + b"9" * 100_000 + b"\n.",
    ],
)
def test_what_is_no_pickle_is_damaged_and_no_crash(body: bytes) -> None:
    try:
        walk(body)
    except Damaged as damage:
        assert len(str(damage)) < 500
    else:
        assert body.count(b"t") == 100_000, "deep nesting is data like any other"


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_damaged_or_data(body: bytes) -> None:
    try:
        walk(b"\x80\x04" + body)
    except Damaged as damage:
        assert str(damage)


@pytest.mark.parametrize("id", [5, "storage", ("storage",), ("storage", "no name", "0", "cpu", 1)])
def test_a_reference_that_is_no_storage_is_damage_and_no_crash(tmp_path: Path, id: Any) -> None:
    class Referring(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return id if obj is tmp_path else None

    body = io.BytesIO()
    Referring(body, 2).dump({"w": tmp_path})
    folder = tmp_path / "step-1"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(archive(body.getvalue()))
    verdicts = judged(tmp_path)
    assert verdicts and not any(each.complete for each in verdicts)
    assert all("no storage" in problem.what for each in verdicts for problem in each.problems)


def test_a_tensor_that_refers_to_nothing_has_no_member() -> None:
    saved: Any = SimpleNamespace(archive=SimpleNamespace(members={}), root="archive/")
    for arguments in ((), (5,), (SimpleNamespace(id=None),)):
        assert member_of(saved, Made(Name("torch._utils", "_rebuild_tensor_v2"), arguments)) is None

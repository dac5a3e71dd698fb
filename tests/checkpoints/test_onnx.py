"""What a user loses when one of these fails: an inference fleet whose model starts without, or with other, weights.
The fixtures are of onnx; scripts/write_checkpoints_other.py wrote them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from damage import DAMAGES, FIXTURES, copied, damage, files, flipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts import Kept
from others import complete, judged_by, judged_deeply_by, never_judged, said

from pilotlight.runtime.checkpoints.claims import Found, listing
from pilotlight.runtime.checkpoints.encodings.protobuf import BYTES, fields
from pilotlight.runtime.checkpoints.encodings.windows import Window
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN, Candidate, File, Unreadable
from pilotlight.runtime.checkpoints.formats.onnx import Onnx
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.verify import verify

WRITTEN = ("onnx", "onnx-data", "onnx-data-each")
CASES = [(fixture, file) for fixture in WRITTEN for file in files(fixture)]
WHOLE = (FIXTURES / "onnx/model.onnx").read_bytes()


def message(number: int, body: bytes | int) -> bytes:
    """One field of a message."""
    if isinstance(body, int):
        return number_bytes(number << 3) + number_bytes(body)
    return number_bytes(number << 3 | 2) + number_bytes(len(body)) + body


def number_bytes(value: int) -> bytes:
    """A varint."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def model(*tensors: bytes) -> bytes:
    """The least model with these initializers."""
    graph = b"".join(message(5, tensor) for tensor in tensors)
    return message(1, 10) + message(7, graph) + message(8, message(2, 21))


def tensor(size: int = 4, external: dict[str, str] | None = None, raw: bytes | None = None) -> bytes:
    """A tensor of floats."""
    body = message(1, size) + message(2, 1) + message(8, b"w") + (message(9, raw) if raw is not None else b"")
    for key, value in (external or {}).items():
        body += message(13, message(1, key.encode()) + message(2, value.encode()))
    return body + (message(14, 1) if external else b"")


def one(tmp_path: Path, body: bytes) -> str:
    """What is said of one model; empty when it is complete."""
    (tmp_path / "model.onnx").write_bytes(body)
    (verdict,) = judged_by(tmp_path, Onnx())
    assert not never_judged([verdict])
    return "" if verdict.complete else said([verdict])


@pytest.mark.parametrize("fixture", WRITTEN)
def test_what_onnx_wrote_is_complete_with_the_files_of_its_values(fixture: str) -> None:
    (verdict,) = judged_by(FIXTURES / fixture, Onnx())
    assert verdict.complete and verdict.path == "model.onnx"
    assert verdict.bytes_total == sum(path.stat().st_size for path in (FIXTURES / fixture).iterdir())
    assert complete(judged_deeply_by(FIXTURES / fixture, Onnx())) == ["model.onnx"]


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize(("fixture", "file"), CASES)
def test_a_damaged_file_is_named_and_its_model_refused(tmp_path: Path, fixture: str, file: str, how: str) -> None:
    folder = copied(fixture, tmp_path)
    damage(folder, file, how)
    verdicts = judged_by(folder, Onnx())
    if not file.endswith(".onnx") and how in ("first byte flipped", "longer by a byte"):
        assert complete(verdicts), "values have no checksum, and saving again appends"
    elif file.endswith(".onnx") and how == "first byte flipped":
        assert not never_judged(verdicts), "a number of a version: nothing depends on it"
    else:
        assert not complete(verdicts)
        assert file in said(verdicts) or (file == "model.onnx" and how == "removed")


def test_a_model_cut_anywhere_is_refused(tmp_path: Path) -> None:
    for size in range(0, len(WHOLE), 5):
        assert one(tmp_path, WHOLE[:size]), f"{size} of {len(WHOLE)} bytes"


def test_no_changed_length_of_the_model_its_graph_or_its_values_passes(tmp_path: Path) -> None:
    window, lengths = Window.over(WHOLE), list[int]()
    for each in fields(window, window.end):
        if each.number in (7, 8):
            lengths.append(each.value - 1)
        for inner in fields(window, each.end) if each.number == 7 else ():
            if inner.wire == BYTES and inner.number == 5:
                lengths.append(inner.value - 1)
                lengths += [part.value - 1 for part in fields(window, inner.end) if part.number == 9]
    assert len(lengths) == 6
    for at in lengths:
        for bit in range(7):
            assert one(tmp_path, flipped(WHOLE, at, bit)), f"bit {bit} of byte {at}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (model(tensor(raw=bytes(15))), "has 15 bytes, not 16"),
        (model(tensor()), "has no values"),
        (model(tensor(external={"location": "../w.data"})), "no file of its folder"),
        (model(tensor(external={"location": "/etc/passwd"})), "no file of its folder"),
        (model(tensor(external={"offset": "0"})), "no file of its folder"),
        (model(tensor(external={"location": "w.data", "offset": "-1"})), "lies at -1"),
        (model(tensor(external={"location": "w.data", "length": "15"})), "has 15 bytes, not 16"),
        (model(tensor(external={"location": "w.data", "length": "16"})), "w.data: missing"),
        (model(tensor(external={"location": "part/weights"})), "not looked for"),
        (model(tensor(size=1 << 63)), "negative"),
        (message(1, 10) + message(8, message(2, 21)), "0 graphs"),
        (model() + model(), "2 graphs"),
        (message(7, b"") + b"\x0b", "wire type 3"),
        (b"\x00", "without a number"),
        (message(7, b"\xff" * 11), "without end"),
    ],
)
def test_what_no_runtime_would_load_is_refused_with_the_reason(tmp_path: Path, body: bytes, why: str) -> None:
    assert why in one(tmp_path, body)


def test_graphs_within_graphs_without_end_are_damage(tmp_path: Path) -> None:
    graph = b""
    for _ in range(100):
        graph = message(1, message(5, message(6, graph)))
    assert "without end" in one(tmp_path, message(1, 10) + message(7, graph) + message(8, message(2, 21)))


def test_values_that_begin_in_a_file_end_in_it_too(tmp_path: Path) -> None:
    (tmp_path / "w.data").write_bytes(bytes(32))
    assert one(tmp_path, model(tensor(external={"location": "./w.data", "offset": "16"}))) == ""
    assert "ends at 32" in one(tmp_path, model(tensor(external={"location": "w.data", "offset": "17"})))


def test_a_checksum_of_the_data_file_is_compared_with_deep(tmp_path: Path) -> None:
    (tmp_path / "w.data").write_bytes(bytes(16))
    right = hashlib.sha1(bytes(16)).hexdigest()
    for checksum, is_complete in ((right, True), ("0" * 40, False)):
        (tmp_path / "m.onnx").write_bytes(model(tensor(external={"location": "w.data", "checksum": checksum})))
        assert bool(complete(judged_deeply_by(tmp_path, Onnx()))) is is_complete


def test_a_data_file_that_no_tensor_names_is_told(tmp_path: Path) -> None:
    folder = copied("onnx-data", tmp_path)
    shutil.copy(folder / "model.onnx_data", folder / "model.onnx_data_1")
    (found,) = listing(FolderReader(folder), (Onnx(),)).found
    assert Onnx().unnamed(found.candidate, FolderReader(folder)) == ("model.onnx_data_1",)
    assert complete(judged_by(folder, Onnx())) == ["model.onnx"]


def test_models_in_one_folder_own_what_begins_with_their_names(tmp_path: Path) -> None:
    for name in ("decoder", "decoder_with_past"):
        (tmp_path / f"{name}.onnx").write_bytes(model(tensor(external={"location": f"{name}.onnx_data"})))
        (tmp_path / f"{name}.onnx_data").write_bytes(bytes(16))
    assert complete(judged_by(tmp_path, Onnx())) == ["decoder.onnx", "decoder_with_past.onnx"]
    (tmp_path / "decoder.onnx_data").write_bytes(bytes(15))
    assert complete(judged_by(tmp_path, Onnx())) == ["decoder_with_past.onnx"]


def test_models_that_share_a_data_file_are_one_checkpoint(tmp_path: Path) -> None:
    for name in ("encoder", "decoder"):
        (tmp_path / f"{name}.onnx").write_bytes(model(tensor(external={"location": "shared.data"})))
    (tmp_path / "shared.data").write_bytes(bytes(16))
    (verdict,) = judged_by(tmp_path, Onnx())
    assert verdict.complete and verdict.bytes_total > 16
    (tmp_path / "shared.data").write_bytes(bytes(15))
    assert not complete(judged_by(tmp_path, Onnx()))


def test_weights_of_other_frameworks_beside_are_left_to_them(tmp_path: Path) -> None:
    folder = copied("onnx", tmp_path)
    for name in ("pytorch_model.bin", "model.safetensors", "checkpoint_7", "config.json"):
        (folder / name).write_bytes(b"x")
    (found,) = listing(FolderReader(folder), (Onnx(),)).found
    assert [file.key for file in found.candidate.files] == ["model.onnx"]


def test_a_model_of_a_gigabyte_is_judged_without_its_values(tmp_path: Path) -> None:
    size = 2**30
    head = message(1, size // 4) + message(2, 1) + message(8, b"w") + b"\x4a" + number_bytes(size)
    initializer = b"\x2a" + number_bytes(len(head) + size) + head
    start = message(1, 10) + message(8, message(2, 21)) + b"\x3a" + number_bytes(len(initializer) + size)
    with (tmp_path / "model.onnx").open("wb") as file:
        file.write(start + initializer)
        file.truncate(len(start) + len(initializer) + size)
    (verdict,) = judged_by(tmp_path, Onnx())
    assert verdict.complete and verdict.bytes_read < BYTES_READ_MIN // 64


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_no_flipped_bit_makes_a_judge_stumble(tmp_path: Path, at: int, bit: int) -> None:
    one(tmp_path, flipped(WHOLE, at, bit))


def test_a_model_whose_answer_was_lost_is_undecided_and_none_of_its_files_is_called_unnamed() -> None:
    """The files of its weights would be told as nobody's, and somebody would delete them."""

    class Lost(Kept):
        def read_range(self, file: File, start: int, length: int) -> bytes:
            raise Unreadable("is gone")

    candidate = Candidate("m/", (File("m/model.onnx", 100), File("m/model.onnx.data", 8)))
    verdict = verify(Found(candidate, Onnx()), Lost({}))
    assert [each.what for each in verdict.problems] == ["is gone"]
    assert verdict.unjudged == () and verdict.roles[0].files == ("model.onnx", "model.onnx.data")

"""What a user loses when one of these fails: a training run that resumes from garbage."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts import INDEX as INDEX_OF_SHARDS
from layouts import SHARDS, Files, Kept, below, index, tensors

from pilotlight.runtime.checkpoints import judging
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN, Candidate, Damaged, File, Metered, Unreadable, Verdict
from pilotlight.runtime.checkpoints.formats import safetensors
from pilotlight.runtime.checkpoints.formats.safetensors import first_read, read_index
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.steps import step_of
from pilotlight.runtime.checkpoints.verify import verify_all

FIXTURES = Path(__file__).parent.parent / "fixtures" / "checkpoints"
SHARD = "model-00002-of-00004.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "hf-sharded", tmp_path / "step-120"))


def only(folder: Path) -> Verdict:
    (verdict,) = verify_all(FolderReader(folder.parent))
    return verdict


@pytest.mark.parametrize(
    ("name", "format"), [("hf-sharded", "safetensors-sharded"), ("safetensors-single", "safetensors")]
)
def test_what_the_real_frameworks_wrote_is_complete(name: str, format: str) -> None:
    (verdict,) = verify_all(FolderReader(FIXTURES / name))
    assert (verdict.complete, verdict.format, verdict.problems) == (True, format, ())
    assert 0 < verdict.bytes_read <= BYTES_READ_MIN


def files() -> list[str]:
    return sorted(path.name for path in (FIXTURES / "hf-sharded").iterdir() if path.name != "config.json")


@pytest.mark.parametrize("name", files())
def test_any_file_removed_is_named(sharded: Path, name: str) -> None:
    (sharded / name).unlink()
    verdict = only(sharded)
    assert not verdict.complete
    assert name in {problem.file for problem in verdict.problems} or name == INDEX


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def endless_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**63) + path.read_bytes()[8:])


def text(path: Path) -> None:
    path.write_bytes(b"<html>not found</html>")


@pytest.mark.parametrize("damage", [shorter, longer, empty, endless_header, text])
@pytest.mark.parametrize("name", files())
def test_a_damaged_file_is_named(sharded: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(sharded / name)
    verdict = only(sharded)
    assert not verdict.complete
    assert name in {problem.file for problem in verdict.problems}


def test_a_shard_of_another_place_is_told_apart_by_its_tensors(sharded: Path) -> None:
    shutil.copy(sharded / "model-00003-of-00004.safetensors", sharded / SHARD)
    verdict = only(sharded)
    assert [problem.file for problem in verdict.problems] == [SHARD]
    assert "tensor" in verdict.problems[0].what


def test_a_shard_of_another_count_is_foreign(sharded: Path) -> None:
    shutil.copy(sharded / SHARD, sharded / "model-00002-of-00005.safetensors")
    assert [problem.what for problem in only(sharded).problems] == ["foreign: the index does not name it"]


def test_an_index_that_leads_out_of_the_folder_is_refused(sharded: Path) -> None:
    index = json.loads((sharded / INDEX).read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], "../step-100/model.safetensors")
    (sharded / INDEX).write_text(json.dumps(index))
    assert "not a file name" in only(sharded).problems[0].what


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(files()), st.integers(0, 2000), st.integers(1, 255))
def test_a_flipped_byte_of_a_header_is_never_a_crash(sharded: Path, name: str, at: int, mask: int) -> None:
    whole = (FIXTURES / "hf-sharded" / name).read_bytes()
    damaged = bytearray(whole)
    damaged[at % len(damaged)] ^= mask
    (sharded / name).write_bytes(bytes(damaged))
    verdict = only(sharded)
    (sharded / name).write_bytes(whole)
    if at % len(damaged) < 8 and name.endswith(".safetensors"):
        assert not verdict.complete


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_whatever_a_file_holds_there_is_a_verdict(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, framed: bool
) -> None:
    folder = tmp_path_factory.mktemp("any") / "step-1"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(data)) + data if framed else data)
    (folder / INDEX).write_bytes(data)
    assert not only(folder).complete


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, -8]}},
        {"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}},
        {"a": {"dtype": "F32", "shape": [True, 2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}},
        {
            "a": {"dtype": "U8", "shape": [6], "data_offsets": [0, 6]},
            "b": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]},
        },
        {"a": []},
        {"a": 1},
        [],
    ],
)
def test_offsets_that_do_not_cover_the_file_exactly_are_refused(tmp_path: Path, header: object) -> None:
    folder = tmp_path / "step-1"
    folder.mkdir()
    encoded = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(encoded)) + encoded + bytes(8))
    assert not only(folder).complete


def test_a_header_nested_without_end_is_damage(tmp_path: Path) -> None:
    folder = tmp_path / "step-1"
    folder.mkdir()
    encoded = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(encoded)) + encoded)
    assert not only(folder).complete


def test_a_name_that_occurs_twice_is_damage(tmp_path: Path) -> None:
    folder = tmp_path / "step-1"
    folder.mkdir()
    tensor = '{"dtype":"U8","shape":[8],"data_offsets":[0,8]}'
    encoded = f'{{"a":{tensor},"a":{tensor}}}'.encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(encoded)) + encoded + bytes(8))
    assert "twice" in only(folder).problems[0].what


def test_a_ten_gigabyte_checkpoint_is_judged_by_reading_less_than_a_mebibyte(tmp_path: Path) -> None:
    folder = tmp_path / "step-1"
    folder.mkdir()
    size = 10 * 1024**3
    header = {"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    encoded = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        file.truncate(8 + len(encoded) + size)
    verdict = only(folder)
    assert verdict.complete and verdict.bytes_read < BYTES_READ_MIN


def test_what_a_header_claims_does_not_decide_how_much_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "step-1"
    folder.mkdir()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", 90_000_000) + b"{")
        file.truncate(95_000_000)
    verdict = only(folder)
    assert not verdict.complete and verdict.bytes_read <= BYTES_READ_MIN


def test_steps_come_from_the_nearest_folder_whose_name_tells_one() -> None:
    assert step_of("step-000120/") == 120
    assert step_of("run-3/checkpoint_40/") == 40
    assert step_of("run-3/final/") is None
    assert step_of("weights/") is None
    assert step_of("") is None
    assert step_of("9" * 5000 + "/") is None


class Short:
    """A reader that gives less than was asked for."""

    def files(self) -> list[File]:
        return []

    def read_range(self, file: File, start: int, length: int) -> bytes:
        return b""


def test_a_range_that_comes_back_short_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="0 of 8 bytes"):
        Metered(Short(), 100).read_range(File("k", 100), 0, 8)  # type: ignore[arg-type]


def test_ten_gigabytes_are_judged_with_less_than_a_mebibyte() -> None:
    """The benchmark writes a sparse file, and fails where the promise is broken."""
    script = Path(__file__).parents[2] / "benchmarks/checkpoint_read.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9,997,562,601 bytes, complete" in done.stdout


def test_a_large_json_beside_the_weights_is_sound_where_it_ends_as_it_begins(sharded: Path) -> None:
    """A trainer's state of many thousand logged steps: every checkpoint that has one would be called torn."""
    state = {"global_step": 120, "log_history": [{"loss": number} for number in range(20_000)]}
    (sharded / "trainer_state.json").write_text(json.dumps(state))
    assert not [each for each in only(sharded).problems if each.file == "trainer_state.json"]
    shorter(sharded / "trainer_state.json")
    assert [each.file for each in only(sharded).problems if "end as it begins" in each.what] == ["trainer_state.json"]


def test_a_file_of_tensors_is_read_whatever_role_it_has(sharded: Path) -> None:
    """One that is judged and tells nothing would be called unjudged, or stop the judging of all."""
    reader = FolderReader(sharded)
    file = next(each for each in reader.files() if each.key == SHARD)
    told = judging.judge(Candidate("", (file,)), file, reader, 1)
    assert told.judged and told.value, told


def header(body: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(body)) + body + data


def told(files: Files) -> list[tuple[str, str]]:
    """What is wrong with a folder of these files."""
    (verdict,) = verify_all(Kept(below("best/", files)))
    return [(each.file, each.what) for each in verdict.problems]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (header(b"{}"), ""),
        (header(b"{}")[:9], "9 bytes are too few for a header"),
        (header(b"[]"), "its header does not begin with {"),
        (header(b" {}"), "its header does not begin with {"),
        (header(b"{}", b"x"), "tensors end at 0, the file holds 1 bytes of them"),
        (struct.pack("<Q", 3) + b"{}", "claims a header of 3 bytes in a file of 10"),
        (header(b'{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}', b"x"), ""),
        (header(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), ""),
        (header(b'{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', b"x"), ""),
        (header(b'{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}', b"x"), "tensor a has 1 bytes"),
        (header(b'{"a":{"dtype":"U8","shape":[-1],"data_offsets":[1,0]}}'), "tensor a is not described"),
        (header(b'{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', b"x"), "tensor a is not described"),
        (header(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"xy"), "tensor a begins at 1, not at 0"),
        (header(b'{"__metadata__":{"format":"pt"}}'), ""),
    ],
)  # fmt: skip
def test_a_header_is_exactly_what_the_format_says(body: bytes, what: str) -> None:
    problems = told({"model.safetensors": body})
    assert [file for file, _ in problems] == (["model.safetensors"] if what else [])
    assert what in "".join(each for _, each in problems)


def test_a_header_as_large_as_the_formats_own_reader_takes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}'
    for limit, problems in ((len(text), 0), (len(text) - 1, 1)):
        monkeypatch.setattr(safetensors, "HEADER_BYTES_MAX", limit)
        assert len(told({"model.safetensors": header(text, bytes(8))})) == problems


def test_an_index_as_large_as_may_be_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = index("model.safetensors", w1=next(iter(SHARDS)))["model.safetensors.index.json"]
    file, reader = File("i", len(text)), Kept({"i": text})
    monkeypatch.setattr(safetensors, "HEADER_BYTES_MAX", len(text))
    assert read_index(file, reader) == {next(iter(SHARDS)): {"w1"}}
    monkeypatch.setattr(safetensors, "HEADER_BYTES_MAX", len(text) - 1)
    with pytest.raises(Damaged, match="too many for an index"):
        read_index(file, reader)
    with pytest.raises(Damaged, match="not JSON"):
        read_index(File("i", 0), Kept({}))


def test_a_header_longer_than_the_first_read_is_read_on_and_a_short_one_is_read_once() -> None:
    many = tensors(*(f"layers.{number}.weight" for number in range(600)))
    for body, reads in ((many, 2), (tensors("w"), 1)):
        asked = list[int]()

        class Asked(Kept):
            def read_range(self, file: File, start: int, length: int, asked: list[int] = asked) -> bytes:
                asked.append(length)
                return super().read_range(file, start, length)

        (verdict,) = verify_all(Asked({"best/model.safetensors": body}))
        assert verdict.complete and len(asked) == reads


def test_the_first_reads_of_all_files_stay_within_half_of_the_smallest_budget() -> None:
    """A model of a thousand shards would be undecided."""
    assert [first_read(files) for files in (1, 32, 64, 1024, 10**6)] == [16384, 16384, 8192, 512, 8]


@pytest.mark.parametrize(
    "shard", ["", "a//b.safetensors", "./a.safetensors", "a/../b.safetensors", "a\\b.safetensors", 5, None, "/a"]
)
def test_an_index_that_names_no_file_of_the_folder_is_refused(shard: object) -> None:
    text = json.dumps({"metadata": {}, "weight_map": {"w": shard}})
    ((file, what),) = told({INDEX: text.encode()})
    assert file == INDEX and "which is not a file name" in what


@pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": {}}', '{"weight_map": []}', '{"weight_map": 5}'])
def test_an_index_that_names_nothing_is_refused(text: str) -> None:
    assert (INDEX, "has no weight_map") in told({INDEX: text.encode()})


def test_shards_hold_what_the_index_says_and_nothing_else() -> None:
    files = SHARDS | INDEX_OF_SHARDS
    assert told(files) == []
    first, second = sorted(SHARDS)
    assert told(files | {first: tensors("w1", "v")}) == [(first, "tensor v is in it but not in the index, 1 in all")]
    assert told(files | {first: tensors("v")}) == [(first, "tensor w1 is not in it, 1 in all")]
    assert told({name: body for name, body in files.items() if name != second}) == [(second, "missing")]
    assert told(SHARDS) == [(INDEX, "missing: there are shards, but nothing says which belong to it")]
    other = files | {"ema-00001-of-00001.safetensors": tensors("e")}
    assert told(other) == [
        ("ema.safetensors.index.json", "missing: there are shards, but nothing says which belong to it")
    ]
    assert told(files | {"value_head.safetensors": tensors("v")}) == []
    assert [file for file, _ in told(files | {"value_head.safetensors": b"torn"})] == ["value_head.safetensors"]


def share(rank: int, begin: object, shape: list[int], number: int = 1, of: int = 1) -> Files:
    """A rank's share of a tensor."""
    where = {} if begin is None else {"DCP_SHARDING_INFO": json.dumps({"w": {"saved_offsets": begin}})}
    elements = 1
    for each in shape:
        elements *= each
    entry = {"dtype": "U8", "shape": shape, "data_offsets": [0, elements]}
    text = json.dumps(({"__metadata__": where} if where else {}) | {"w": entry}).encode()
    return {f"shard-{rank:05d}-model-{number:05d}-of-{of:05d}.safetensors": header(text, bytes(elements))}


FIRST = "shard-00001-model-00001-of-00001.safetensors"


@pytest.mark.parametrize(
    ("shares", "what"),
    [
        ([share(1, [0, 0], [2, 3]), share(2, [2, 0], [1, 3])], ""),
        ([share(1, [0, 0], [2, 3]), share(2, [0, 3], [2, 2])], ""),
        ([share(1, None, [2, 3])], ""),
        ([share(1, [], [])], ""),
        ([share(1, [0, 0], [2, 3]), share(2, [3, 0], [1, 3])], "a share of tensor w is missing: 2 do not fill it"),
        ([share(1, [1, 0], [2, 3])], "a share of tensor w is missing: 1 do not fill it"),
        ([share(1, [0], [2, 3])], "says that tensor w begins at [0]"),
        ([share(1, [0, -1], [2, 3])], "says that tensor w begins at [0, -1]"),
        ([share(1, [0, 1.0], [2, 3])], "says that tensor w begins at [0, 1.0]"),
    ],
)
def test_the_shares_of_a_tensor_fill_it(shares: list[Files], what: str) -> None:
    files = {name: body for each in shares for name, body in each.items()}
    assert told(files) == ([(FIRST, what)] if what else [])


def test_ranks_and_their_files_are_missing_by_the_numbers_of_the_others() -> None:
    ranks = share(1, [0], [2]) | share(3, [2], [2])
    assert told(ranks) == [("shard-00002-model-*", "missing: there were 3 ranks with 1 files")]
    files = share(1, [0], [2], 1, 3) | share(1, [2], [2], 3, 3)
    assert told(files) == [("shard-*-model-00002-of-00003.safetensors", "missing: there were 1 ranks with 3 files")]
    torn = share(1, [0], [2]) | {"shard-00002-model-00001-of-00001.safetensors": b"torn"}
    assert {file for file, _ in told(torn)} == {"shard-00002-model-00001-of-00001.safetensors"}

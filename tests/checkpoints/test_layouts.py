"""Every layout, by every damage: nothing torn is called complete, nothing sound is refused. The counts are printed."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import (
    LAYOUTS,
    Files,
    Kept,
    Layout,
    below,
    hf,
    optimizer,
    saved,
    state,
    tensors,
)

from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.format import UNDECIDED, Verdict
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.siblings import suspects
from pilotlight.runtime.checkpoints.steps import RULES, STAGING, staging, step_of
from pilotlight.runtime.checkpoints.verify import (
    find,
    verify,
    verify_all,
)

STANDS_FOR = {"net.pt": "model.safetensors", "pytorch_model.bin": "model.safetensors"}
"""What is named where nothing tells under which of its names a model was."""
CELLS = [(name, file) for name, layout in LAYOUTS.items() for file in sorted(layout.files)]


def judged(files: Files) -> dict[str, Verdict]:
    return {each.path: each for each in verify_all(Kept(files))}


def own(layout: Layout, file: str) -> str:
    """The checkpoint that a file is a part of."""
    roots = [root for root in layout.roots if file == root or (root.endswith("/") and file.startswith(root))]
    return max(roots, key=len, default=layout.roots[0])


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_sound_one_is_complete_when_every_byte_is_read(name: str) -> None:
    reader = Kept(LAYOUTS[name].files)
    for found in find(reader):
        verdict = verify_deeply(found, reader)
        assert verdict.complete and verdict.roles, verdict.problems


def is_free(layout: Layout, file: str) -> bool:
    return any(file == free or file.endswith(f"/{free}") for free in layout.free)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_sound_one_is_complete_and_nothing_in_it_is_a_checkpoint_of_its_own(name: str) -> None:
    layout = LAYOUTS[name]
    found = judged(layout.files)
    assert sorted(found) == sorted(layout.roots)
    for each in found.values():
        assert each.complete and each.resumable and each.loadable and not each.problems, each.problems
        assert each.layout == layout.layout


@pytest.mark.parametrize(("name", "file"), CELLS)
def test_a_file_that_is_missing_is_named(name: str, file: str) -> None:
    layout = LAYOUTS[name]
    found = judged({key: body for key, body in layout.files.items() if key != file})
    if is_free(layout, file):
        assert all(each.complete for each in found.values())
        return
    accused = [problem.file for each in found.values() for problem in each.problems]
    wanted = STANDS_FOR.get(file.rpartition("/")[2], file)
    assert any(fnmatch(wanted, f"*{named}") for named in accused), accused


@pytest.mark.parametrize("how", ["cut by a byte", "emptied"])
@pytest.mark.parametrize(("name", "file"), CELLS)
def test_a_file_that_is_cut_is_named(name: str, file: str, how: str) -> None:
    layout = LAYOUTS[name]
    if any(file.endswith(each) for each in layout.unread):
        return
    body = layout.files[file]
    verdict = judged(layout.files | {file: body[:-1] if how == "cut by a byte" else b""})[own(layout, file)]
    assert not verdict.complete
    assert any(file.endswith(problem.file) for problem in verdict.problems), verdict.problems


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.counted])
def test_a_file_of_another_step_is_named(name: str) -> None:
    layout = LAYOUTS[name]
    for file, other in (layout.counted or {}).items():
        (verdict,) = judged(layout.files | {layout.roots[0] + file: other}).values()
        assert not verdict.resumable and verdict.loadable
        assert file in {each.file for each in verdict.problems}


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.roots[0].endswith("/")])
@pytest.mark.parametrize("left_as", ["tmp-{}", "{}.tmp"])
def test_what_was_left_behind_unfinished_is_not_complete(name: str, left_as: str) -> None:
    layout = LAYOUTS[name]
    path = layout.roots[0].rstrip("/")
    parent, _, last = path.rpartition("/")
    moved = f"{parent}/{left_as.format(last)}/" if parent else f"{left_as.format(last)}/"
    left = {key.replace(layout.roots[0], moved, 1): body for key, body in layout.files.items()}
    found = judged(left)
    assert found and not any(each.complete for each in found.values())


def test_nemos_marker_beside_a_checkpoint_says_that_it_is_not_finished() -> None:
    layout = LAYOUTS["nemo"]
    found = judged(layout.files | {"nemo/step=9-last-unfinished": b""})
    assert [each.complete for each in found.values()] == [False]


def test_a_model_alone_is_loaded_where_the_trainings_state_is_gone_and_not_resumed_from() -> None:
    (verdict,) = judged(hf({"model.safetensors": tensors("w")}, drop=("optimizer.pt", "scheduler.pt"))).values()
    assert (verdict.resumable, verdict.loadable) == (False, True)
    missing = {name: role.missing for role in verdict.roles if role.missing for name in [role.name]}
    assert missing == {"optimizer": ("optimizer.pt",), "scheduler": ("scheduler.pt",)}


def test_a_trainers_state_in_a_runs_root_asks_for_no_optimizer() -> None:
    root = below("run/", {"model.safetensors": tensors("w"), "trainer_state.json": state(100)})
    found = judged(root | hf({"model.safetensors": tensors("w")}))
    assert {path: each.complete for path, each in found.items()} == {"run/": True, "run/checkpoint-100/": True}


def test_steps_that_overflowed_move_neither_scheduler_nor_optimizer_and_are_no_damage() -> None:
    behind = {"optimizer.pt": optimizer(98), "scheduler.pt": saved({"last_epoch": 98})}
    (verdict,) = judged(hf({"model.safetensors": tensors("w")}) | below("run/checkpoint-100/", behind)).values()
    assert verdict.complete, verdict.problems


def test_a_scheduler_that_counts_evaluations_is_no_damage() -> None:
    plateau = {"scheduler.pt": saved({"last_epoch": 4, "patience": 3})}
    (verdict,) = judged(hf({"model.safetensors": tensors("w")}) | below("run/checkpoint-100/", plateau)).values()
    assert verdict.complete, verdict.problems


def test_what_no_judge_knows_is_named_with_its_size_and_stops_nothing() -> None:
    (verdict,) = judged(hf({"model.safetensors": tensors("w"), "tokenizer.model": b"12345"})).values()
    assert verdict.complete
    assert [(each.file, each.bytes) for each in verdict.unjudged] == [("tokenizer.model", 5)]


def test_a_model_under_a_name_of_its_own_beside_its_optimizer_is_judged_and_not_called_unknown() -> None:
    (verdict,) = judged(LAYOUTS["torch-folder"].files).values()
    assert verdict.complete and verdict.unjudged == ()
    assert {role.name for role in verdict.roles} >= {"weights", "optimizer"}


def test_tensors_under_a_name_that_nobody_knows_are_read_all_the_same() -> None:
    whole = hf({"model.safetensors": tensors("w"), "value_head.safetensors": tensors("v")})
    (verdict,) = judged(whole).values()
    assert verdict.complete and verdict.unjudged == (), verdict
    name = next(each for each in whole if each.endswith("value_head.safetensors"))
    (cut,) = judged(whole | {name: whole[name][:-3]}).values()
    assert not cut.complete


def test_two_files_of_one_stem_are_two_checkpoints_and_the_older_stays_one_when_the_newer_is_cut() -> None:
    both = {"loras/style-000002.safetensors": tensors("w2"), "loras/style.safetensors": tensors("w9")}
    assert {path: each.complete for path, each in judged(both).items()} == dict.fromkeys(both, True)
    cut = judged(both | {"loras/style.safetensors": tensors("w9")[:-3]})
    assert {path: each.complete for path, each in cut.items()} == dict(zip(both, (True, False), strict=True))


def test_a_checkpoint_that_lacks_what_all_its_neighbours_have_is_suspect() -> None:
    one = {name.removeprefix("run/checkpoint-100/"): body for name, body in LAYOUTS["hf-ranks"].files.items()}
    files: Files = {}
    for step in (100, 200, 300):
        files |= below(f"run/checkpoint-{step}/", one | {"tokenizer.model": b"x", "trainer_state.json": state(step)})
    assert suspects(find(Kept(files))) == {}
    del files["run/checkpoint-300/tokenizer.model"], files["run/checkpoint-200/rng_state_2.pth"]
    told = suspects(find(Kept(files)))
    assert told == {
        "run/checkpoint-200/": ("its neighbours have 3 of rng_state_#.pth, it 2",),
        "run/checkpoint-300/": ("its neighbours have tokenizer.model",),
    }


def test_a_header_beyond_the_budget_is_undecided_and_neither_damage_nor_proof() -> None:
    many = tensors(*(f"base_model.layers.{n}.lora_A.weight" for n in range(16_000)))
    found = find(Kept({"lora/adapter_model.safetensors": many, "lora/adapter_config.json": b"{}"}))
    verdict = verify(found[0], Kept({"lora/adapter_model.safetensors": many, "lora/adapter_config.json": b"{}"}))
    assert not verdict.complete and verdict.problems[0].what.startswith(UNDECIDED)
    files = Kept({"lora/adapter_model.safetensors": many, "lora/adapter_config.json": b"{}"})
    assert verify(found[0], files, least=8 * 1024 * 1024).complete


def test_an_index_may_say_more_than_transformers_reads_of_it() -> None:
    files = LAYOUTS["hf-sharded"].files
    name = "run/checkpoint-100/model.safetensors.index.json"
    more = files[name].replace(b'{"metadata"', b'{"mlx": 1, "metadata"')
    (verdict,) = judged(files | {name: more}).values()
    assert verdict.complete, verdict.problems


def test_a_share_of_a_tensor_that_is_missing_in_the_middle_is_named() -> None:
    files = {key: body for key, body in LAYOUTS["hf-storage"].files.items() if "shard-00002" not in key}
    (verdict,) = judged(files).values()
    assert "shard-00002-model-*" in {each.file for each in verdict.problems}


def test_a_file_from_before_pytorch_1_6_is_told_apart_from_one_that_was_cut(tmp_path: Path) -> None:
    legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." + b"\x00" * 100
    (tmp_path / "old.pt").write_bytes(legacy)
    (verdict,) = verify_all(FolderReader(tmp_path))
    assert "before PyTorch 1.6" in verdict.problems[0].what


WAYS = {
    "gone": lambda body: None,
    "cut": lambda body: body[:-1],
    "empty": lambda body: b"",
    "longer": lambda b: b + b"x",
}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damages_together_hide_each_other(data: st.DataObject) -> None:
    """Whatever is gone, cut, emptied or longer at once, a checkpoint with such a file in it is never complete."""
    layout = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)), "layout")]
    judgable = [file for file in sorted(layout.files) if not any(file.endswith(each) for each in layout.unread)]
    chosen = data.draw(st.lists(st.sampled_from(judgable), min_size=1, max_size=4, unique=True), "files")
    ways = {file: data.draw(st.sampled_from(sorted(WAYS)), file) for file in chosen}
    files = dict(layout.files)
    for file, way in ways.items():
        body = WAYS[way](files.pop(file))
        files |= {} if body is None else {file: body}
    found = judged(files)
    torn = [file for file, way in ways.items() if way != "gone"]
    for path, verdict in found.items():
        inside = [file for file in torn if file == path or (path.endswith("/") and file.startswith(path))]
        assert not (inside and verdict.complete), (path, inside)


def test_the_whole_table_counts_no_false_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    complete = refused = false = 0
    for layout in LAYOUTS.values():
        sound = judged(layout.files)
        complete += sum(each.complete for each in sound.values())
        false += sum(not each.complete for each in sound.values())
        for file in layout.files:
            if not any(file.endswith(each) for each in layout.unread):
                torn = judged(layout.files | {file: layout.files[file][:-1]})[own(layout, file)]
                refused, false = refused + (not torn.complete), false + torn.complete
    print(f"{complete} sound ones complete, {refused} torn ones refused, {false} false verdicts")
    assert false == 0 and "0 false verdicts" in capsys.readouterr().out


def test_a_snapshot_of_a_hugging_face_cache_is_read_through_its_links(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "1234").write_bytes(tensors("w"))
    (snapshot / "model.safetensors").symlink_to(Path("../../blobs/1234"))
    (snapshot / "config.json").write_text("{}")
    assert [each.complete for each in verify_all(FolderReader(snapshot))] == [True]
    (blobs / "1234").write_bytes(tensors("w")[:-1])
    assert [each.complete for each in verify_all(FolderReader(snapshot))] == [False]


def test_a_link_that_leads_nowhere_or_out_of_the_folder_makes_nothing_complete(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoint-1"
    folder.mkdir(parents=True)
    (tmp_path / "outside.safetensors").write_bytes(tensors("w"))
    (folder / "model.safetensors").symlink_to(tmp_path / "outside.safetensors")
    (tmp_path / "run" / "latest").symlink_to(folder)
    (verdict,) = verify_all(FolderReader(tmp_path / "run"))
    assert "leads out of the folder" in verdict.problems[0].what
    (tmp_path / "outside.safetensors").unlink()
    assert [each.complete for each in verify_all(FolderReader(tmp_path / "run"))] == [False]


def test_one_file_is_a_place_too(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(saved({"step": 3}))
    (tmp_path / "b.pt").write_bytes(b"torn")
    assert [(each.path, each.complete) for each in verify_all(FolderReader(tmp_path / "a.pt"))] == [("a.pt", True)]


def test_the_page_tells_every_rule_by_which_names_tell_a_step() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "checkpoints.md").read_text()
    for rule in RULES:
        assert step_of(rule.example) == rule.step
        assert f"| `{rule.example}` | {rule.step} | {rule.writer} |" in page
    assert all(f"`{example}` ({writer})" in page and staging(example) for _, example, writer in STAGING)


def test_weights_are_loaded_where_only_a_shard_of_the_optimizer_is_gone() -> None:
    layout = LAYOUTS["hf-fsdp-sharded"]
    shard = next(name for name in sorted(layout.files) if "/optimizer_0/" in name and name.endswith(".distcp"))
    (verdict,) = judged({name: body for name, body in layout.files.items() if name != shard}).values()
    assert (verdict.resumable, verdict.loadable) == (False, True)

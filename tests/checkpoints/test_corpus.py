"""What the frameworks of today write, and every damage to it: nothing torn is complete, nothing sound is refused.

`make corpus` writes it (scripts/write_checkpoints.py). Every file of every layout is gone, cut, emptied, and of the
other save; what may pass is named here with the reason, and nothing else does. The counts are printed.
"""

from __future__ import annotations

import json
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
from layouts import FIXTURES, Files, Kept, below, written

from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.format import Verdict
from pilotlight.runtime.checkpoints.verify import find, verify_all

CORPUS = FIXTURES / "corpus"
LAYOUTS = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())
POINTERS = ("*/latest", "*/latest_universal", "*/latest_checkpointed_iteration.txt")
"""Beside the checkpoints: they say which is the newest, and are no part of one."""
FREE = (
    ("*/training_args.bin", "neither loading nor resuming reads it"),
    ("*/generation_config.json", "defaults of generation: a model is loaded without it"),
    ("*/README.md", "a text"),
    ("accelerate/*/scheduler.bin", "a scheduler is saved where one was prepared"),
    ("accelerate-ranks/*/scheduler.bin", "a scheduler is saved where one was prepared"),
    ("accelerate-two-models/step_?/*_1.*", "the last of several is missed by nobody but its siblings"),
    ("accelerate-ranks/step_?/random_states_1.pkl", "the last process, where nothing else tells of it"),
    ("llama/consolidated.01.pth", "the last rank: nothing tells how many there were"),
    ("torch-dcp-hugging-face/*/shard-00002-*", "the last share of the last rows: no shape is kept of the whole"),
    ("torch-files/apart/*/optimizer.pt", "a model alone is a model"),
)
"""(files whose absence nothing in the checkpoint can tell, why); its siblings do where there are some."""
ALONE = ("lightning-file/*", "torch-files/ckpt-*.pt", "hf-model/whole/model.safetensors")
"""A checkpoint of one file: without it there is none."""
UNREAD = ("*/README.md",)


@cache
def sound(layout: str) -> Files:
    return below(f"{layout}/", written(CORPUS / layout))


def judged(files: Files) -> dict[str, Verdict]:
    return {each.path: each for each in verify_all(Kept(files))}


def cut(name: str, body: bytes) -> bytes:
    """One byte short; the last end of line of a text is no loss."""
    return body.rstrip()[:-1] if name.endswith(".json") else body[:-1]


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, each) for each in patterns)


def accused(layout: str, name: str, body: bytes | None) -> bool:
    """Whether, with this file so, or gone, a checkpoint is refused; other folders are not looked at again."""
    own = name[: name.find("/", len(layout) + 1) + 1] or f"{layout}/"
    files = {key: kept for key, kept in sound(layout).items() if key.startswith(own) and key != name}
    return any(not each.complete for each in judged(files | ({name: body} if body is not None else {})).values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_a_framework_wrote_is_complete_also_when_every_byte_is_read(layout: str) -> None:
    found = judged(sound(layout))
    assert found, "nothing was taken for a checkpoint"
    for each in found.values():
        assert each.complete and each.resumable and each.loadable and not each.problems, each.problems
    reader = Kept(sound(layout))
    assert all(verify_deeply(each, reader).complete for each in find(reader))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_that_is_gone_cut_or_empty_is_found(layout: str) -> None:
    files = sound(layout)
    passed = []
    for name in files:
        if fits(name, POINTERS):
            continue
        if not accused(layout, name, None) and not fits(name, (*(pattern for pattern, _ in FREE), *ALONE)):
            passed.append(f"{name} gone")
        for how, body in (("cut", cut(name, files[name])), ("empty", b"")):
            if not fits(name, UNREAD) and not accused(layout, name, body):
                passed.append(f"{name} {how}")
    print(f"{layout}: {len(files)} files, {len(passed)} damages called complete")
    assert not passed


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_excused_is_excused_for_a_reason_that_still_holds(layout: str) -> None:
    """Once something tells of such a file, it has to leave the list."""
    files = sound(layout)
    for name in files:
        if fits(name, tuple(pattern for pattern, _ in FREE)):
            assert not accused(layout, name, None), name


TELL_THEIR_STEP = (
    "hf-*/checkpoint-?/trainer_state.json",
    "hf-*/checkpoint-?/optimizer.pt",
    "hf-*/checkpoint-?/scheduler.pt",
    "deepspeed-*/global_step?/*model_states.pt",
    "deepspeed-zero*/global_step?/*optim_states.pt",
    "orbax-manager/*/state/manifest.ocdbt",
    "megatron-core-torch-dist/*/common.pt",
)
"""Files by which another save of the same run is told."""
LAGGING = ("hf-fsdp-*/checkpoint-4/scheduler.pt",)
"""Behind the trainer's count as after overflows, and no other file is read that tells it was saved with the trainer."""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_of_the_other_save_is_found_where_it_tells_its_step(layout: str) -> None:
    files = sound(layout)
    passed = []
    for name in (each for each in files if fits(each, TELL_THEIR_STEP) and not fits(each, LAGGING)):
        folder, _, rest = name.removeprefix(f"{layout}/").partition("/")
        others = {key.removeprefix(f"{layout}/").partition("/")[0] for key in files} - {folder}
        other = next((files[f"{layout}/{each}/{rest}"] for each in others if f"{layout}/{each}/{rest}" in files), None)
        if other is not None and other != files[name] and not accused(layout, name, other):
            passed.append(name)
    assert not passed


@pytest.mark.parametrize(("layout", "loadable"), [("deepspeed-zero1", True), ("deepspeed-zero3", False)])
def test_a_model_is_loaded_without_its_optimizer_unless_that_keeps_the_weights(layout: str, loadable: bool) -> None:
    gone = f"{layout}/global_step2/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"
    verdict = judged({name: body for name, body in sound(layout).items() if name != gone})[f"{layout}/global_step2/"]
    assert (verdict.resumable, verdict.loadable) == (False, loadable)
    (role,) = (each for each in verdict.roles if each.missing)
    assert (role.name, role.missing) == ("optimizer", (gone.rpartition("/")[2],))


SAID = json.loads((CORPUS / "loaders.json").read_text())
"""What transformers, PEFT and the Trainer did with damaged copies (scripts/corpus/loaders.py)."""


def damaged(body: bytes, name: str, how: str) -> bytes | None:
    ways = {"gone": None, "cut": cut(name, body), "half": body[: len(body) // 2], "empty": b""}
    return ways.get(how, bytes(8))


@pytest.mark.parametrize("folder", sorted({each["folder"] for each in SAID}))
def test_what_the_frameworks_own_loader_refuses_is_never_called_loadable_nor_resumable(folder: str) -> None:
    files = written(CORPUS / folder)
    wrong = []
    for each in (each for each in SAID if each["folder"] == folder):
        now = {name: body for name, body in files.items() if name != each["file"]}
        body = damaged(files.get(each["file"], b""), each["file"], each["how"]) if each["file"] else None
        found = judged(below("step/", now | ({each["file"]: body} if body is not None else {})))
        verdict = found.get("step/")
        if verdict and verdict.loadable and each["load"] != "loads":
            wrong.append((each, "loadable"))
        if verdict and verdict.resumable and each.get("resume", "loads") != "loads":
            wrong.append((each, "resumable"))
        if not each["file"]:
            assert verdict is not None and verdict.complete and each["load"] == "loads"
    assert not wrong


def test_every_layout_says_who_wrote_it_and_the_corpus_is_small() -> None:
    for layout in LAYOUTS:
        told = json.loads((CORPUS / f"{layout}.versions.json").read_text())
        assert told["how"] and told["versions"]
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 8_000_000


def test_the_page_of_the_corpus_names_every_layout() -> None:
    page = (CORPUS / "README.md").read_text()
    assert all(f"| `{layout}` |" in page for layout in LAYOUTS)
    assert Path(CORPUS / "README.md").stat().st_size < 20_000

"""What a user loses when one of these fails: a folder whose files say what it lacks, and nobody who reads them."""

from __future__ import annotations

import json
import struct

import pytest
from archives import archive
from layouts import (
    FSDP,
    FSDP_OPTIMIZER,
    LAYOUTS,
    SHARDS,
    ZERO3,
    Files,
    Kept,
    below,
    hf,
    index,
    optimizer,
    saved,
    state,
    tensors,
    trainers,
)
from pickled import pickled, tensor

from pilotlight.runtime.checkpoints import claims
from pilotlight.runtime.checkpoints.catalogue import FORMATS
from pilotlight.runtime.checkpoints.format import Candidate, File, Metered, Unreadable, Verdict
from pilotlight.runtime.checkpoints.needed import Wanted
from pilotlight.runtime.checkpoints.verify import (
    Found,
    TooManyFiles,
    fingerprint,
    formats,
    listing,
    verify,
    verify_all,
)
from pilotlight.runtime.checkpoints.verify import step as step_told
from pilotlight.runtime.checkpoints.verify import verdict as verdict_on
from pilotlight.runtime.errors import RegionUnreachable


def judged(files: Files) -> dict[str, Verdict]:
    return {each.path: each for each in verify_all(Kept(files))}


def whole(*names: str) -> Files:
    """Sound files under these names."""
    sound = {".json": b"{}", ".safetensors": tensors("w"), "trainer_state.json": state(3)}
    made: Files = {}
    for name in names:
        end = next((each for each in ("trainer_state.json", ".json", ".safetensors") if name.endswith(each)), "")
        made[name] = sound.get(end) or saved({"of": name})
    return made


def lacks(folder: str, *names: str) -> tuple[str, dict[str, tuple[str, ...]]]:
    """(layout, what is missing by its role) of a folder with these files."""
    (verdict,) = judged(below(folder, whole(*names))).values()
    assert {each.file for each in verdict.problems} == {name for role in verdict.roles for name in role.missing}
    return verdict.layout, {role.name: role.missing for role in verdict.roles if role.missing}


RANDOM = {"random state": ("rng_state.pth",)}
SCHEDULER = {"scheduler": ("scheduler.pt",)}
OPTIMIZER = {"optimizer": ("optimizer.pt",)}
TRAINER = {"trainer state": ("trainer_state.json",)}
MODEL = {"weights": ("model.safetensors",)}
TRAINERS = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


@pytest.mark.parametrize(
    ("folder", "names", "layout", "missing"),
    [
        ("best/", TRAINERS, "hf-trainer", {}),
        ("best/", ("model.safetensors", "optimizer.pt", "trainer_state.json"), "hf-trainer", RANDOM | SCHEDULER),
        ("best/", ("model.safetensors", "scheduler.pt", "trainer_state.json"), "hf-trainer", OPTIMIZER | RANDOM),
        ("best/", ("model.safetensors", "rng_state.pth"), "hf-trainer", OPTIMIZER | SCHEDULER | TRAINER),
        ("best/", ("model.safetensors", "trainer_state.json"), "model", {}),
        ("best/", ("trainer_state.json",), "model", MODEL),
        ("best/", ("scheduler.pt",), "model", MODEL),
        ("best/", ("optimizer.pt",), "torch-folder", MODEL),
        ("best/", ("model.safetensors", "scheduler.pt"), "model", {}),
        ("best/", ("model.safetensors", "optimizer.pt"), "torch-folder", {}),
        ("checkpoint-3/", ("model.safetensors", "trainer_state.json"), "hf-trainer", OPTIMIZER | RANDOM | SCHEDULER),
        ("checkpoint-3/", ("model.safetensors", "scheduler.pt"), "hf-trainer", OPTIMIZER | RANDOM | TRAINER),
        ("checkpoint-3/", ("model.safetensors",), "model", {}),
        ("checkpoint-3/", ("model.safetensors", "optimizer.pt"), "torch-folder", {}),
        ("checkpoint-3/", TRAINERS[1:], "hf-trainer", MODEL),
        ("a/", ("model.safetensors", "optimizer.bin", "scheduler.bin"), "accelerate",
         {"random state": ("random_states_0.pkl",)}),
        ("a/", ("model.safetensors", "random_states_0.pkl"), "accelerate", {"optimizer": ("optimizer.bin",)}),
        ("a/", ("model.safetensors", "optimizer.bin", "scheduler.pt"), "torch-folder", {}),
        ("a/", ("model.safetensors", "optimizer.pt", "scheduler.bin"), "torch-folder", {}),
        ("a/", ("consolidated.00.pth",), "llama", {"configuration": ("params.json",)}),
        ("a/", ("adapter_model.safetensors",), "peft", {"configuration": ("adapter_config.json",)}),
        ("a/", ("adapter_config.json",), "peft", {"weights": ("adapter_model.safetensors",)}),
        ("a/", ("model.safetensors", "generation_config.json"), "model", {"configuration": ("config.json",)}),
        ("a/", ("model.safetensors", "generation_config.json", "config.json"), "model", {}),
    ],
)  # fmt: skip
def test_what_a_folder_must_have_is_told_by_what_lies_in_it(
    folder: str, names: tuple[str, ...], layout: str, missing: dict[str, tuple[str, ...]]
) -> None:
    """A role that nobody asks for is lost unseen; one that is asked for in vain makes a sound model a broken one."""
    assert lacks(folder, *names) == (layout, missing)


def ranked(name: str, *ranks: int) -> tuple[str, ...]:
    return tuple(name.format(rank) for rank in ranks)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (ranked("rng_state_{}.pth", 0, 2), {"random state": ("rng_state_1.pth",)}),
        (ranked("rng_state_{}.pth", 0), {"random state": ("rng_state_1.pth",)}),
        (ranked("rng_state_{}.pth", 0, 1), {}),
        (("rng_state.pth",), {}),
        (ranked("optimizer_rank{}.bin", 0, 2) + ranked("rng_state_{}.pth", 0, 1, 2),
         {"optimizer": ("optimizer_rank1.bin",)}),
        (ranked("optimizer_rank{}.bin", 0, 1) + ranked("rng_state_{}.pth", 0, 1, 2),
         {"optimizer": ("optimizer_rank2.bin",)}),
        (ranked("optimizer_rank{}.bin", 0, 1), {"random state": ("rng_state_0.pth",)}),
        (ranked("pytorch_model_fsdp_rank{}.bin", 0, 2) + ranked("rng_state_{}.pth", 0, 1, 2),
         {"weights": ("pytorch_model_fsdp_rank1.bin",)}),
    ],
)  # fmt: skip
def test_of_what_every_process_writes_there_is_one_of_every_process(
    names: tuple[str, ...], missing: dict[str, tuple[str, ...]]
) -> None:
    rest = [each for each in TRAINERS if each != "rng_state.pth"]
    if any("optimizer" in name for name in names):
        rest.remove("optimizer.pt")
    assert lacks("run/checkpoint-3/", *rest, *names) == ("hf-trainer", missing)


def test_folders_of_a_sharded_state_are_missing_under_their_own_names() -> None:
    """A person would look for a file that was never written."""
    rest = {name: body for name, body in trainers(100, 2).items() if name != "optimizer.pt"}
    for there, role, lost in (
        (FSDP, "optimizer", "optimizer_0/"),
        (FSDP_OPTIMIZER, "weights", "pytorch_model_fsdp_0/"),
    ):
        (verdict,) = judged(below("run/checkpoint-100/", rest | there)).values()
        assert {role.name: role.missing for role in verdict.roles if role.missing} == {role: (lost,)}
    by_rank = whole("pytorch_model_fsdp_rank0.bin", "pytorch_model_fsdp_rank1.bin")
    (verdict,) = judged(below("run/checkpoint-100/", rest | by_rank)).values()
    assert {role.name: role.missing for role in verdict.roles if role.missing} == {
        "optimizer": ("optimizer_0_rank0.bin",)
    }


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("model.safetensors", "model_2.safetensors"), {"weights": ("model_1.safetensors",)}),
        (("model_1.safetensors", "model.safetensors"), {}),
        (("model.safetensors", "optimizer_1.bin"), {"optimizer": ("optimizer.bin",)}),
        (
            ("model.safetensors", "optimizer.bin", "scheduler_2.bin"),
            {"scheduler": ("scheduler.bin", "scheduler_1.bin")},
        ),
        (("model.safetensors", "custom_checkpoint_1.pkl"), {"registered objects": ("custom_checkpoint_0.pkl",)}),
        (("model.safetensors", "custom_checkpoint_0.pkl"), {}),
    ],
)
def test_what_is_numbered_is_there_from_the_first(names: tuple[str, ...], missing: dict[str, tuple[str, ...]]) -> None:
    """A second model, or a second optimizer, of a run that prepares several."""
    rest = ("random_states_0.pkl",) + (() if any("optimizer" in name for name in names) else ("optimizer.bin",))
    assert lacks("a/", *rest, *names) == ("accelerate", missing)


def test_a_role_that_two_reasons_ask_for_names_what_each_of_them_misses_once() -> None:
    """`optimizer.bin` because Accelerate writes one, and because a second is there."""
    layout, missing = lacks("a/", "model.safetensors", "random_states_0.pkl", "optimizer_2.bin", "scheduler_1.bin")
    assert (layout, missing["optimizer"]) == ("accelerate", ("optimizer.bin", "optimizer_1.bin"))
    (verdict,) = judged(below("a/", whole("adapter_config.json", "random_states_0.pkl", "optimizer.bin"))).values()
    weights = next(role for role in verdict.roles if role.name == "weights")
    assert weights.missing == ("model.safetensors",) and "Accelerate" in weights.why


def test_what_a_problem_of_a_missing_role_says_is_who_asks_for_it() -> None:
    (verdict,) = judged(below("run/checkpoint-3/", whole(*TRAINERS[:-2]))).values()
    told = {each.file: each.what for each in verdict.problems}
    assert told["rng_state.pth"] == "missing: random state; scheduler.pt says that transformers' Trainer wrote this"
    assert set(told) == {"rng_state.pth", "trainer_state.json"}


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (
            ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json"),
            "safetensors-sharded",
        ),
        (("model.safetensors", "config.json", "optimizer.pt"), "safetensors"),
        (("pytorch_model-00001-of-00002.bin", "config.json"), "hf-bin-sharded"),
        (("pytorch_model.bin", "config.json"), "folder"),
    ],
)
def test_the_weights_of_a_folder_are_told_by_their_names_where_an_index_is_gone(
    names: tuple[str, ...], kind: str
) -> None:
    """Who declares one format alone finds it by this."""
    reader = Kept(below("a/", whole(*names)))
    (verdict,) = verify_all(reader)
    assert verdict.format == kind
    assert [each.path for each in verify_all(reader, kind)] == ["a/"]


def test_a_file_of_a_name_of_its_own_beside_the_weights_is_not_taken_for_them() -> None:
    for there, weights in (({"model.safetensors": tensors("w")}, ("model.safetensors",)), (ZERO3, ())):
        files = below("run/checkpoint-2/", trainers(2, 2) | there | {"ema.pt": saved({"w": 1})})
        (verdict,) = judged(files).values()
        assert [role.files for role in verdict.roles if role.name == "weights"] == [weights]
    (verdict,) = judged(below("run/checkpoint-3/", whole("trainer_state.json", "scheduler.pt", "ema.pt"))).values()
    assert "model.safetensors" in {each.file for each in verdict.problems}, "nothing says that it is a model"


@pytest.mark.parametrize(
    ("file", "loadable"),
    [("training_args.bin", False), ("config.json", False), ("optimizer.pt", True), ("scheduler.pt", True),
     ("rng_state.pth", True), ("trainer_state.json", True), ("scaler.pt", True), ("model.safetensors", False),
     ("other.json", False)],
)  # fmt: skip
def test_a_torn_file_stands_in_the_way_of_what_it_is_needed_for(file: str, loadable: bool) -> None:
    files = hf({"model.safetensors": tensors("w"), "scaler.pt": saved({}), "other.json": b"{}"})
    (verdict,) = judged(files | {f"run/checkpoint-100/{file}": b"torn"}).values()
    assert (verdict.resumable, verdict.loadable) == (False, loadable)
    assert [each.file for each in verdict.problems] == [file]


def test_a_folder_under_the_name_of_sharded_weights_that_holds_something_else_is_refused() -> None:
    files = hf({"pytorch_model_fsdp_0/notes.txt": b"x"} | FSDP_OPTIMIZER, 2, ("optimizer.pt",))
    (verdict,) = judged(files).values()
    assert ("pytorch_model_fsdp_0/", "holds nothing that is known of such a folder") in [
        (each.file, each.what) for each in verdict.problems
    ]


def test_a_trainers_tag_of_deepspeed_is_judged_with_it_and_another_folder_is_not() -> None:
    tag = {name: body for name, body in ZERO3.items() if "rank_1_" not in name or "model" in name}
    (verdict,) = judged(hf(tag, 2, ("optimizer.pt", "scheduler.pt"))).values()
    assert [each.file for each in verdict.problems] == ["global_step2/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"]
    alone = judged(below("run/", {"model.safetensors": tensors("w")} | ZERO3))
    assert sorted(alone) == ["run/", "run/global_step2/"], "no trainer wrote both"


def test_shards_in_a_folder_that_an_index_names_belong_to_it_and_other_folders_do_not() -> None:
    shards = {f"weights/{name}": body for name, body in SHARDS.items()}
    named = {tensor: f"weights/{name}" for tensor, name in zip(("w1", "w2"), SHARDS, strict=True)}
    files = below("m/", index("model.safetensors", **named) | shards | {"old/model.safetensors": tensors("w")})
    assert sorted(judged(files)) == ["m/", "m/old/"]
    assert all(each.complete for each in judged(files).values())
    del files["m/model.safetensors.index.json"]
    assert "m/weights/" in judged(files), "without the index it is a folder of its own"


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (("style-000002.safetensors", "style.safetensors"), ["l/style-000002.safetensors", "l/style.safetensors"]),
        (("style-000002.safetensors", "style.safetensors", "config.json"),
         ["l/style-000002.safetensors", "l/style.safetensors"]),
        (("style-000002.safetensors", "other.safetensors"), ["l/"]),
        (("style-000002.safetensors", "style.safetensors", "optimizer.pt"), ["l/"]),
        (("model.safetensors", "model_1.safetensors"), ["l/"]),
        (("style-000002.safetensors", "style.safetensors", "lone.safetensors"),
         ["l/", "l/style-000002.safetensors", "l/style.safetensors"]),
    ],
)  # fmt: skip
def test_files_that_differ_in_a_number_are_checkpoints_each_and_parts_of_one_are_not(
    names: tuple[str, ...], paths: list[str]
) -> None:
    found = judged(below("l/", whole(*names)))
    assert sorted(found) == paths and all(each.complete for each in found.values())


@pytest.mark.parametrize(
    ("scheduler", "steps", "accused"),
    [
        ({"last_epoch": 101}, 100, ["scheduler.pt"]),
        ({"last_epoch": 99}, 100, ["scheduler.pt"]),
        ({"last_epoch": 98}, 98, []),
        ({"last_epoch": 100}, 99, ["optimizer.pt"]),
        ({"last_epoch": True}, 99, []),
        ({"last_epoch": 101, "patience": 2}, 100, []),
        ({"base_lrs": [1]}, 101, ["optimizer.pt"]),
        ([1, 2], 100, []),
    ],
)
def test_what_scheduler_and_optimizer_have_counted_tells_whether_they_were_saved_together(
    scheduler: object, steps: int, accused: list[str]
) -> None:
    """Behind by as much both are after an overflow; ahead is none, and neither is one of them alone."""
    other = {"scheduler.pt": saved(scheduler), "optimizer.pt": optimizer(steps)}
    files = hf({"model.safetensors": tensors("w")}) | below("run/checkpoint-100/", other)
    (verdict,) = judged(files).values()
    assert [each.file for each in verdict.problems] == accused and verdict.loadable


def counting(value: float, kind: str = "FloatStorage") -> bytes:
    """An optimizer that keeps its step in a tensor, as Adam does."""
    step = struct.pack("<f" if kind == "FloatStorage" else "<d", value)
    return archive(pickled({"state": {0: {"step": tensor("0", 1, kind)}}, "param_groups": []}), {"0": step})


@pytest.mark.parametrize(
    ("body", "accused"),
    [
        (counting(100), False),
        (counting(101), True),
        (counting(0), True),
        (counting(-1), False),
        (counting(float("nan")), False),
        (counting(2.0**53 - 2.0**29), True),
        (counting(2.0**53), False),
        (counting(101, "DoubleStorage"), False),
        (saved({"state": {0: {"step": True}}}), False),
        (saved({"state": {0: {"moment": 1}, 1: {"step": 101}}}), True),
    ],
)
def test_a_step_that_an_optimizer_keeps_in_a_tensor_is_read_where_it_is_one(body: bytes, accused: bool) -> None:
    files = hf({"model.safetensors": tensors("w")}) | {"run/checkpoint-100/optimizer.pt": body}
    (verdict,) = judged(files).values()
    assert [each.file for each in verdict.problems] == (["optimizer.pt"] if accused else [])


@pytest.mark.parametrize(("told", "step"), [(0, 0), (7, 7), (-1, None), (True, None), ("7", None), (None, None)])
def test_the_step_of_a_trainers_state_is_a_number_from_zero_on(told: object, step: int | None) -> None:
    text = json.dumps({"global_step": told}).encode()
    (verdict,) = judged(below("best/", whole(*TRAINERS) | {"trainer_state.json": text})).values()
    assert verdict.step == step
    (verdict,) = judged(below("best/", whole(*TRAINERS) | {"trainer_state.json": b"[7]"})).values()
    assert verdict.step is None


def test_two_configurations_that_two_files_are_loaded_by_are_both_missing() -> None:
    assert lacks("a/", "adapter_model.safetensors", "generation_config.json") == (
        "peft",
        {"configuration": ("adapter_config.json", "config.json")},
    )


@pytest.mark.parametrize("torn", ["model.safetensors", "pytorch_model.bin", "tf-00001-of-00001.bin", "my.index"])
def test_weights_in_several_forms_are_judged_in_each(torn: str) -> None:
    """A person loads the one or the other."""
    named = json.dumps({"metadata": {}, "weight_map": {"w": "tf-00001-of-00001.bin"}}).encode()
    files = {
        "model.safetensors": tensors("w"),
        "pytorch_model.bin": saved({"w": 1}),
        "tf-00001-of-00001.bin": saved({"w": 1}),
        "tf.bin.index.json": named,
    }
    (sound,) = judged(hf(files)).values()
    assert sound.complete, sound.problems
    name = "tf.bin.index.json" if torn == "my.index" else torn
    (verdict,) = judged(hf(files | {name: b"torn"})).values()
    assert name in {each.file for each in verdict.problems}


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("/model.safetensors", "has a name that leads out of its folder"),
        ("a/../model.safetensors", "has a name that leads out of its folder"),
        ("a/b\\model.safetensors", "has a name that leads out of its folder"),
        ("a\n/model.safetensors", "has control characters in its name"),
        ("a\udc80/model.safetensors", "has control characters in its name"),
        ("a/model..safetensors", ""),
        ("a/mod\u00e9l.safetensors", ""),
    ],
)
def test_a_key_that_is_another_file_on_a_disk_makes_nothing_complete(key: str, what: str) -> None:
    (verdict,) = verify_all(Kept({key: tensors("w")}))
    assert [each.what for each in verdict.problems] == ([what] if what else [])


def test_a_verdict_names_the_first_of_what_nobody_knows_and_counts_them_all() -> None:
    files = LAYOUTS["torchtitan"].files | {f"outputs/checkpoint/step-1200/{n:02d}.txt": b"x" for n in range(25)}
    (verdict,) = judged(files).values()
    assert verdict.complete and verdict.unknown_count == 25
    assert verdict.unknown == tuple(f"{n:02d}.txt" for n in range(20))
    assert [each.file for each in verdict.unjudged] == [f"{n:02d}.txt" for n in range(20)]


def test_a_verdict_is_dated_by_the_newest_of_its_files() -> None:
    files = tuple(File(f"a/{n}.safetensors", 1, modified_at=f"2026-01-0{n}") for n in (1, 3, 2))
    assert verdict_on(Found(Candidate("a/", files), FORMATS[0]), (), None).written_at == "2026-01-03"
    assert verdict_on(Found(Candidate("a/", ()), FORMATS[0]), (), None).written_at == ""


def test_whatever_a_judge_stumbles_over_is_a_problem_of_the_file_that_it_read_last() -> None:
    class Stumbling:
        name, knows = "torch-dcp", ("*",)

        def __init__(self, error: Exception) -> None:
            self.error = error

        def find(self, folders: object) -> object:
            return iter(())

        def verify(self, candidate: Candidate, reader: Metered) -> tuple[object, ...]:
            reader.read_range(candidate.files[0], 0, 1)
            raise self.error

        def step(self, candidate: Candidate, reader: Metered) -> int:
            raise self.error

        kind = step

    found = Candidate("a/step-4/", (File("a/step-4/x", 3),))
    for error, what in ((KeyError("k"), "cannot be judged: KeyError"), (Unreadable("is gone"), "is gone")):
        verdict = verify(Found(found, Stumbling(error)), Kept({"a/step-4/x": b"abc"}))  # type: ignore[arg-type]
        assert [(each.file, each.what) for each in verdict.problems] == [("x", what)]
        assert (verdict.step, verdict.format) == (4, "torch-dcp"), "what its name tells"
    lost = RegionUnreachable(region="eu-west-1", service="s3", operation="get_object")
    with pytest.raises(RegionUnreachable):
        verify(Found(found, Stumbling(lost)), Kept({"a/step-4/x": b"abc"}))  # type: ignore[arg-type]


def test_the_format_that_is_declared_is_the_one_that_is_looked_for() -> None:
    assert {each.name for each in formats("safetensors")} == {"safetensors", "safetensors-sharded"}
    assert {each.name for each in formats("torch")} >= {"torch"}
    assert formats("auto") == FORMATS and formats("nothing") == ()


def test_two_states_of_a_folder_are_told_apart_by_names_sizes_and_tags_and_by_nothing_else() -> None:
    def of(*files: File) -> str:
        return fingerprint(Candidate("a/", files))

    first, second = File("a/x", 1, "t", "then"), File("a/y", 1, "t", "then")
    assert of(first, second) == of(second, first)
    assert of(first) == of(File("a/x", 1, "t", "now")), "the listing of another region tells another time"
    different = (first, File("a/z", 1, "t"), File("a/x", 2, "t"), File("a/x", 1, "u"))
    assert len({of(each) for each in different} | {of(first, second), of()}) == 6


def test_of_claims_that_share_files_the_outermost_wins_and_the_rest_is_named_as_stray(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = LAYOUTS["torchtitan"].files | {f"outputs/{n:03d}.txt": b"x" for n in range(105)}
    found = listing(Kept(files))
    assert [each.candidate.path for each in found.found] == ["outputs/checkpoint/step-1200/"]
    assert (found.strays_count, len(found.strays), found.strays[0]) == (105, 100, "outputs/000.txt")
    monkeypatch.setattr(claims, "FILES_MAX", len(files))
    assert len(listing(Kept(files)).found) == 1, "as many as may be"
    monkeypatch.setattr(claims, "FILES_MAX", len(files) - 1)
    with pytest.raises(TooManyFiles):
        listing(Kept(files))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "is empty"),
        (b"{}", ""),
        (b"[1]", ""),
        (b'{"a": NaN}', ""),
        (b"{", "is not JSON"),
        (b"{} {}", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[" + b" " * 262144 + b"]", ""),
        (b"{" + b" " * 262144 + b"}  \n", ""),
        (b"{" + b" " * 262144 + b"]", "does not end as it begins"),
        (b"[" + b" " * 262144 + b"}", "does not end as it begins"),
        (b"{" + b" " * 262144, "does not end as it begins"),
        (b"{" + b" " * 262143 + b"}", ""),
        (b"[" + b" " * 262141 + b"]]", "is not JSON"),
        (b"[" + b" " * 262142 + b"]]", ""),
    ],
    ids=range(15),
)
def test_a_configuration_is_json_from_its_first_byte_to_its_last(body: bytes, what: str) -> None:
    """Up to a quarter of a mebibyte all of it is parsed."""
    (verdict,) = judged(hf({"model.safetensors": tensors("w"), "tokenizer.json": body})).values()
    told = "".join(each.what for each in verdict.problems)
    assert verdict.complete == (not what) and what in told, told[:100]


@pytest.mark.parametrize("at", ["step", "kind"])
def test_a_region_that_falls_silent_while_a_folder_is_asked_what_it_is_does_not_make_it_say_nothing(at: str) -> None:
    """The step of a checkpoint would be unknown in the point, for a moment without an answer."""
    lost = RegionUnreachable(region="eu-west-1", service="s3", operation="get_object")

    class Silent:
        name, knows = "torch-dcp", ("*",)

        def find(self, folders: object) -> object:
            return iter(())

        def verify(self, candidate: Candidate, reader: Metered) -> tuple[object, ...]:
            return ()

        def step(self, candidate: Candidate, reader: Metered) -> int:
            if at == "step":
                raise lost
            return 4

        def kind(self, candidate: Candidate, reader: Metered) -> str:
            raise lost

    with pytest.raises(RegionUnreachable):
        verify(Found(Candidate("a/last/", ()), Silent()), Kept({}))  # type: ignore[arg-type]


def test_of_several_reasons_those_are_told_for_which_something_is_missing() -> None:
    weights = Wanted("weights", "load", (), "all of them are there")
    lacking, more = (
        Wanted("weights", "load", ("a",), "an index names it"),
        Wanted("weights", "load", ("a", "b"), "ranks"),
    )
    assert lacking.beside(weights) == lacking == lacking.beside(None)
    assert more.beside(lacking) == Wanted("weights", "load", ("a", "b"), "an index names it; ranks")


def test_a_step_that_its_own_name_tells_is_read_from_no_file() -> None:
    """Every look at a bucket would read of each checkpoint that was found complete before."""

    class Told:
        name, knows, asked = "torch-dcp", ("*",), 0

        def find(self, folders: object) -> object:
            return iter(())

        def verify(self, candidate: Candidate, reader: Metered) -> tuple[object, ...]:
            return ()

        def step(self, candidate: Candidate, reader: Metered) -> int:
            self.asked += 1
            return 9

    for path, step, asked in (("a/step-4/", 4, 0), ("a/last/", 9, 1)):
        format = Told()
        assert step_told(Found(Candidate(path, ()), format), Kept({})) == step  # type: ignore[arg-type]
        assert format.asked == asked

"""What a user loses when one of these fails: a sharded checkpoint that is refused, or loads garbage."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from damage import flipped
from layouts import FSDP_OPTIMIZER, Files, Kept, below, hf
from pickled import DISTRIBUTED, Of, Share, distributed, pickled, saved_tensor

from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.encodings.pickles import Made, Name
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, File, Problem, Verdict
from pilotlight.runtime.checkpoints.formats import dcp
from pilotlight.runtime.checkpoints.formats.dcp import Contents, Part, _complete, _gap, _part, _planned, told_step
from pilotlight.runtime.checkpoints.verify import find, verify, verify_all


def part(**changed: Any) -> Any:
    """What the metadata says of one part, with this changed in it."""
    place = {"relative_path": "__0_0.distcp", "offset": 0, "length": 16} | changed
    return _part(SimpleNamespace(fields={"fqn": changed.pop("fqn", "model.weight")}), SimpleNamespace(fields=place))


def test_a_part_lies_where_the_metadata_says() -> None:
    assert (part().item, part().path, part().offset, part(offset=5).offset) == ("model.weight", "__0_0.distcp", 0, 5)


@pytest.mark.parametrize(
    "changed", [{"offset": -1}, {"length": -1}, {"offset": 1.0}, {"length": None}, {"offset": True}]
)
def test_a_place_that_is_none_is_damage(changed: dict[str, Any]) -> None:
    with pytest.raises(Damaged, match=r"model\.weight lies at"):
        part(**changed)


@pytest.mark.parametrize("changed", [{"relative_path": 5}, {"fqn": b"w"}])
def test_a_name_that_is_none_is_damage(changed: dict[str, Any]) -> None:
    with pytest.raises(Damaged, match="not known"):
        part(**changed)


@pytest.mark.parametrize("items", [{"model.weight": 5}, {5: None}])
def test_an_item_that_is_none_is_damage(items: dict[Any, Any]) -> None:
    with pytest.raises(Damaged, match="not known"):
        _complete(items, {}, Contents())


def test_a_plan_that_names_other_items_is_damage_and_one_that_says_nothing_is_none() -> None:
    items = {"model.weight": Made(Name("m", "T"), ())}
    for planned in (None, {}, {"model.weight": ("model", "weight")}, ["model.weight"]):
        _planned(planned, items)
    for planned in ({"model.weight": ("model", "bias")}, {"model.bias": ("model", "bias")}, {"other": "no path"}):
        with pytest.raises(Damaged, match="otherwise than it was saved"):
            _planned(planned, items)


def test_the_step_of_every_parameter_in_an_optimizer_is_not_read_for_the_steps_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Adam keeps a tensor `step` beside every moment: thousands of ranged reads that cannot answer."""
    parts = [part(fqn=f"optimizer.state.{n}.step") for n in range(3)] + [part(fqn="train_state.step", offset=16)]
    monkeypatch.setattr(dcp, "contents", lambda *_: Contents(parts, {"train_state.step"}))
    opened = list[int]()

    def value(span: Any, *_: Any) -> Any:
        opened.append(span.start)
        return SimpleNamespace(walked=SimpleNamespace(value=1200))

    monkeypatch.setattr(dcp.torch_archive, "opened", value)
    candidate = Candidate("ck/", (File("ck/__0_0.distcp", 32),))
    assert told_step(candidate, Kept({})) == 1200
    assert opened == [16]


LARGE = {"model.weight": ((200_000,), [Share((0,), (200_000,), saved_tensor(200_000))])}


def only(files: Files) -> Verdict:
    (verdict,) = verify_all(Kept(below("last/", files)))
    return verdict


def torn(files: Files) -> Files:
    """One bit in the middle of the largest file, which no shallow look reads."""
    name = max(files, key=lambda each: len(files[each]))
    body = files[name]
    return files | {name: flipped(body, len(body) // 2)}


def deeply(files: Files) -> tuple[Problem, ...]:
    reader = Kept(files)
    (found,) = find(reader)
    assert verify(found, reader).complete, "no checksum of it is within the budget"
    return verify_deeply(found, reader).problems


def test_bytes_of_a_large_shard_that_changed_are_found_by_reading_all() -> None:
    files = below("last/", distributed({"step": 7}, LARGE))
    assert deeply(files) == ()
    (problem,) = deeply(torn(files))
    assert problem.file == "__0_0.distcp" and "CRC-32" in problem.what


def test_bytes_of_a_trainers_sharded_model_that_changed_are_found_by_reading_all() -> None:
    """In a folder of the trainer's: its parts are read as deeply as its files."""
    model = below("pytorch_model_fsdp_0/", distributed({}, LARGE))
    files = hf(model | FSDP_OPTIMIZER, 1, ("optimizer.pt",))
    assert deeply(files) == ()
    (problem,) = deeply(torn(files))
    assert problem.file == "pytorch_model_fsdp_0/__0_0.distcp" and "CRC-32" in problem.what


@pytest.mark.parametrize(
    ("plain", "step"),
    [
        ({"train_state.step": 1200}, 1200),
        ({"app.other": 3, "app.global_step": 1200}, 1200),
        ({"step": "not a number", "app.iteration": 40}, 40),
        ({"step": True}, None),
        ({"app.stepsize": 5}, None),
    ],
)
def test_the_step_is_the_number_that_was_saved_under_one_of_its_names(plain: dict[str, Any], step: int | None) -> None:
    """`last/` tells none by itself: how much a disaster costs would be unknown, or wrong."""
    assert only(distributed(plain, {})).step == step


def test_a_tensor_is_whole_where_its_shares_are_as_large_as_it_is() -> None:
    def of(*shares: tuple[tuple[int, ...], tuple[int, ...]], size: tuple[int, ...] = (4, 2)) -> Verdict:
        parts = [Share(offsets, sizes, saved_tensor(2)) for offsets, sizes in shares]
        return only(distributed({}, {"w": (size, parts)}))

    assert of(((0, 0), (2, 2)), ((2, 0), (2, 2))).complete
    assert of(((0,), (0,)), size=(0,)).complete, "a tensor of no elements is one"
    lacking = of(((0, 0), (2, 2)))
    assert not lacking.complete and "has 4 elements of w, which has 8" in lacking.problems[0].what
    assert not of(((0, 0), (2, 2)), ((0, 0), (2, 2)), ((2, 0), (2, 2))).complete, "a share that lies there twice"


@pytest.mark.parametrize("sizes", [(-2, -2), (True, 4), (2.0, 2), "ab"])
def test_a_size_that_is_none_is_damage_and_no_crash(sizes: Any) -> None:
    verdict = only(distributed({}, {"w": ((4,), [Share((0,), sizes, saved_tensor(2))])}))
    assert "holds a size that is none" in verdict.problems[0].what


def test_metadata_that_says_nothing_of_what_lies_where_is_damage() -> None:
    """It would be an empty checkpoint, and complete."""
    sound = distributed({"step": 1}, {})
    for changed in ({"storage_data": {}}, {"storage_data": []}, {"state_dict_metadata": []}):
        told = only(sound | {".metadata": distributed({"step": 1}, {}, **changed)[".metadata"]})
        assert [each.what for each in told.problems] == ["says nothing of what was saved where"], changed


def test_an_item_whose_place_nobody_tells_is_damage_and_one_that_was_never_saved_too() -> None:
    sound = distributed({"step": 1, "app.x": 2}, {})
    items = {name: Of(DISTRIBUTED, "BytesStorageMetadata") for name in ("step", "app.x", "app.lost")}
    more = sound | {".metadata": distributed({"step": 1, "app.x": 2}, {}, state_dict_metadata=items)[".metadata"]}
    assert "does not say where all of app.lost lies" in only(more).problems[0].what
    del items["app.lost"], items["app.x"]
    less = sound | {".metadata": distributed({"step": 1, "app.x": 2}, {}, state_dict_metadata=items)[".metadata"]}
    assert "says where app.x lies, which was not saved" in only(less).problems[0].what


def test_a_plan_is_compared_with_what_was_saved() -> None:
    sound = distributed({"app.x": 1}, {}, planner_data={"app.x": ("app", "x")})
    assert only(sound).complete
    for planned in ({"app.x": ("app", "y")}, {"app.x": ("app", "x"), "app.y": ("app", "y")}, {"app.z": None}):
        other = only(distributed({"app.x": 1}, {}, planner_data=planned))
        assert "otherwise than it was saved" in other.problems[0].what, planned


def test_parts_that_leave_a_gap_or_lie_over_each_other_are_told_by_where() -> None:
    sound = distributed({"step": 1, "app.x": 2}, {})
    for body, what in ((sound["__0_0.distcp"] + b"x", "its parts end at"), (sound["__0_0.distcp"][:-1], "end at")):
        told = only(sound | {"__0_0.distcp": body})
        assert what in told.problems[0].what
    other = only(sound | {"__9_0.distcp": b"of another step"})
    assert [(each.file, each.what) for each in other.problems] == [
        ("__9_0.distcp", "foreign: the metadata does not name it")
    ]


def test_lightnings_state_that_is_not_beside_the_shards_of_a_ckpt_is_missing_for_resuming_alone() -> None:
    sound = distributed({"step": 1}, {})
    (named,) = verify_all(Kept(below("epoch=0-step=3.ckpt/", sound)))
    assert (named.loadable, named.resumable) == (True, False)
    assert [each.file for each in named.problems] == ["meta.pt"]
    assert only(sound).complete, "nobody else writes it"
    (broken,) = verify_all(Kept(below("epoch=0-step=3.ckpt/", sound | {"meta.pt": b"torn"})))
    assert (broken.loadable, broken.resumable) == (True, False)


@pytest.mark.parametrize("value", [{"state_dict_metadata": {}}, [], None, Of(DISTRIBUTED, "TensorProperties")])
def test_a_pickle_of_something_else_under_the_metadatas_name_is_told_so(value: Any) -> None:
    told = only(distributed({"step": 1}, {}) | {".metadata": pickled(value)})
    assert [each.what for each in told.problems] == ["is no metadata of a checkpoint"]


def test_metadata_as_large_as_may_be_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = distributed({"step": 1}, {})
    monkeypatch.setattr(dcp, "METADATA_BYTES_MAX", len(sound[".metadata"]))
    assert only(sound).complete
    monkeypatch.setattr(dcp, "METADATA_BYTES_MAX", len(sound[".metadata"]) - 1)
    assert "bytes are too many" in only(sound).problems[0].what


class Asked(Kept):
    """Files in memory that remember how much was asked for at once."""

    def __init__(self, contents: Files) -> None:
        super().__init__(contents)
        self.asked: list[int] = []

    def read_range(self, file: File, start: int, length: int) -> bytes:
        self.asked.append(length)
        return super().read_range(file, start, length)


def shares(count: int, elements: int) -> Files:
    """One tensor of so many shares."""
    parts = [Share((number * elements,), (elements,), saved_tensor(elements)) for number in range(count)]
    return below("last/", distributed({}, {"w": ((count * elements,), parts)}))


def test_every_part_of_a_small_checkpoint_is_read_once() -> None:
    """Twice would be more than may be read, and a sound one undecided."""
    reader = Asked(shares(5, 31_000))
    (verdict,) = verify_all(reader)
    assert verdict.complete and 600_000 < verdict.bytes_total < 640 * 1024
    assert len(reader.asked) == 6 and verdict.bytes_read == verdict.bytes_total


def test_reading_all_of_a_large_part_never_holds_more_of_it_than_a_few_mebibytes() -> None:
    reader = Asked(shares(1, 2_500_000))
    (found,) = find(reader)
    assert verify_deeply(found, reader).complete
    assert max(reader.asked) <= 8 * 1024 * 1024


def test_what_the_metadata_says_of_a_part_in_another_form_is_damage() -> None:
    for index, place in ((5, SimpleNamespace(fields={})), (SimpleNamespace(fields={}), SimpleNamespace(fields={}))):
        with pytest.raises(Damaged, match="says where something lies in a way that is not known"):
            _part(index, place)


@pytest.mark.parametrize("chunks", [None, 5, [5], [None, "chunk"]])
def test_a_tensor_whose_shares_are_described_otherwise_is_told_by_its_name(chunks: Any) -> None:
    """The person would read of an error of ours, and not which tensor of the checkpoint it is."""
    tensor = Of(DISTRIBUTED, "TensorStorageMetadata", (), {"size": (4,), "chunks": chunks})
    share = Share((0,), (4,), saved_tensor(4))
    told = only(distributed({}, {"w": ((4,), [share])}, state_dict_metadata={"w": tensor}))
    assert [each.what for each in told.problems] == ["describes w in a way that is not known"]


def test_parts_that_lie_over_each_other_are_told_by_where_they_begin() -> None:
    parts = [Part("a", "__0_0.distcp", 0, 16), Part("b", "__0_0.distcp", 8, 8)]
    assert _gap(parts, 16) == "b begins at 8, what is before it ends at 16"
    assert _gap(parts[:1], 16) == ""


def test_reading_all_of_a_checkpoint_whose_shards_are_gone_names_each_part_that_is_lost() -> None:
    sound = below("last/", distributed({"step": 7}, LARGE))
    reader = Kept({name: body for name, body in sound.items() if not name.endswith(".distcp")})
    (found,) = find(reader)
    assert ("__0_0.distcp", "model.weight missing") in {
        (each.file, each.what) for each in verify_deeply(found, reader).problems
    }

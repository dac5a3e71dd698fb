"""Checkpoints of a long bucket, the newest first: what is chosen, and what is said of it, is what all of it says.

The whole listing is written here once more, as plain as it can be; trees are random, of every format that there is.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import pytest
from layouts import CASES, DCP, FIXTURES, LAYOUTS, Files, Kept, saved, written

from pilotlight.runtime.aws import paging
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.checkpoints import claims, newest, verify
from pilotlight.runtime.checkpoints.format import Verdict
from pilotlight.runtime.checkpoints.readers import BucketReader
from pilotlight.runtime.checkpoints.siblings import suspects
from pilotlight.runtime.checkpoints.steps import step_of_name
from pilotlight.runtime.checkpoints.verify import Found, TooManyFiles
from pilotlight.runtime.clock import FakeClock, stamp
from pilotlight.runtime.kinds.aurora.references import Rows
from pilotlight.runtime.kinds.checkpoints import dangling, observe
from pilotlight.runtime.kinds.checkpoints.listing import CheckpointListing, Choice, PassedOver, choose
from pilotlight.runtime.records.inventory import Datasets
from support.fake_s3 import Buckets

PREFIX = "runs/"
ASSET = Datasets(
    kind="checkpoints",
    name="models",
    prefix=PREFIX,
    primary_bucket="source",
    standby_bucket="copy",
    rpo_seconds=900,
    needs="load",
)


class Bucket:
    """Both, as a client sees them; pages of a few keys, so that small trees are long ones."""

    def __init__(self, page_keys: int) -> None:
        self.s3 = Buckets(FakeClock(), {"source": "us-east-1", "copy": "us-west-2"})
        self.s3.page_keys = page_keys
        self.asked = Counter[tuple[str, bool]]()

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.asked[operation, "Delimiter" in parameters] += 1
        told: dict[str, Any] = getattr(self.s3, operation)(**parameters)
        return told

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return paging.pages(self.call, service, operation, region, parameters)

    def reader(self, bucket: str) -> BucketReader:
        return BucketReader(cast(AwsClient, self), self.s3.regions[bucket], bucket, PREFIX)

    def primary(self) -> CheckpointListing:
        return CheckpointListing(self.reader("source"), "auto", at_first=observe.CADENCE_SAVES, named=True)

    def standby(self, there: CheckpointListing | None = None) -> CheckpointListing:
        return CheckpointListing(self.reader("copy"), "auto", (), there)


# -- the whole listing -----------------------------------------------------------------------------------------


@dataclass
class Whole:
    """Every file is listed, then claimed, then judged."""

    reader: BucketReader
    there: Whole | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.found = verify.find(self.reader)
        self.steps = {each.candidate.path: verify.step(each, self.reader) for each in self.found} if self.there else {}

    def reach(self, paths: Iterable[str]) -> None:
        """All is looked into."""

    def verdict(self, found: Found) -> Verdict:
        path = found.candidate.path
        if path not in self.verdicts:
            judged = CheckpointListing._arrived(cast(CheckpointListing, self), found, verify.verify(found, self.reader))
            self.verdicts[path] = judged
        return self.verdicts[path]

    def of(self, path: str) -> Found | None:
        return next((each for each in self.found if each.candidate.path == path), None)

    def at(self, path: str) -> Found | None:
        plain = path.rstrip("/")
        for each in self.found:
            if each.candidate.path.rstrip("/") == plain:
                return each
        below = f"{plain}/"
        return next((each for each in self.found for file in each.candidate.files
                     if file.key == plain or file.key.startswith(below)), None)  # fmt: skip

    @property
    def newest_begun_step(self) -> int | None:
        return max((each.candidate.step for each in self.found if each.candidate.step is not None), default=None)

    def choose(self, needs: str, rejections: dict[str, str]) -> Choice:
        odd, passed, torn = suspects(self.found), list[PassedOver](), list[Verdict]()
        newest_complete: int | None = None
        suspect: Verdict | None = None
        for each in sorted(self.found, key=self._age, reverse=True):
            verdict, path = self.verdict(each), each.candidate.path
            if not verdict.serves(needs):
                torn.append(verdict)
                continue
            newest_complete = verdict.step if newest_complete is None else newest_complete
            if path in rejections:
                passed.append(PassedOver(path, verdict.step, rejections[path], True))
            elif path in odd:
                suspect = suspect or verdict
                passed.append(PassedOver(path, verdict.step, "; ".join(odd[path]), suspect=True))
            else:
                return Choice(verdict, self.newest_begun_step, newest_complete, tuple(torn), tuple(passed))
        left = tuple(each for each in passed if suspect is None or each.path != suspect.path)
        return Choice(suspect, self.newest_begun_step, newest_complete, tuple(torn), left)

    def _age(self, found: Found) -> tuple[int, str]:
        step = self.steps[found.candidate.path]
        return (-1 if step is None else step, found.candidate.path)


# -- random trees ----------------------------------------------------------------------------------------------


@cache
def units() -> tuple[tuple[str, Files], ...]:
    """(name of the file, or nothing of a folder, files) of a checkpoint of everything that the tests have."""
    trees = [layout.files for layout in LAYOUTS.values()]
    trees += [written(each) for home in ("corpus", "checkpoints") for each in sorted((FIXTURES / home).iterdir())]
    trees += [written(each) for each in sorted(CASES.iterdir()) if each.is_dir()]
    found = [(each, files) for files in trees if 0 < len(files) < 120 for each in verify.find(Kept(files))]
    return tuple(
        (
            each.candidate.path[len(each.candidate.prefix) :],
            {each.candidate.name(file): files[file.key] for file in each.candidate.files},
        )
        for each, files in found
    )


FOLDERS = ("", "", "run-1/", "run-2/", "a/b/", "weights/", "lightning_logs/version_0/checkpoints/", "2/", "epoch-4/")
NAMES = (
    "checkpoint-{}",
    "step_{:06}",
    "global_step{}",
    "{}",
    "iter_{:07}",
    "epoch=3-step={}",
    "epoch-{}",
    "adapter-{}",
)
BESIDE = (
    ("latest", b"global_step100"),
    ("README.md", b"of a run"),
    ("config.json", b"{}"),
    ("model.safetensors.index.json", b"{}"),
    ("trainer_state.json", b'{"global_step": 7}'),
    ("pilotlight-manifest.json", b"{}"),
    (".metadata", b""),
    ("context/io.json", b"{}"),
)


@dataclass
class Tree:
    """What is written, in its order; what has not arrived; and steps that somebody may ask for."""

    files: dict[str, bytes] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    roots: list[str] = field(default_factory=list)


def grown(chance: random.Random) -> Tree:
    tree = Tree()
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        _grow(chance, tree, chance.choice(FOLDERS))
    if chance.random() < 0.3:
        _, files = chance.choice(units())
        tree.files |= {f"{chance.choice(('best/', 'final/', ''))}{each}": body for each, body in files.items()}
    if chance.random() < 0.2:
        tree.files |= {f"samples/step_{step}/image.png": b"" for step in range(0, 400, 10)}
    return tree


def _grow(chance: random.Random, tree: Tree, folder: str) -> None:
    """A run: steps of one or two formats, some torn, some that have not arrived."""
    pattern, kinds = chance.choice(NAMES), chance.choices(units(), k=chance.choice((1, 1, 1, 2)))
    apart, inner = chance.choice((1, 10, 500)), chance.choice(("", "", "", "", "checkpoint/"))
    count = chance.choice((2, 5, 30, 60))
    for number in range(count):
        step = number * apart
        _, files = kinds[0 if chance.random() < 0.9 else -1]
        root = f"{folder}{pattern.format(step)}"
        if len(files) == 1 and chance.random() < 0.5:
            suffix = next(iter(files)).partition(".")[2]
            own = {f"{root}.{suffix}": next(iter(files.values()))}
        else:
            own = {f"{root}/{inner}{name}": body for name, body in files.items()}
        names = sorted(own)
        if chance.random() < 0.1:
            del own[chance.choice(names)]
        if chance.random() < (0.6 if number > count - chance.choice((2, 12)) else 0.05):
            tree.lacking |= set(chance.sample(names, chance.choice((1, len(names)))))
        if chance.random() < 0.02:
            own[f"{root}-unfinished"] = b""
        tree.files |= own
        tree.roots.append(chance.choice((f"{root}/", root, chance.choice(names))))
    if chance.random() < 0.3:
        name, body = chance.choice(BESIDE)
        tree.files[folder + name] = body


def written_to(bucket: Bucket, tree: Tree, chance: random.Random) -> None:
    for key, body in tree.files.items():
        bucket.s3.clock.sleep(1)
        bucket.s3.write("source", PREFIX + key, body)
        if key not in tree.lacking:
            bucket.s3.write("copy", PREFIX + key, body)
    for key in chance.sample(sorted(tree.files), len(tree.files) // 3) if chance.random() < 0.2 else ():
        bucket.s3.delete_object("source", PREFIX + key)
        if key not in tree.lacking and chance.random() < 0.9:
            bucket.s3.delete_object("copy", PREFIX + key)
    if chance.random() < 0.3:
        bucket.s3.write("copy", PREFIX, b"")
        bucket.s3.write("copy", f"{PREFIX}step_900000/", b"")


def lies(whole: Whole, reads: bool) -> bool:
    """Whether some folder holds another step than its name tells, and not all beside it do."""
    told = dict[str, set[bool]]()
    for each in whole.found:
        step = whole.steps[each.candidate.path] if reads else each.candidate.step
        for folder in newest._with_above(each.candidate.path):
            named = step_of_name(folder[:-1].rpartition("/")[2], above=True)
            if named is not None:
                shape = newest._NUMBER.sub("#", folder)
                told.setdefault(shape, set()).add(named == step)
    return any(len(each) > 1 for each in told.values())


@pytest.mark.parametrize("seed", range(40))
def test_what_is_told_of_the_newest_is_what_the_whole_listing_tells(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _is_the_same(seed, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40, 1_000))
def test_so_it_is_of_many_more(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _is_the_same(seed, monkeypatch)


def _is_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(newest, "FOLDERS_MAX", chance.choice((8, 30, 100)))
    bucket, tree = Bucket(page_keys=chance.choice((5, 20, 100))), grown(chance)
    written_to(bucket, tree, chance)
    there = Whole(bucket.reader("source")) if chance.random() < 0.8 else None
    here = Whole(bucket.reader("copy"), there or Whole(Bucket(1).reader("source")))
    needs = chance.choice(("load", "resume"))
    rejections = {each.candidate.path: "refused" for each in here.found if chance.random() < 0.1}
    asset = Datasets(**vars(ASSET) | {"needs": needs})

    bucket.asked.clear()
    primary = bucket.primary() if there else None
    standby = bucket.standby(primary)
    chosen = choose(standby, asset, rejections)
    wanted = here.choose(needs, rejections)
    if lies(here, True) or (there and lies(there, False)):
        return
    assert observe.evidence(chosen) == observe.evidence(wanted)
    assert chosen == wanted
    if there and primary:
        assert primary.newest_begun_step == there.newest_begun_step
        usual = [observe.cadence(each.candidate for each in one.found) for one in (primary, there)]
        assert usual[0] == usual[1]
    named = [*chance.sample(tree.roots, min(len(tree.roots), 5)), "run-1", "nothing/there"]
    rows = Rows(stamp(0.0), tuple(f"s3://source/{PREFIX}{each}" for each in named))
    looks = [
        dangling.Look(asset, cast(CheckpointListing, one), cast(CheckpointListing, other), choice)
        for one, other, choice in ((standby, primary, chosen), (here, there, wanted))
    ]
    assert dangling.judge(rows, {asset.name: looks[0]}) == dangling.judge(rows, {asset.name: looks[1]})


# -- one rule at a time ----------------------------------------------------------------------------------------


def holding(files: Files, page_keys: int = 5) -> Bucket:
    bucket = Bucket(page_keys)
    for key, body in files.items():
        bucket.s3.clock.sleep(1)
        bucket.s3.write("copy", PREFIX + key, body)
    return bucket


def taken(bucket: Bucket) -> str:
    choice = choose(bucket.standby(), ASSET, {})
    return choice.taken.path if choice.taken else ""


def steps(name: str, files: Files, numbers: Iterable[int]) -> Files:
    return {f"{name.format(number)}{each}": body for number in numbers for each, body in files.items()}


MODEL = {"model.safetensors": LAYOUTS["hf"].files["run/checkpoint-100/model.safetensors"], "config.json": b"{}"}


def test_old_steps_are_not_listed() -> None:
    bucket = holding(steps("run-1/step-{}/", MODEL, range(500)), 100)
    listing = bucket.standby()
    assert choose(listing, ASSET, {}).newest_begun_step == 499
    assert [each.candidate.path for each in listing.found] == [f"run-1/step-{number}/" for number in (497, 498, 499)]


@pytest.mark.parametrize("torn", [1, 5, 40, 90])
def test_torn_ones_are_passed_by_however_many_there_are(torn: int) -> None:
    files = steps("step-{}/", MODEL, range(200 - torn)) | steps(
        "step-{}/", {"config.json": b""}, range(200 - torn, 200)
    )
    files |= steps("step-{}/", {"model.safetensors": b"short"}, range(200 - torn, 200))
    assert taken(holding(files)) == f"step-{199 - torn}/"


def test_a_folder_of_one_shard_belongs_to_the_model_above_whose_index_may_name_it() -> None:
    """Whatever lies in old folders: an index above makes their shards its own."""
    shard = {"model-00001-of-00002.safetensors": MODEL["model.safetensors"]}
    files = steps("step-{}/", MODEL, range(10, 40)) | steps("step-{}/", shard, range(10))
    bucket = holding(files | {"model.safetensors.index.json": b"{}"})
    listing = bucket.standby()
    assert [each.candidate.path for each in listing.found] == [
        each.candidate.path for each in verify.find(bucket.reader("copy"))
    ]


@pytest.mark.parametrize(
    ("folder", "name", "beside"),
    [
        ("run/weights/", "__0_0.distcp", "run/context/model.yaml"),
        ("run/zero/", "fp32.pt", "run/mp_rank_00_model_states.pt"),
    ],
)
def test_what_only_old_folders_hold_may_make_all_of_them_one_checkpoint(folder: str, name: str, beside: str) -> None:
    files = steps(folder + "step-{}/", {name: b""}, range(9)) | steps(folder + "step-{}/", {"x": b""}, range(9, 40))
    bucket = holding(files | {beside: b""})
    assert [each.candidate for each in bucket.standby().found] == [
        each.candidate for each in verify.find(bucket.reader("copy"))
    ]


def test_a_manifest_above_owns_all_that_lies_below() -> None:
    bucket = holding(steps("all/step-{}/", MODEL, range(50)) | {"all/pilotlight-manifest.json": b"{}"})
    (found,) = bucket.standby().found
    assert (found.candidate.path, len(found.candidate.files)) == ("all/", 101)


def test_where_folders_hold_other_steps_than_their_names_tell_all_are_looked_into() -> None:
    """Days, say: the newest step lies in an old one."""
    files = steps("2/step-{}/", MODEL, (900, 901)) | steps("{}/step-100/", MODEL, range(3, 60))
    assert taken(holding(files)) == "2/step-901/"


def test_where_files_tell_other_steps_than_their_folders_all_are_looked_into() -> None:
    """All of one step: the last by name is taken."""
    files = steps("step-{}/", {"model.pt": saved({"global_step": 50})}, (*range(5, 50), *range(100, 148)))
    assert taken(holding(files)) == "step-9/model.pt"


def test_a_neighbour_that_lacks_the_same_is_found_however_old_it_is() -> None:
    """What not all others have is lacked by nobody."""
    whole = MODEL | {"tokenizer.json": b"{}"}
    odd = steps("step-{}/", whole, range(1, 199)) | steps("step-{}/", MODEL, (199,))
    assert taken(holding(odd)) == "step-198/"
    assert taken(holding(odd | steps("step-{}/", MODEL, (0,)))) == "step-199/"


def test_one_that_is_alone_of_its_format_among_the_newest_is_witnessed_by_older_ones() -> None:
    whole = MODEL | {"tokenizer.json": b"{}"}
    files = steps("step-{}/", whole, range(30)) | steps("step-{}/", DCP, range(30, 40))
    assert taken(holding(files | steps("step-{}/", MODEL, (40,)))) == "step-39/"


def test_files_that_an_old_step_lacks_here_are_missed_however_many_newer_ones_have_not_arrived() -> None:
    whole = MODEL | {"tokenizer.json": b"{}"}
    bucket = holding(steps("step-{}/", whole, range(9)) | steps("step-{}/", MODEL, (9,)))
    for key, body in steps("step-{}/", whole, range(60)).items():
        bucket.s3.write("source", PREFIX + key, body)
    choice = choose(bucket.standby(bucket.primary()), ASSET, {})
    assert [each.path for each in choice.torn] == ["step-9/"] and choice.taken and choice.taken.path == "step-8/"


def test_the_newest_step_that_was_begun_is_found_below_folders_that_hold_none() -> None:
    """Pictures of the newest steps say nothing of checkpoints."""
    files = steps("samples/step-{}/", {"image.png": b""}, range(6, 60)) | steps("samples/step-{}/", MODEL, (5,))
    assert holding(files).standby().newest_begun_step == 5


def test_names_that_differ_in_more_than_numbers_are_still_looked_into_from_the_newest() -> None:
    files = {f"step-{number}-{chr(97 + number // 26)}{chr(97 + number % 26)}/x": b"" for number in range(60)}
    bucket = holding(files, 30)
    bucket.standby()
    assert bucket.asked["list_objects_v2", False] == 1 + 3


def test_a_row_is_looked_up_in_a_step_that_was_not_looked_into() -> None:
    listing = holding(steps("run-1/step-{}/", MODEL, range(500)), 100).standby()
    assert len(listing.found) == 3
    named = ("run-1/step-7", "run-1/step-8/config.json", "run-1/step-9/none", "run-1/step-1000")
    found = [listing.at(each) for each in named]
    assert [each and each.candidate.path for each in found] == ["run-1/step-7/", "run-1/step-8/", None, None]
    assert len(listing.found) == 6
    run = listing.at("run-1")
    assert run and run.candidate.path == "run-1/step-0/"


def test_many_rows_are_looked_up_by_one_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = holding(steps("step-{}/", MODEL, range(500)), 100)
    listing = bucket.standby()
    bucket.asked.clear()
    listing.reach([f"step-{number}" for number in range(0, 400, 2)])
    assert bucket.asked == {("list_objects_v2", False): 10} and len(listing.found) == 500


def test_a_folder_of_very_many_folders_is_read_in_one_listing() -> None:
    """Parameters of a large array's checkpoint, each in a folder of its own."""
    bucket = holding(
        {f"best/params.{chr(97 + one)}{chr(97 + two)}/x": b"" for one in range(26) for two in range(26)}, 100
    )
    bucket.standby()
    assert bucket.asked == {("list_objects_v2", False): 1 + 7, ("list_objects_v2", True): 1 + 7}


def test_more_files_than_are_held_are_refused_only_where_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "FILES_MAX", 100)
    files = steps("step-{}/", MODEL, range(500))
    listing = holding(files, 100).standby()
    assert choose(listing, ASSET, {}).taken
    with pytest.raises(TooManyFiles):
        choose(listing, ASSET, {each.candidate.path: "refused" for each in verify.find(Kept(files))[:400]})

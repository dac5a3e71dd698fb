"""What a user loses when one of these fails: a dataset put back as it never was, or somebody's newer bytes hidden."""

from __future__ import annotations

import copy
import json
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pilotlight.runtime.clock import FakeClock, stamp
from pilotlight.runtime.errors import BadOption, NotRestorable, RestorePlanUnusable
from pilotlight.runtime.kinds import restore as restoring
from pilotlight.runtime.kinds.buckets import copying
from pilotlight.runtime.kinds.restore import PlanFile, Restored
from pilotlight.runtime.records.inventory import Datasets
from pilotlight.runtime.recovery import Recovery
from support.fake_aws import CORPUS, CORPUS_COPY, PRIMARY, STANDBY, FakeAws, inventory, recovery_of
from support.versioned_s3 import VersionedBuckets

ASSET: Datasets = inventory().datasets[0]
T0 = 1_700_000_000


class World:
    """A bucket with a past, and the oracle that knows what it was at every second."""

    def __init__(self, tmp_path: Path) -> None:
        self.aws = FakeAws(FakeClock(T0))
        self.recovery: Recovery = recovery_of(self.aws)
        self.recovery.initialise()
        self.s3 = VersionedBuckets(self.aws.clock, self.aws.s3.regions)
        self.aws.s3 = self.s3  # type: ignore[assignment]
        self.folder = tmp_path

    def past(self, versions: int, keys: int, seed: int, seconds: int = 1) -> dict[int, dict[str, str]]:
        """Random writes, overwrites and deletes, some in one second; what the bucket was at the end of 20 of them."""
        rng, moments = random.Random(seed), dict[int, dict[str, str]]()
        names = [f"part-{number % 37:02d}/{number:06d}" for number in range(keys)]
        wanted = set(rng.sample(range(1, versions), 20))
        state: dict[str, str] = {}
        for number in range(versions):
            key = rng.choice(names)
            if key in state and rng.random() < 0.3:
                self.s3.delete(CORPUS, key)
                del state[key]
            else:
                content = rng.randrange(1000)
                self.s3.put(CORPUS, key, content)
                state[key] = str(content)
            if number in wanted:
                moments[int(self.aws.clock.now())] = dict(state)
                self.aws.clock.sleep(1)
            elif rng.random() < 0.5:
                self.aws.clock.sleep(seconds)
        self.aws.clock.sleep(5)
        return moments

    def plan(self, to: float | str, name: str = "plan.json", **more: Any) -> PlanFile:
        path = self.folder / name
        wanted = self.recovery.wanted(to if isinstance(to, str) else stamp(to), **more)
        with path.open("w") as into:
            self.recovery.plan_restore(ASSET, wanted, into)
        return restoring.read(path)

    def restore(self, plan: PlanFile) -> Restored:
        self.aws.made.clear()
        return self.recovery.restore(plan)

    def current(self, bucket: str = CORPUS) -> dict[str, str]:
        return self.s3.current(bucket)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def changes(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Key -> what a plan should say, of two states."""
    brought = {key: "copy" for key, content in after.items() if before.get(key) != content}
    return brought | {key: "delete" for key in before.keys() - after.keys()}


@pytest.mark.parametrize("versions", [2_000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_a_bucket_is_what_it_was_at_twenty_random_moments_and_the_plan_named_exactly_what_changed(
    world: World, versions: int
) -> None:
    moments = world.past(versions, versions // 5, seed=versions)
    assert len(moments) == 20
    for number, (moment, was) in enumerate(random.Random(1).sample(sorted(moments.items()), 20)):
        world.aws.clock.sleep(10)
        before = world.current()
        plan = world.plan(moment)
        assert {each.item: each.action for each in plan.items()} == changes(before, was), f"moment {number}"
        done = world.restore(plan)
        assert (done.done, done.left) == (plan.totals["items"], 0)
        assert world.current() == was, f"moment {number}"


def test_a_restore_that_is_killed_at_any_act_goes_on_and_does_nothing_twice(world: World) -> None:
    """Twice would be a version more of each object, and its bytes paid for again."""
    moments = world.past(600, 60, seed=4)
    moment, was = sorted(moments.items())[7]
    plan = world.plan(moment)
    whole = copy.deepcopy(world.s3)
    versions = sum(len(each) for each in world.s3.keys[CORPUS].values())
    for acts in range(0, plan.totals["items"] + 1, 7):
        world.s3 = copy_of(whole)
        world.aws.s3 = world.s3  # type: ignore[assignment]
        world.s3.acts_left = acts
        if acts < plan.totals["items"]:
            with pytest.raises(KeyboardInterrupt):
                world.restore(plan)
        world.s3.acts_left = -1
        done = world.restore(plan)
        assert world.current() == was and done.left == 0, f"killed after {acts}"
        made = sum(len(each) for each in world.s3.keys[CORPUS].values()) - versions
        assert made == plan.totals["items"], f"killed after {acts}"


def copy_of(s3: VersionedBuckets) -> VersionedBuckets:
    made = VersionedBuckets(s3.clock, s3.regions)
    made.keys = {bucket: {key: list(each) for key, each in keys.items()} for bucket, keys in s3.keys.items()}
    made.order = {bucket: list(keys) for bucket, keys in s3.order.items()}
    made.checksums = dict(s3.checksums)
    made._numbers = iter(range(10_000_000, 20_000_000))  # type: ignore[assignment]
    return made


VersionedBuckets.__deepcopy__ = lambda self, memo: copy_of(self)  # type: ignore[attr-defined]


def test_a_position_is_kept_on_the_way_and_what_lies_before_it_is_not_asked_for_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotlight.runtime.kinds.buckets.restoring.POSITION_EVERY", 50)
    monkeypatch.setattr("pilotlight.runtime.kinds.buckets.restoring.COPIES_AT_ONCE", 4)
    moments = world.past(600, 200, seed=5)
    plan = world.plan(sorted(moments)[3])
    assert plan.totals["items"] > 130
    world.s3.acts_left = 120
    with pytest.raises(KeyboardInterrupt):
        world.restore(plan)
    begun, _, key = world.recovery.context.ledger.position("restore-corpus").partition(" ")
    assert begun == plan.id and key == [each.item for each in plan.items()][99]
    world.s3.acts_left = -1
    world.restore(plan)
    acts = [each for each in world.aws.made if each[1] in ("copy_object", "delete_object")]
    assert len(acts) <= plan.totals["items"] - 100
    assert world.recovery.context.ledger.position("restore-corpus") == ""


def test_what_somebody_wrote_since_the_plan_is_named_and_not_hidden(world: World) -> None:
    for key in ("a", "b", "c", "d"):
        world.s3.put(CORPUS, key, 1)
    world.aws.clock.sleep(10)
    moment = world.aws.clock.now()
    world.aws.clock.sleep(10)
    for key in ("a", "b", "c"):
        world.s3.put(CORPUS, key, 2)
    world.s3.delete(CORPUS, "d")
    world.s3.put(CORPUS, "new", 2)
    plan = world.plan(moment)
    world.s3.put(CORPUS, "a", 3)
    world.s3.put(CORPUS, "new", 3)
    world.s3.put(CORPUS, "d", 3)
    world.s3.delete(CORPUS, "c")
    done = world.restore(plan)
    assert (done.done, done.left) == (1, 4)
    assert world.current() == {"a": "3", "b": "1", "d": "3", "new": "3"}, "b alone was as planned"
    assert {each.item for each in done.failures} == {"a", "c", "d", "new"}
    assert all("changed since the plan" in each.why for each in done.failures)
    assert world.restore(world.plan(moment)).left == 0
    assert world.current() == dict.fromkeys("abcd", "1"), "planned again, it hides them, too"


def test_objects_that_somebody_encrypted_under_their_own_names_come_back(world: World) -> None:
    for number in range(50):
        world.s3.put(CORPUS, f"shard/{number}", number)
    world.aws.clock.sleep(3600)
    attack = world.aws.clock.now()
    world.aws.clock.sleep(1)
    for number in range(50):
        world.s3.put(CORPUS, f"shard/{number}", 666, size=10 + number)
    world.s3.put(CORPUS, "shard/README", 0)
    plan = world.plan(attack)
    assert (plan.totals["copy"], plan.totals["delete"]) == (50, 1)
    assert world.restore(plan).left == 0
    assert world.current() == {f"shard/{number}": str(number) for number in range(50)}
    assert all(len(each) == 3 for key, each in world.s3.keys[CORPUS].items() if key != "shard/README"), "none is erased"


def test_copies_whose_entity_tags_are_never_alike_are_known_by_their_checksums(world: World) -> None:
    """With KMS keys every copy has a tag of its own: a second run would copy a terabyte again."""
    world.s3.kms = True
    for number in range(5):
        world.s3.put(CORPUS, str(number), number)
    world.aws.clock.sleep(10)
    moment = world.aws.clock.now()
    world.aws.clock.sleep(10)
    for number in range(5):
        world.s3.put(CORPUS, str(number), 100)
    plan = world.plan(moment)
    done = world.restore(plan)
    assert (done.done, done.evidence["strengths"]) == (5, {"checksum": 5})
    count = sum(len(each) for each in world.s3.keys[CORPUS].values())
    assert world.restore(plan).done == 5
    assert sum(len(each) for each in world.s3.keys[CORPUS].values()) == count


def test_an_upload_in_parts_was_not_there_when_it_began(world: World) -> None:
    """S3 dates it by its beginning: what was stored before it, and is dated later, was current until then."""
    world.s3.put(CORPUS, "model", 1)
    began = int(world.aws.clock.now()) + 10
    world.aws.clock.sleep(20)
    world.s3.put(CORPUS, "model", 2)
    world.aws.clock.sleep(5)
    late = world.s3.put(CORPUS, "model", 3)
    entries = world.s3.keys[CORPUS]["model"]
    entries[-1] = type(late)(late.id, began, late.etag, late.size)
    assert {each.item: each.source["version"] for each in world.plan(T0 + 15).items() if each.source} == {
        "model": entries[0].id
    }
    assert world.plan(T0 + 22).totals["items"] == 0, "it may have been complete by then, and nothing tells"


def test_a_version_that_lifecycle_took_is_named_and_its_key_left_alone(world: World) -> None:
    world.s3.rules = [
        {
            "ID": "thrifty",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        }
    ]
    moment = world.aws.clock.now()
    world.aws.clock.sleep(3600)
    world.s3.put(CORPUS, "overwritten", 2)
    world.s3.delete(CORPUS, "marked")
    world.aws.clock.sleep(40 * 86400)
    world.s3.put(CORPUS, "young", 1)
    plan = world.plan(moment)
    found = {each.item: (each.action, each.why) for each in plan.items()}
    assert found["overwritten"][0] == "lost" and "thrifty takes versions 30 days" in found["overwritten"][1]
    assert found["marked"][0] == "lost" and "deleted at" in found["marked"][1]
    assert found["young"] == ("delete", ""), "nothing below it can have been taken yet"
    done = world.restore(plan)
    assert (done.done, done.left) == (1, 2) and world.current() == {"overwritten": "2"}


def test_what_an_archive_holds_is_named_before_anything_is_done(world: World) -> None:
    world.s3.put(CORPUS, "cold", 1, storage="DEEP_ARCHIVE")
    world.s3.put(CORPUS, "warm", 1, storage="STANDARD_IA")
    world.aws.clock.sleep(10)
    moment = world.aws.clock.now()
    world.aws.clock.sleep(10)
    world.s3.delete(CORPUS, "cold")
    world.s3.delete(CORPUS, "warm")
    plan = world.plan(moment)
    assert {each.item: each.action for each in plan.items()} == {"cold": "archived", "warm": "copy"}
    done = world.restore(plan)
    assert (done.done, done.left) == (1, 1) and "restore it there first" in done.failures[0].why
    assert world.s3.keys[CORPUS]["warm"][-1].storage == "STANDARD_IA", "the class that it had"


def test_beside_means_that_nothing_in_its_place_changes(world: World) -> None:
    moments = world.past(400, 60, seed=9)
    moment, was = sorted(moments.items())[10]
    before = copy.deepcopy(world.s3.keys[CORPUS])
    world.s3.put(CORPUS, "restored/part-00/000000", 7)
    plan = world.plan(moment, beside="restored/")
    assert world.restore(plan).left == 0
    now = world.current()
    assert {key.removeprefix("restored/"): content for key, content in now.items() if key.startswith("restored/")} == (
        {"part-00/000000": "7"} | was
    )
    assert {key: each for key, each in world.s3.keys[CORPUS].items() if not key.startswith("restored/")} == before
    again = world.plan(moment, "again.json", beside="restored")
    assert again.totals["items"] == 0, "what lies there is what it was, and is not restored from itself"


def test_beside_in_another_bucket_and_only_below_a_prefix(world: World) -> None:
    world.aws.s3.regions["elsewhere"] = PRIMARY
    world.s3.keys["elsewhere"], world.s3.order["elsewhere"] = {}, []
    for key in ("train/a", "train/b", "test/a"):
        world.s3.put(CORPUS, key, 1)
    plan = world.plan(world.aws.clock.now(), prefix="train/", beside="s3://elsewhere/tuesday/")
    assert world.restore(plan).done == 2
    assert world.current("elsewhere") == {"tuesday/train/a": "1", "tuesday/train/b": "1"}


def test_the_other_region_is_restored_where_it_is_asked_for(world: World) -> None:
    world.s3.put(CORPUS_COPY, "a", 1)
    world.aws.clock.sleep(10)
    moment = world.aws.clock.now()
    world.aws.clock.sleep(10)
    world.s3.put(CORPUS_COPY, "a", 2)
    plan = world.plan(moment, region=STANDBY)
    assert plan.where["bucket"] == CORPUS_COPY and world.restore(plan).done == 1
    assert {region for service, _, region in world.aws.made if service == "s3"} == {STANDBY}


def test_the_prices_of_a_plan_are_those_of_its_requests_and_bytes(world: World) -> None:
    world.s3.put(CORPUS, "small", 1, size=10**9)
    world.s3.put(CORPUS, "large", 1, size=20 * 1024**3)
    world.aws.clock.sleep(10)
    moment = world.aws.clock.now()
    world.aws.clock.sleep(10)
    world.s3.delete(CORPUS, "small")
    world.s3.delete(CORPUS, "large")
    totals = world.plan(moment).totals
    size = 10**9 + 20 * 1024**3
    requests = 1 + len(copying.part_ranges(20 * 1024**3)) + 2
    assert totals["bytes"] == size and totals["engine"] == "copy"
    assert totals["dollars"] == round((requests + 2) * 0.005 / 1000, 4), "two listings, of plan and proof"
    assert totals["dollars_a_month"] == round(size / 1000**3 * 0.023, 4)


PAGES_BYTES = 60_000_000
"""kinds/buckets/ranges.py, AT_ONCE."""


@pytest.mark.parametrize(
    ("fewer", "more"),
    [(6_000, 18_000), pytest.param(10_000, 100_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
)
def test_memory_stays_flat_from_ten_thousand_to_a_hundred_thousand_versions(
    tmp_path: Path, fewer: int, more: int
) -> None:
    """A plan of millions of items must not need the memory of millions; what grows is the pages that are under way, of
    which there are so many at most."""
    peaks = [_peak(tmp_path / str(count), count) for count in (fewer, more)]
    assert peaks[1] < max(peaks[0] * 1.5, PAGES_BYTES), f"{peaks[0]:,} and {peaks[1]:,} bytes"


def _peak(folder: Path, versions: int) -> int:
    folder.mkdir()
    world = World(folder)
    for number in range(versions // 2):
        world.s3.put(CORPUS, f"part-{number % 37:02d}/{number:06d}", 1)
    world.aws.clock.sleep(10)
    moment = world.aws.clock.now()
    world.aws.clock.sleep(10)
    for number in range(versions // 2):
        world.s3.put(CORPUS, f"part-{number % 37:02d}/{number:06d}", 2)
    kept: list[Any] = []
    world.s3._add = lambda bucket, key, entry: kept.append(None) or entry  # type: ignore[method-assign,func-returns-value]
    world.aws.made = Forgetful()
    world.s3.checksums = {each.id: "1" for keys in world.s3.keys[CORPUS].values() for each in keys}
    _peak_of(lambda: world.plan(moment, "warm.json", prefix="part-00/"))
    return _peak_of(lambda: world.restore(world.plan(moment)))


class Forgetful(list[Any]):
    def append(self, item: Any) -> None:
        """Calls are not kept."""


def _peak_of(act: Callable[[], object]) -> int:
    tracemalloc.start()
    act()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_the_plan_is_json_of_the_shape_that_is_promised(world: World) -> None:
    world.s3.put(CORPUS, "ké y", 1)
    world.aws.clock.sleep(10)
    moment = world.aws.clock.now()
    world.aws.clock.sleep(10)
    gone = world.s3.delete(CORPUS, "ké y")
    plan = world.plan(moment)
    raw = json.loads(plan.path.read_text())
    assert raw["schema"] == "pilotlight/restore/1" and raw["asset"] == "corpus" and raw["to"] == stamp(moment)
    assert raw["where"] | {"into": None} == {
        "region": PRIMARY, "bucket": CORPUS, "prefix": "", "in_place": True, "into": None, "serves": True,
    }  # fmt: skip
    (item,) = raw["items"]
    assert (item["item"], item["action"], item["from"]["version"], item["shadows"]["version"]) == (
        "ké y", "copy", "v1", gone.id,
    )  # fmt: skip
    assert raw["totals"]["items"] == 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: text[: text.index(" ]")], "says None"),
        (lambda text: text.replace("pilotlight/restore/1", "pilotlight/restore/9"), "schema"),
        (lambda text: "\n".join(each for each in text.splitlines() if '"b"' not in each) + "\n", "says 2"),
        (lambda text: "no plan", "cannot be read"),
    ],
)
def test_a_plan_that_was_cut_off_or_changed_is_not_carried_out(
    world: World, spoil: Callable[[str], str], words: str
) -> None:
    for key in ("a", "b"):
        world.s3.put(CORPUS, key, 1)
    plan = world.plan(T0 - 10)
    plan.path.write_text(spoil(plan.path.read_text()))
    with pytest.raises(RestorePlanUnusable, match=words):
        restoring.read(plan.path)


def test_a_plan_is_not_carried_out_where_the_region_serves_no_more(world: World) -> None:
    world.s3.put(CORPUS, "a", 1)
    plan = world.plan(T0 - 10)
    world.recovery.context.ledger._table.put(
        "active", "-", {"region": STANDBY, "epoch": 2, "state": "serving", "run": "x", "since": stamp(T0)}
    )
    if world.recovery.active().region == STANDBY:
        with pytest.raises(RestorePlanUnusable, match="does not serve any more"):
            world.restore(plan)
    assert world.current() == {"a": "1"}


@pytest.mark.parametrize(
    ("to", "more", "words"),
    [
        ("2023-11-14 22:00:00", {}, "no time zone"),
        ("2099-01-01T00:00:00Z", {}, "still to come"),
        ("2023-11-14T22:00:00Z", {"region": "eu-west-1"}, "neither"),
    ],
)
def test_a_moment_that_nobody_can_mean_is_refused(world: World, to: str, more: dict[str, str], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        world.plan(to, **more)


def test_a_group_of_instances_says_what_to_restore_instead(world: World) -> None:
    fleet = inventory().computes[0]
    with pytest.raises(NotRestorable, match="fleet") as told, (world.folder / "x").open("w") as into:
        world.recovery.plan_restore(fleet, world.recovery.wanted(stamp(T0)), into)
    assert "checkpoints" in told.value.advice

"""Records survive being written down: what a standby region reads is what was written, or an error that says why."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.runtime.errors import RecordUnreadable
from pilotlight.runtime.kinds.buckets.reference import BucketReference
from pilotlight.runtime.records.codec import dumps, loads
from pilotlight.runtime.records.evidence import Restored, Synced
from pilotlight.runtime.records.inventory import Compute, Database, Datasets, Inventory, Keep, Traffic, Volumes
from pilotlight.runtime.records.point import Part, RecoveryPoint
from pilotlight.runtime.records.runs import PROVEN, Entry, Journal, Runbook, Step

text = st.text(max_size=12)
inventories = st.builds(
    Inventory,
    workload=text,
    account=text,
    primary=text,
    standby=text,
    trigger=text,
    taken_at=text,
    rpo_seconds=st.floats(0, 1e9),
    rto_seconds=st.floats(0, 1e9),
    every_seconds=st.floats(0, 1e9),
    keep=st.builds(Keep),
    assets=st.tuples(
        st.builds(
            Datasets,
            kind=st.sampled_from(Datasets.TAGS),
            rpo_seconds=st.floats(0, 1e6),
            uses=st.tuples(text),
        ),
        st.builds(Volumes, rpo_seconds=st.floats(0, 1e6), uses=st.tuples(text)),
        st.builds(Database, rpo_seconds=st.floats(0, 1e6), uses=st.tuples(text)),
        st.builds(Compute, instance_types=st.tuples(text), volumes=st.tuples(text), uses=st.just(())),
    ),
    traffic=st.none() | st.builds(Traffic),
    schema=st.just(Inventory.SCHEMA),
)


@given(inventories)
def test_an_inventory_read_back_is_the_one_that_was_written(inventory):
    assert loads(Inventory, dumps(inventory), "inventory") == inventory


def test_an_inventory_of_the_first_edition_is_read_as_it_was_meant():
    older = Path(__file__).with_name("inventory-1.json").read_text()
    found = loads(Inventory, older, "inventory")
    assert [(type(each), each.name) for each in found.assets] == [
        (Datasets, "corpus"),
        (Datasets, "checkpoints"),
        (Volumes, "index"),
        (Database, "registry"),
        (Compute, "fleet"),
    ]
    assert (found.computes[0].volumes, found.datasets[1].prefix) == (("index",), "checkpoints/")
    assert loads(Inventory, dumps(found), "inventory") == found and found.schema == Inventory.SCHEMA
    kinds = json.dumps(json.loads(older) | {"databases": [{"name": "x", "kind": "ledger"}]})
    with pytest.raises(RecordUnreadable, match="kind is 'ledger', which this edition does not know; it knows check"):
        loads(Inventory, kinds, "inventory")


def test_a_point_keeps_its_proof():
    named = BucketReference("corpus-copy", "train/", "2026-01-01T00:00:00.000Z")
    part = Part("corpus", "dataset", "replication", True, "2026-01-01T00:00:00.000Z", named, {"objects": 3}, ())
    point = RecoveryPoint("p1", "w", "2026-01-01T00:00:00.000Z", "complete", (part,))
    assert loads(RecoveryPoint, dumps(point), "p1") == point
    assert point.part("corpus") == part
    assert point.part("absent") is None


def test_a_point_of_the_first_edition_names_what_it_named():
    older = Path(__file__).with_name("point-1.json").read_text()
    assert json.loads(older)["schema"] == "pilotlight/recovery-point/1"
    found = loads(RecoveryPoint, older, "point")
    named = [part.reference for part in found.parts]
    assert [type(each).__name__ for each in named] == [
        "BucketReference",
        "CheckpointReference",
        "VolumeReference",
        "ClusterReference",
        "GroupReference",
    ]
    raw = [part["reference"] for part in json.loads(older)["parts"]]
    assert named[1].step == raw[1]["step"] == 40 and named[1].manifest == raw[1]["manifest"]
    assert set(named[2].copies) == {copy for one in raw[2]["sets"] for copy in one["snapshots"].values()}
    assert named[2].stands_on == (*(each["set"] for each in raw[2]["sets"]), raw[2]["run"])
    assert (named[3].global_cluster, named[4].stands_on) == (raw[3]["global"], (raw[4]["image"],))
    assert loads(RecoveryPoint, dumps(found), "point") == found


def test_a_journal_of_the_first_edition_is_read_and_its_lines_have_no_phase():
    line = {"step": "fence", "state": "proven", "at": "t", "epoch": 3, "evidence": {"epoch": 3}}
    older = {"run": "r1", "kind": "failover", "workload": "w", "epoch": 3, "state": "succeeded", "started_at": "t"}
    told = json.dumps(older | {"entries": [line], "schema": "pilotlight/journal/1"})
    found = loads(Journal, told, "journal")
    assert (found.schema, found.entries[0].phase) == (Journal.SCHEMA, "") and found.proven("fence")


def test_what_a_later_step_decides_by_is_a_record_and_evidence_that_is_none_is_refused_by_name():
    line = Entry("restore-fleet", PROVEN, "t", 3, {"template": "run", "versions": [4, 5], "left": []})
    assert line.read(Restored) == Restored("run", (4, 5))
    assert Entry("sync-corpus", PROVEN, "t", 3, {"settled": 7}).read(Synced).never_served == ""
    with pytest.raises(RecordUnreadable, match="the evidence of restore-fleet"):
        Entry("restore-fleet", PROVEN, "t", 3, {"versions": "4"}).read(Restored)


def test_a_runbook_and_its_journal_survive():
    book = Runbook("failover", "w", (Step("fence", "fence", needs=("lease",)),))
    journal = Journal("r1", "failover", "w", 3, "running", "t", entries=(Entry("fence", PROVEN, "t", 3, {"x": [1]}),))
    assert loads(Runbook, dumps(book), "book") == book
    assert loads(Journal, dumps(journal), "r1") == journal
    assert journal.proven("fence") is not None
    assert journal.proven("traffic") is None


def test_a_field_added_by_a_newer_writer_does_not_stop_an_older_reader():
    raw = json.loads(dumps(RecoveryPoint("p1", "w", "t", "complete", ()))) | {"added": 1}
    assert loads(RecoveryPoint, json.dumps(raw), "p1").id == "p1"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "nonsense", '{"schema": "pilotlight/recovery-point/9"}', '{"schema": "pilotlight/recovery-point/1"}'],
)
def test_a_damaged_record_is_refused_by_name_and_nothing_is_decided_from_it(text):
    with pytest.raises(RecordUnreadable, match="p1"):
        loads(RecoveryPoint, text, "p1")


@given(st.binary(max_size=60))
def test_random_bytes_are_never_a_record_and_never_a_traceback(data):
    with pytest.raises(RecordUnreadable):
        loads(Inventory, data, "inventory")


@dataclass(frozen=True)
class Disk:
    name: str
    size: int = 0
    kind: str = "disk"


@dataclass(frozen=True)
class Table:
    name: str
    rows: int = 0
    kind: str = "table"


@dataclass(frozen=True)
class CheckpointListing:
    holds: Disk | Table | str | tuple[str, ...] | None = None
    weight: int | float = 0


@pytest.mark.parametrize("holds", [Disk("a", 3), Table("a", 3), Table("a"), "a", ("a", "b"), None])
def test_what_a_record_holds_is_not_read_as_another_kind_of_thing(holds):
    assert loads(CheckpointListing, dumps(CheckpointListing(holds, 1.5)), "shelf") == CheckpointListing(holds, 1.5)


def test_an_older_record_without_its_tag_is_told_by_its_fields():
    assert loads(CheckpointListing, '{"holds": {"name": "a", "rows": 3}}', "shelf") == CheckpointListing(Table("a", 3))


@pytest.mark.parametrize("raw", ['{"size": 3}', "7", '{"name": "a"}'])
def test_what_fits_no_kind_or_two_alike_is_an_error_and_never_the_first(raw):
    with pytest.raises(RecordUnreadable, match="expected one of"):
        loads(CheckpointListing, f'{{"holds": {raw}}}', "shelf")


def test_a_word_is_not_read_as_a_list_of_its_letters():
    with pytest.raises(RecordUnreadable, match="expected a list"):
        loads(RecoveryPoint, dumps(RecoveryPoint("p1", "w", "t", "complete", ())).replace("[]", '"ab"'), "p1")

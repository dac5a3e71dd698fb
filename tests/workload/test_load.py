"""A declaration with an error costs nothing: everything wrong is told at once, by line, and nothing is called."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotlight.runtime.errors import DeclarationErrors, DeclarationUnreadable, PilotlightError
from pilotlight.workload.load import load
from pilotlight.workload.model import Workload

GOOD = """\
version: 1
workload: inference
regions: {primary: us-east-1, standby: us-west-2}
objectives: {rpo: 60s, rto: 2m}
points: {every: 1m}
assets:
  corpus: {kind: dataset, bucket: corpus-1}
  checkpoints: {kind: checkpoints, bucket: models-1, uses: [corpus]}
  index: {kind: volumes, select: {tag: "backup=index"}, rpo: 3m}
  registry: {kind: database, cluster: registry, uses: [checkpoints]}
  fleet: {kind: compute, group: fleet, instance_types: [g5.xlarge], count: 1, volumes: [index], uses: [registry]}
traffic: {zone: example.internal, record: models.example.internal}
"""
EXAMPLE = Path(__file__).parents[2] / "examples" / "inference-service" / "workload.yaml"


def write(folder, text):
    path = folder / "workload.yaml"
    path.write_text(text)
    return path


def problems(folder, text):
    with pytest.raises(DeclarationErrors) as caught:
        load(write(folder, text))
    return caught.value.problems


def test_a_good_declaration_is_taken_with_durations_in_seconds(tmp_path):
    workload = load(write(tmp_path, GOOD))
    assert (workload.objectives.rpo_seconds, workload.objectives.rto_seconds) == (60.0, 120.0)
    assert workload.trigger == "approval"
    assert workload.assets["index"].rpo_seconds == 180.0


@pytest.mark.parametrize(
    ("said", "rule"), [("launch-order", "launch-order"), ("shared", "shared"), ("{tag: shard}", "tag:shard")]
)
def test_a_declaration_says_which_instance_gets_which_volumes(tmp_path, said, rule):
    assert load(write(tmp_path, GOOD)).assets["index"].assign == "launch-order"
    declared = GOOD.replace("rpo: 3m", f"rpo: 3m, assign: {said}")
    assert load(write(tmp_path, declared)).assets["index"].assign == rule


def test_the_example_is_good():
    assert load(EXAMPLE).trigger == "automatic"


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        ("rto: 2m", "rto: 2m, rtoo: 1s", 4, "did you mean rto?"),
        ("us-west-2", "us-wset-2", 3, "did you mean us-west-2?"),
        ("standby: us-west-2", "standby: us-east-1", 3, "is the primary"),
        ("rpo: 60s", "rpo: 60", 4, "write 60s, 60m or 60h"),
        ("rpo: 60s", "rpo: 0s", 4, "out of range"),
        ("rpo: 60s", "rpo: 0.2s", 4, "below what protects"),
        ("rpo: 3m", "rpo: 3m, assign: by-luck", 9, "write launch-order, shared, or {tag: KEY}"),
        ("rpo: 3m", "rpo: 3m, assign: {tags: shard}", 9, "write launch-order, shared, or {tag: KEY}"),
        ("rpo: 3m", "rpo: 90s", 9, "ask 120s or more"),
        ("bucket: corpus-1", "bucket: Corpus_1", 7, "is no bucket name"),
        ("bucket: corpus-1", "bucket: 192.168.1.1", 7, "is no bucket name"),
        ("bucket: corpus-1", "bucket: models-1", 8, "name it in one asset"),
        ("uses: [corpus]", "uses: [corps]", 8, "did you mean corpus?"),
        ("uses: [corpus]", "uses: [registry]", 10, "closes a cycle"),
        ("uses: [corpus]", "uses: [index]", 8, "it can use dataset"),
        ("kind: dataset", "kind: dataste", 7, "did you mean dataset?"),
        ("kind: dataset, ", "", 7, "has no kind"),
        ("cluster: registry", "cluster: registry, mechanism: magic", 10, "write 'auto' or 'global'"),
        ("volumes: [index]", "volumes: [corpus]", 11, "there is no volume group corpus"),
        ("[g5.xlarge]", "[g5]", 11, "family.size"),
        ("count: 1", "count: 0", 11, "write 1 or more"),
        ("count: 1", "count: many", 11, "is not a whole number"),
        ("record: models.example.internal", "record: models.other.internal", 12, "not inside the zone"),
        ("workload: inference", "workload: Inference", 2, "does not fit"),
        ("corpus: {kind", "corpus-corpus-corpus: {kind", 7, "shorten the name"),
        ("corpus: {kind", "vault: {kind", 7, "give it another name"),
        ("corpus: {kind", "papers: {kind", 7, "give it another name"),
        ("every: 1m", "every: 1m, lock: {for: 1d, fro: 1d}", 5, "did you mean for?"),
        ("bucket: models-1", "bucket: models-1, health: {file: a, fiel: b}", 8, "did you mean file?"),
        ("version: 1", "version: 1\nvault: {account: 210987654321}", 2, "write it in quotes"),
        ("version: 1", "version: 1\nvault: {account: '2109'}", 2, "write its 12 digits"),
        (
            "version: 1",
            "version: 1\nvault: {account: '210987654321', role: 'arn:aws:iam::210987654321:role/x'}",
            2,
            "what follows",
        ),
        ("version: 1", "version: 1\nversion: 1", 2, "stands twice"),
        ("version: 1", "version: !!python/name:os.system x", 1, "is not taken"),
        ("assets:", "assets: [", 8, "is not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_would_be_right(tmp_path, old, new, line, wanted):
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(f"workload.yaml:{line}: " in each and wanted in each for each in found), found


def test_every_mistake_is_told_at_once(tmp_path):
    text = (
        GOOD.replace("rpo: 60s", "rpo: 60").replace("corpus-1", "X").replace("trigger", "x").replace("g5.xlarge", "g5")
    )
    assert len(problems(tmp_path, text)) == 3


@pytest.mark.parametrize("make", ["missing", "folder", "empty", "binary", "large"])
def test_what_is_no_declaration_is_one_clear_line(tmp_path, make):
    path = tmp_path / "workload.yaml"
    if make == "folder":
        path.mkdir()
    elif make != "missing":
        path.write_bytes({"empty": b"", "binary": b"\xff\xfe\x00", "large": b"#" * 1_000_001}[make])
    with pytest.raises(DeclarationUnreadable) as caught:
        load(path)
    assert "nothing changed" in caught.value.message
    assert "\n" not in caught.value.message


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=80))
def test_random_bytes_never_end_in_a_traceback(tmp_path, data):
    path = tmp_path / "workload.yaml"
    path.write_bytes(data)
    with pytest.raises(PilotlightError):
        load(path)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("version", "workload", "regions", "objectives", "points", "assets", "traffic", "trigger", "vault", "more")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), plain, min_size=1, max_size=4), st.sampled_from(("", "corpus", "fleet")))
def test_a_good_declaration_with_anything_put_into_it_is_taken_or_refused_by_line(tmp_path, changed, asset):
    values = yaml.safe_load(GOOD)
    if asset:
        values["assets"][asset] |= {
            key: value for key, value in zip(("bucket", "uses"), changed.values(), strict=False)
        }
    else:
        values |= changed
    path = write(tmp_path, yaml.safe_dump(values))
    try:
        assert isinstance(load(path), Workload)
    except DeclarationErrors as refused:
        assert all(each.startswith(f"{path}:") for each in refused.problems)


BUCKETS = """
version: 1
workload: quiet
regions: {primary: us-east-1, standby: us-west-2}
objectives: {rpo: 1h, rto: 1h}
trigger: approval
notify: {email: [oncall@example.com], https: ["https://alerts.example.com/hook"]}
assets:
  data: {kind: dataset, bucket: quiet-data}
"""


def test_who_is_told_is_taken_as_it_is_written(tmp_path):
    notify = load(write(tmp_path, BUCKETS)).notify
    assert (notify.email, notify.https) == (("oncall@example.com",), ("https://alerts.example.com/hook",))


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        ("trigger: approval", "trigger: automatic", 6, "there is nothing to watch that serves"),
        ("[oncall@example.com]", "[oncall]", 7, "is no e-mail address"),
        ("[oncall@example.com]", "[a@example.com, a@example.com]", 7, "is named twice"),
        ("https://alerts", "http://alerts", 7, "is no HTTPS endpoint"),
        ("https://alerts", "https://me:secret@alerts", 7, "has a password in it"),
        ('email: [oncall@example.com], https: ["https://alerts.example.com/hook"]', "", 7, "names nobody"),
        ("email:", "mail:", 7, "did you mean email?"),
    ],
)
def test_a_channel_that_would_reach_nobody_is_refused_by_its_line(tmp_path, old, new, line, wanted):
    (found,) = problems(tmp_path, BUCKETS.replace(old, new))
    assert f":{line}: " in found and wanted in found


MERGING = """\
version: 1
workload: mini
regions: {primary: us-east-1, standby: us-west-2}
objectives: {rpo: 15m, rto: 30m}
assets:
  data: &data
    kind: dataset
    bucket: acme-data
    prefix: a/
  other: {<<: *data, bucket: acme-other}
  both: {<<: [{bucket: acme-both}, *data]}
"""


def test_assets_that_share_keys_by_a_merge_are_what_yaml_says_they_are(tmp_path):
    found = load(write(tmp_path, MERGING)).assets
    told = {name: (each.kind, each.bucket, each.prefix) for name, each in found.items()}
    assert told["other"] == ("dataset", "acme-other", "a/")
    assert told["both"] == ("dataset", "acme-both", "a/")


def test_a_mistake_in_a_merged_key_is_named_where_it_stands(tmp_path):
    found = problems(tmp_path, MERGING.replace("bucket: acme-data", "bukket: acme-data"))
    assert any(":8: assets.data.bukket" in each for each in found)
    assert any(":8: assets.other.bukket" in each for each in found)
    assert "merges mappings alone" in problems(tmp_path, MERGING.replace("<<: *data", "<<: 5"))[0]


def test_merges_that_multiply_without_end_are_refused_at_once(tmp_path):
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
    assert "more than" in problems(tmp_path, "\n".join(lines))[0]


def test_several_problems_are_read_one_a_line(tmp_path):
    with pytest.raises(DeclarationErrors) as caught:
        load(write(tmp_path, GOOD.replace("bucket: corpus-1", "bukket: corpus-1").replace("rto: 2m", "rto: soon")))
    assert len(caught.value.message.splitlines()) == 1 + len(caught.value.problems) > 2


@pytest.mark.parametrize("written", ["/a/", "a//b/", "5"])
def test_a_prefix_below_which_no_key_can_lie_is_refused_by_its_line(tmp_path, written):
    found = problems(tmp_path, MERGING.replace("prefix: a/", f"prefix: {written}"))
    assert any(":9: assets.data.prefix" in each and "no folder of a bucket" in each for each in found)

"""What a user loses when one of these fails: a recovered registry that names models which never arrived."""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.wrappers import Recording, Wrapper
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import PilotlightError
from pilotlight.runtime.kinds.aurora.references import ROWS_MAX, ROWS_PER_CALL, place, shown, statement
from pilotlight.runtime.points import choose
from pilotlight.runtime.points.choose import loss
from pilotlight.runtime.points.protect import FURTHER_LOOKS_MAX
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.inventory import Datasets, Health, Training
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, REFUSED, Part, RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from support.fake_aws import (
    CORPUS,
    CORPUS_COPY,
    MODELS,
    MODELS_COPY,
    NAMES,
    PRIMARY,
    STANDBY,
    FakeAws,
    inventory,
    save,
    uri,
)
from support.fake_machines import TEMPLATE
from support.inventories import changed


def part(point: RecoveryPoint, asset: str) -> Part:
    found = point.part(asset)
    assert found is not None
    return found


def fire(recovery: Recovery) -> RecoveryPoint:
    point = recovery.protect()
    assert point is not None
    return point


def rows(point: RecoveryPoint) -> dict[str, object]:
    found = part(point, "registry").evidence["rows"]
    assert isinstance(found, dict)
    return found


def declared(aws: FakeAws, **changes: object) -> Recovery:
    """The same workload with more said of its checkpoints."""
    whole = inventory()
    datasets = tuple(
        dataclasses.replace(each, **changes) if each.kind == "checkpoints" else each for each in whole.datasets
    )
    return Recovery(RecoveryContext(aws, inventory(datasets=datasets), aws.clock, aws.fetch), "test")


# -- rows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dangling", "ahead"])
@pytest.mark.parametrize(
    ("count", "end"), [(1, "s3://1."), (3, "s3://3."), (4, "s3://3 and 1 more."), (9, "s3://3 and 6 more.")]
)
def test_a_sentence_names_the_first_rows_and_says_when_there_are_more(kind: str, count: int, end: str) -> None:
    names = [f"s3://{number}" for number in range(1, count + 1)]
    part = Part("database", "database", "global", True, "", evidence={"rows": {kind: names, "counts": {kind: count}}})
    (said,) = choose.loose_ends([part])
    assert said.startswith(f"database has {count} rows ") and said.endswith(end)


def test_a_row_whose_checkpoint_never_arrives_is_named_before_a_failover(aws: FakeAws, recovery: Recovery) -> None:
    aws.rows = [uri(20), uri(40), uri(60)]
    save(aws, 60)
    aws.s3.queue.clear()
    point = fire(recovery)
    assert point.status == PARTIAL
    assert any(uri(60) in problem and "not complete in the standby region" in problem for problem in point.problems)
    assert rows(point)["dangling"] == [uri(60)] and rows(point)["named"] == 3


def test_a_point_waits_a_moment_for_what_is_on_its_way(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.lag_seconds = 3
    save(aws, 80)
    aws.rows = [uri(80)]
    began = aws.clock.now()
    point = fire(recovery)
    assert point.status == COMPLETE and encode(part(point, "checkpoints").reference)["step"] == 80
    assert aws.clock.now() - began < 2 * FURTHER_LOOKS_MAX + 1


def test_the_database_is_true_up_to_the_reading_of_its_rows_and_no_further(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.lag_seconds = 3
    save(aws, 80)
    aws.rows = [uri(80)]
    began = aws.clock.now()
    assert parse_stamp(part(fire(recovery), "registry").as_of) <= began


def test_a_row_that_is_newer_than_the_proven_data_makes_the_point_partial(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.lag_seconds = 50
    aws.s3.write(CORPUS, "on its way", b"data of step 80")
    aws.clock.sleep(1)
    save(aws, 80, bucket=MODELS_COPY)
    save(aws, 80)
    aws.rows = [uri(80)]
    point = fire(recovery)
    assert point.status == PARTIAL and rows(point)["ahead"] == [uri(80)]


def test_a_row_of_a_checkpoint_that_was_deleted_everywhere_stops_no_recovery(aws: FakeAws, recovery: Recovery) -> None:
    aws.rows = [uri(1), uri(40)]
    point = fire(recovery)
    assert point.status == COMPLETE and rows(point)["gone"] == [uri(1)]


def test_rows_of_either_regions_bucket_and_of_files_inside_are_understood(aws: FakeAws, recovery: Recovery) -> None:
    aws.rows = [
        uri(40, MODELS_COPY),
        uri(20) + "model.safetensors.index.json",
        uri(20).rstrip("/"),
        "s3://other/x",
        "x",
    ]
    found = rows(fire(recovery))
    assert found["dangling"] == []
    assert sorted(found["foreign"]) == [  # type: ignore[call-overload]
        "a value of 1 characters that is no URI",
        "s3://other/x",
    ]


SECRET = "hunter2secret"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SECRET}&X-Amz-Date=1", "https://b.s3.amazonaws.com/k"),
        (f"postgres://user:{SECRET}@db.internal:5432/models?sslmode=on", "postgres://db.internal:5432"),
        (f"s3://{MODELS}/checkpoints/step-000060/?Signature={SECRET}", f"s3://{MODELS}/checkpoints/step-000060/"),
        (f"https://user:{SECRET}@host/path#{SECRET}", "https://host/path"),
        (SECRET, f"a value of {len(SECRET)} characters that is no URI"),
        (f"{SECRET}://x", "hunter2secret://x"),
    ],
)
def test_what_is_taken_over_from_a_column_is_cut_to_its_place(value: str, told: str) -> None:
    assert shown(value) == told


def test_no_secret_of_a_users_data_comes_into_a_record_a_message_a_log_a_call_or_an_error(
    aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    """Points are kept for months, and read by whoever may look at a recovery: planted in every place that is read."""
    caplog.set_level(logging.DEBUG)
    asset = inventory().datasets[1]
    sick = replace(asset, health=Health("metrics.json", "loss", 3.0))
    recording = Recording(aws)
    taken = inventory(datasets=(inventory().datasets[0], sick))
    recovery = Recovery(RecoveryContext(recording, taken, aws.clock, aws.fetch), "test")
    aws.templates[TEMPLATE][-1].data["UserData"] = base64.b64encode(f"TOKEN={SECRET}".encode()).decode()
    aws.rows = [
        uri(40),
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SECRET}",
        f"postgres://user:{SECRET}@db.internal/models",
        f"s3://{MODELS}/checkpoints/step-000060/?X-Amz-Security-Token={SECRET}",
        f"s3://{MODELS}/checkpoints/step-000099/?X-Amz-Security-Token={SECRET}",
        SECRET,
    ]
    fire(recovery)
    for step, metrics in ((70, f'{{"loss": "{SECRET}"}}'), (80, f'{{"loss": NaN, "why": "{SECRET}"}}'), (90, SECRET)):
        save(aws, step, more={"metrics.json": metrics.encode(), "latest": SECRET.encode()})
    save(aws, 95, more={"metrics.json": b'{"loss": 1.0}'})
    aws.clock.sleep(60)
    point = fire(recovery)
    assert rows(point)["named"] == 6
    errors = list[str]()
    aws.dark.add(PRIMARY)
    for broken in ("ec2:create_launch_template", ""):
        aws.denied = {broken}
        try:
            recovery.failover()
        except PilotlightError as problem:
            errors += [problem.message, problem.advice]
    aws.dark.clear()
    recovery.failback()
    found = recovery.verify("newest", deep=True)
    ours = {bucket: keys for bucket, keys in aws.s3.objects.items() if bucket == NAMES.vault_bucket}
    written = [each.body for keys in ours.values() for versions in keys.values() for each in versions]
    kept = [json.dumps(encode(point)), repr(aws.dynamodb.items), repr(aws.told), repr(aws.parameters), repr(found)]
    kept += [*point.problems, *errors, caplog.text, repr(recording.made)]
    kept += [body.decode("utf-8", "replace") for body in written]
    assert errors and any("db.internal" in each for each in kept), "what is searched holds what was taken over"
    assert not [each[max(0, each.index(SECRET) - 200) :][:400] for each in kept if SECRET in each]


def test_rows_that_may_not_be_read_prove_nothing(aws: FakeAws, recovery: Recovery) -> None:
    aws.denied.add("rds-data:execute_statement")
    point = fire(recovery)
    assert point.status == PARTIAL
    assert any("rows of models cannot be read" in problem for problem in point.problems)


def test_while_the_primary_is_silent_the_database_is_true_as_far_as_its_rows_were_read(
    aws: FakeAws, recovery: Recovery
) -> None:
    aws.rows = [uri(40)]
    before = part(fire(recovery), "registry")
    aws.clock.sleep(30)
    aws.dark.add(PRIMARY)
    point = fire(recovery)
    assert point.status == COMPLETE
    assert part(point, "registry").as_of == before.as_of and rows(point) == before.evidence["rows"]


def test_what_a_partial_point_proved_counts_when_the_primary_falls_silent(aws: FakeAws, recovery: Recovery) -> None:
    aws.rows = [uri(20)]
    fire(recovery)
    aws.clock.sleep(60)
    aws.rows = [uri(20), uri(60)]
    save(aws, 60)
    aws.s3.queue.clear()
    torn = fire(recovery)
    aws.clock.sleep(60)
    aws.dark.add(PRIMARY)
    alone = fire(recovery)
    assert torn.status == PARTIAL and alone.status == COMPLETE
    assert part(alone, "corpus").as_of == part(torn, "corpus").as_of
    assert part(alone, "registry").as_of < part(torn, "registry").as_of, "rows that name what never arrived count"


def test_the_primary_may_fall_silent_in_the_middle_of_a_look(aws: FakeAws, recovery: Recovery) -> None:
    aws.rows = [uri(40)]
    fire(recovery)

    class FallsSilent(FakeAws):
        def rds_data_execute_statement(self, *args: object, **more: object) -> dict[str, object]:
            self.dark.add(PRIMARY)
            return super().rds_data_execute_statement(*args, **more)  # type: ignore[arg-type]

    aws.__class__ = FallsSilent
    aws.clock.sleep(60)
    assert fire(recovery).status == COMPLETE


def test_a_large_registry_is_read_page_by_page_the_newest_first(aws: FakeAws, recovery: Recovery) -> None:
    aws.rows = [uri(20) + f"{number}" for number in range(ROWS_PER_CALL + 1)]
    aws.made.clear()
    assert rows(fire(recovery))["named"] == ROWS_PER_CALL + 1
    reads = [made for made in aws.made if made[1] == "execute_statement"]
    assert len(reads) == 2


def test_more_rows_than_are_looked_at_are_told(aws: FakeAws, recovery: Recovery) -> None:
    aws.rows = [f"s3://other/{number}" for number in range(ROWS_MAX + 1)]
    point = fire(recovery)
    assert rows(point)["more"] is True and rows(point)["named"] == ROWS_MAX
    assert point.status == PARTIAL and any("a view of those that matter" in each for each in point.problems)


def test_names_of_tables_and_columns_cannot_become_sql() -> None:
    database = dataclasses.replace(inventory().databases[0], table='m"; DROP TABLE x; --', column='u"')
    sql = statement(database, goes_on=True)
    assert 'FROM "m""; DROP TABLE x; --" WHERE' in sql and '"u"""' in sql and ":before" in sql


def test_a_prefix_decides_which_asset_a_row_belongs_to() -> None:
    first = Datasets("a", "checkpoints", MODELS, MODELS_COPY, "a/")
    second = Datasets("b", "checkpoints", MODELS, MODELS_COPY, "b/")
    assert place(f"s3://{MODELS}/b/step-1/", (first, second)) == (second, "step-1")
    assert place(f"s3://{MODELS}/c/step-1/", (first, second)) is None


# -- health ----------------------------------------------------------------------------------------------------

BOUNDED = Health("metrics.json", "loss", 4.0)


def metrics(loss: float) -> dict[str, bytes]:
    return {"metrics.json": json.dumps({"loss": loss}).encode()}


@pytest.fixture
def trained(aws: FakeAws) -> FakeAws:
    """Steps 80 and 100 with their metrics; 100 has diverged. Older ones told nothing of their health."""
    save(aws, 80, more=metrics(2.0))
    save(aws, 100, more=metrics(float("nan")))
    aws.clock.sleep(2)
    return aws


def test_a_poisoned_checkpoint_is_passed_over_for_the_newest_healthy_one(trained: FakeAws) -> None:
    trained.rows = [uri(100)]
    point = fire(declared(trained, health=BOUNDED))
    checkpoints = part(point, "checkpoints")
    assert point.status == COMPLETE and encode(checkpoints.reference)["step"] == 80
    assert checkpoints.evidence["newest_complete_step"] == 100
    assert "loss is nan" in checkpoints.evidence["passed_over"][0]["why"]


def test_a_failover_takes_the_newest_healthy_checkpoint_too(trained: FakeAws) -> None:
    recovery = declared(trained, health=BOUNDED)
    for _ in range(3):
        fire(recovery)
        trained.clock.sleep(20)
    trained.dark.add(PRIMARY)
    assert recovery.failover() is not None
    assert trained.parameters[STANDBY, recovery.context.inventory.names.parameter("checkpoints")].endswith(
        "step-000080/"
    )


def test_a_point_without_any_healthy_checkpoint_is_refused_and_says_why(aws: FakeAws) -> None:
    point = fire(declared(aws, health=BOUNDED))
    assert point.status == REFUSED
    assert "no healthy checkpoint" in point.problems[0] and "metrics.json is missing" in point.problems[0]


# -- what would be lost ----------------------------------------------------------------------------------------


def test_loss_is_told_in_seconds_by_asset_and_in_steps_where_checkpoints_tell_them(
    aws: FakeAws, recovery: Recovery
) -> None:
    point = fire(recovery)
    made = parse_stamp(point.created_at)
    for each in point.parts:
        if each.kind == "compute":
            assert each.loss is None
        else:
            assert each.loss is not None and each.loss.seconds == pytest.approx(
                made - parse_stamp(each.as_of), abs=0.01
            )
    loss = part(point, "checkpoints").loss
    assert loss is not None and (loss.steps, loss.gpu_hours) == (20, None), "step 60 was begun, 40 is complete"


def test_loss_is_told_in_gpu_hours_at_the_declared_rate(aws: FakeAws) -> None:
    aws.clock.sleep(3600)
    loss = part(fire(declared(aws, training=Training(512, 3600.0))), "checkpoints").loss
    assert loss is not None and loss.steps is not None and loss.gpu_hours is not None
    assert loss.gpu_hours == pytest.approx(512 * loss.seconds / 3600, rel=1e-3)
    assert loss.steps == int(loss.seconds), "a step a second, though only 20 steps were begun in the bucket"


# -- refusals --------------------------------------------------------------------------------------------------


def test_a_database_whose_lag_may_not_be_read_is_not_said_to_be_as_new_as_now(aws: FakeAws, recovery: Recovery) -> None:
    aws.denied = {"cloudwatch:get_metric_statistics"}
    found = part(fire(recovery), "registry")
    assert not found.proven and found.as_of == ""
    assert "cloudwatch:get_metric_statistics" in found.missing[0]


def test_a_checkpoint_bucket_that_may_not_be_compared_says_so(aws: FakeAws, recovery: Recovery) -> None:
    class Blind(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if (operation, parameters.get("Bucket")) == ("list_object_versions", MODELS):
                raise refused(service, operation, region, "AccessDenied", "AccessDenied: not authorized")
            return super().call(service, operation, region, **parameters)

    point = fire(Recovery(recovery.context.through(Blind(aws)), "blind"))
    assert "list_object_versions" in str(part(point, "checkpoints").evidence["not_compared"])


def test_a_declared_rate_tells_the_loss_also_where_no_checkpoint_tells_its_step() -> None:
    found = Part("weights", "checkpoints", "replication", True, "2026-01-01T00:00:00Z")
    weights = replace(inventory().datasets[1], name="weights", training=Training(8, 100.0))
    told = loss(changed(inventory(), datasets=(weights,)), found, "2026-01-01T01:00:00Z")
    assert told and (told.seconds, told.steps, told.gpu_hours) == (3600.0, 100, 8.0)


def test_a_bucket_is_listed_once_for_each_thing_that_is_asked_of_it(aws: FakeAws, recovery: Recovery) -> None:
    """Listings are what a large bucket costs: one of each side tells what is late, and of checkpoints one of each what
    is whole, and one of the versions of the one that is taken."""
    listed = Counter[tuple[str, str]]()

    class Counting(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation.startswith("list_object"):
                listed[operation, parameters["Bucket"]] += 1
            return super().call(service, operation, region, **parameters)

    aws.clock.sleep(20)
    assert Recovery(recovery.context.through(Counting(aws)), "counting").protect()
    data = {key: times for key, times in listed.items() if key[1] != NAMES.vault_bucket}
    once = [("list_object_versions", each) for each in (CORPUS, MODELS, CORPUS_COPY)]
    once += [("list_objects_v2", each) for each in (MODELS, MODELS_COPY)]
    assert data == dict.fromkeys(once, 1) | {("list_object_versions", MODELS_COPY): 2}

"""The example is what a user would have: it deploys by itself, and its programs refuse to be a second writer."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import runpy
import shutil
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).parent / "stacks"))

from stack_recording import Recording, record

EXAMPLE = Path(__file__).parent.parent / "examples" / "inference-service"
INVOKES = {
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
    "aws:index/getRegion:getRegion": {"region": "us-east-1", "name": "us-east-1"},
    "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": ["us-east-1a", "us-east-1b", "us-east-1c"]},
    "aws:ec2/getAmi:getAmi": {"id": "ami-example"},
}
CONFIG = {"inference-service:standbyRegion": "us-west-2", "aws:region": "us-east-1"}


# -- the infrastructure ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deployed() -> Recording:
    return _deploy(CONFIG)


def _deploy(config: dict[str, str]) -> Recording:
    before = set(sys.modules)
    sys.path.insert(0, str(EXAMPLE))
    try:
        return record(_run_main, INVOKES, config)
    finally:
        sys.path.remove(str(EXAMPLE))
        for name in set(sys.modules) - before:
            if str(EXAMPLE) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def _run_main() -> None:
    runpy.run_path(str(EXAMPLE / "__main__.py"))


def test_it_names_its_resources_as_the_declaration_does(deployed: Recording) -> None:
    assert {each.inputs["bucket"] for each in deployed.all("Bucket")} == {
        "inference-corpus-123456789012",
        "inference-models-123456789012",
    }
    assert deployed.all("Cluster")[0].inputs["clusterIdentifier"] == "inference-registry"
    assert deployed.all("Group")[0].inputs["name"] == "inference-fleet"
    assert deployed.all("Zone")[0].inputs["name"] == "example.internal"


def test_nothing_in_it_comes_from_us(deployed: Recording) -> None:
    assert not [each for each in deployed.resources if each.type.startswith("pilotlight:")]
    assert not deployed.all("BucketVersioning")
    assert not [path for path in EXAMPLE.rglob("*.py") if "import pilotlight" in path.read_text()]


def test_the_index_volumes_are_tagged_and_attached_to_one_instance(deployed: Recording) -> None:
    assert [each.inputs["tags"]["backup"] for each in deployed.all("Volume")] == ["index", "index"]
    attached = {each.inputs["deviceName"]: each.inputs["instanceId"] for each in deployed.all("VolumeAttachment")}
    assert attached == {"/dev/sdf": "indexer-id", "/dev/sdg": "indexer-id"}


def test_the_password_is_readable_in_the_standby_region_and_kept_by_later_deployments(deployed: Recording) -> None:
    assert deployed.one_of("Secret").inputs["replicas"] == [{"region": "us-west-2"}]
    assert deployed.one_of("SecretVersion").ignored == ("secretString",)


def test_without_a_standby_region_it_still_deploys() -> None:
    alone = _deploy({"aws:region": "us-east-1"})
    assert "replicas" not in alone.one_of("Secret").inputs or not alone.one_of("Secret").inputs["replicas"]
    assert "dynamodb:GetItem" not in str([each.inputs["policy"] for each in alone.all("RolePolicy")])


def test_user_data_is_a_script_that_ec2_takes(deployed: Recording, tmp_path: Path) -> None:
    template = deployed.one_of("LaunchTemplate").inputs
    scripts = [base64.b64decode(template["userData"]).decode(), deployed.one_of("Instance").inputs["userData"]]
    bash = shutil.which("bash")
    assert bash
    for text in scripts:
        assert len(text.encode()) < 16_384
        assert subprocess.run([bash, "-n"], input=text, text=True, check=False).returncode == 0
        program = text.split("<<'PROGRAM'\n")[1].split("\nPROGRAM\n")[0]
        compile(program, "program", "exec")
        assert "from fence" not in program


def test_user_data_names_the_registry_as_one_word_that_can_be_translated(deployed: Recording) -> None:
    text = base64.b64decode(deployed.one_of("LaunchTemplate").inputs["userData"]).decode()
    assert "export DATABASE='registry.cluster.example:5432'\n" in text
    assert "export JOURNAL_REGION='us-west-2'\n" in text


# -- the programs ----------------------------------------------------------------------------------------------


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports programs by name from their folder, and forgets them afterwards."""
    monkeypatch.syspath_prepend(str(EXAMPLE / "programs"))
    names = ("fence", "indexer", "model_server")
    for name in names:
        sys.modules.pop(name, None)
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


class Objects:
    """A bucket in memory, as much of S3 as the server asks for."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if Key not in self.kept:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        return {"Body": Body(self.kept[Key])}

    def get_paginator(self, _: str) -> Objects:
        return self

    def paginate(self, Bucket: str, Prefix: str, Delimiter: str) -> list[dict[str, Any]]:  # noqa: N803
        folders = {key[: key.index("/", len(Prefix)) + 1] for key in self.kept if key.startswith(Prefix)}
        return [{"CommonPrefixes": [{"Prefix": each} for each in sorted(folders)]}]


class Body:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self) -> bytes:
        return self.data


class Parameters:
    """SSM with one parameter, or none."""

    def __init__(self, value: str = "") -> None:
        self.value = value

    def get_parameter(self, Name: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if not self.value:
            raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": Name}}, "GetParameter")
        return {"Parameter": {"Value": self.value}}


class Rows:
    """The registry: rows, or None where it cannot be read."""

    def __init__(self, rows: list[tuple[int, str, str]] | None) -> None:
        self.kept = rows

    def rows(self) -> list[tuple[int, str, str]] | None:
        return self.kept


class Journal:
    """DynamoDB with the active record, or none."""

    def __init__(self, region: str = "", epoch: int = 0) -> None:
        self.region, self.epoch = region, epoch

    def get_item(self, **_: Any) -> dict[str, Any]:
        if not self.region:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "GetItem")
        return {"Item": {"region": {"S": self.region}, "epoch": {"N": str(self.epoch)}}}


def _save(objects: Objects, step: int, leave_out: str = "") -> str:
    """Two shards and their index; returns the sha256 of the shards."""
    folder = f"checkpoints/step-{step:06d}/"
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    files = {name: _shard(step + number) for number, name in enumerate(names)}
    index = {"weight_map": {f"layers.{number}.weight": name for number, name in enumerate(names)}}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    objects.kept |= {folder + name: data for name, data in files.items() if name != leave_out}
    return hashlib.sha256(b"".join(files[name] for name in names)).hexdigest()


def _shard(value: int) -> bytes:
    data = struct.pack("<16f", *([float(value)] * 16))
    header = json.dumps({"layers.0.weight": {"dtype": "F32", "shape": [16], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def _row(step: int, sha256: str) -> tuple[int, str, str]:
    return step, f"checkpoints/step-{step:06d}/", sha256


def _server(module: ModuleType, objects: Objects, rows: list[tuple[int, str, str]] | None, recovered: str = "") -> Any:
    fence = importlib.import_module("fence").Fence("us-west-2", "journal", "")
    models = module.Models("models", "checkpoints/", objects)
    return module.Server("us-west-2", models, Rows(rows), Parameters(recovered), "/recovered", fence)


def test_the_server_serves_the_newest_registered_checkpoint(programs: Any) -> None:
    objects = Objects()
    rows = [_row(40, _save(objects, 40)), _row(20, _save(objects, 20))]
    server = _server(programs("model_server"), objects, rows)
    server.poll()
    status, said = server.answer("/predict", {})
    assert (status, said["region"], said["step"], said["sha256"]) == (200, "us-west-2", 40, rows[0][2])
    assert said["prediction"] == 40.0 * 16


@pytest.mark.parametrize("missing", ["model-00002-of-00002.safetensors", "model.safetensors.index.json"])
def test_a_torn_checkpoint_is_never_served(programs: Any, missing: str) -> None:
    objects = Objects()
    rows = [_row(40, _save(objects, 40, leave_out=missing)), _row(20, _save(objects, 20))]
    server = _server(programs("model_server"), objects, rows)
    server.poll()
    assert server.weights.step == 20


def test_files_that_are_not_what_was_registered_are_never_served(programs: Any) -> None:
    objects = Objects()
    rows = [_row(40, "0" * 64), _row(20, _save(objects, 20))]
    _save(objects, 40)
    server = _server(programs("model_server"), objects, rows)
    server.poll()
    assert server.weights.step == 20


def test_a_shard_that_is_one_byte_short_is_never_served(programs: Any) -> None:
    objects = Objects()
    _save(objects, 20)
    _save(objects, 40)
    key = "checkpoints/step-000040/model-00002-of-00002.safetensors"
    objects.kept[key] = objects.kept[key][:-1]
    server = _server(programs("model_server"), objects, None)
    server.poll()
    assert server.weights.step == 20


def test_what_a_recovery_chose_is_served_and_then_what_is_saved_after_it(programs: Any) -> None:
    objects = Objects()
    chosen = _row(40, _save(objects, 40))
    server = _server(programs("model_server"), objects, [chosen], "s3://models/checkpoints/step-000040")
    server.poll()
    assert server.weights.step == 40
    server.registry.kept = [_row(60, _save(objects, 60)), chosen]
    server.poll()
    assert server.weights.step == 60


def test_a_lost_registry_does_not_stop_what_is_served(programs: Any) -> None:
    objects = Objects()
    server = _server(programs("model_server"), objects, [_row(20, _save(objects, 20))])
    server.poll()
    server.registry.kept = None
    server.poll()
    assert server.answer("/healthz", {})[0] == 200


def test_without_weights_it_is_not_healthy(programs: Any) -> None:
    server = _server(programs("model_server"), Objects(), [])
    server.poll()
    assert server.answer("/healthz", {}) == (503, {"error": "loading", "region": "us-west-2"})


def test_it_serves_before_the_workload_is_protected(programs: Any) -> None:
    fence = programs("fence").Fence("us-east-1", "journal", "")
    fence.journal = Journal()
    fence.read()
    assert (fence.refusal, fence.epoch) == ("", 0)


def test_becoming_protected_does_not_fence_the_region_that_serves(programs: Any) -> None:
    fence = programs("fence").Fence("us-east-1", "journal", "")
    fence.journal = Journal()
    fence.read()
    fence.journal = Journal("us-east-1", 1)
    fence.read()
    assert (fence.refusal, fence.epoch) == ("", 1)


def test_after_a_failover_the_old_region_refuses_to_serve(programs: Any) -> None:
    objects = Objects()
    server = _server(programs("model_server"), objects, [_row(20, _save(objects, 20))])
    server.poll()
    server.fence.judge("us-west-2", 1)
    assert server.answer("/healthz", {})[0] == 200
    server.fence.judge("us-east-1", 2)
    status, said = server.answer("/predict", {})
    assert (status, said["error"], said["epoch"]) == (503, "fenced", 1)
    assert server.answer("/healthz", {})[0] == 503


def test_an_older_epoch_refuses_and_starts_anew(programs: Any) -> None:
    fence = programs("fence").Fence("us-east-1", "journal", "")
    fence.judge("us-east-1", 1)
    fence.judge("us-west-2", 2)
    fence.judge("us-east-1", 3)
    assert fence.refusal
    assert fence.superseded


def test_a_process_that_started_fenced_never_adopts_an_epoch_without_starting_anew(programs: Any) -> None:
    fence = programs("fence").Fence("us-east-1", "journal", "")
    fence.judge("us-west-2", 2)
    fence.judge("us-east-1", 3)
    assert fence.refusal
    assert fence.superseded


def test_a_record_that_cannot_be_read_lifts_no_refusal(programs: Any) -> None:
    fence = programs("fence").Fence("us-east-1", "journal", "")
    fence.judge("us-west-2", 2)
    fence.journal = Journal()
    fence.read()
    assert fence.refusal


def test_records_are_on_both_volumes_in_order_and_go_on_where_they_ended(
    programs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "sdf", tmp_path / "sdg"]
    for folder, name in zip(folders, ("DEVICE_SDF", "DEVICE_SDG"), strict=True):
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    indexer, fence = programs("indexer"), programs("fence").Fence("us-east-1", "journal", "")
    assert indexer.run(indexer.volumes(), fence, records=2) == 0
    (folders[0] / "records.log").open("a").write("99")
    assert [indexer.newest(folder) for folder in folders] == [2, 2]
    newest = programs("model_server").volumes()
    assert (newest["sdf"]["n"], newest["sdg"]["n"]) == (2, 2)


def test_a_fenced_indexer_writes_nothing_and_ends(programs: Any, tmp_path: Path) -> None:
    fence = programs("fence").Fence("us-east-1", "journal", "")
    fence.judge("us-west-2", 2)
    assert programs("indexer").run([tmp_path], fence) == 3
    assert (tmp_path / "records.log").read_text() == ""


def test_it_answers_over_http(programs: Any) -> None:
    module, objects = programs("model_server"), Objects()
    server = _server(module, objects, [_row(20, _save(objects, 20))])
    server.poll()
    serving = ThreadingHTTPServer(("127.0.0.1", 0), module.handler(server))
    Thread(target=serving.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{serving.server_address[1]}/predict?x=1,2"
        with urllib.request.urlopen(url, timeout=5) as response:
            assert json.load(response)["prediction"] == 20.0 * 3
    finally:
        serving.shutdown()
        serving.server_close()

"""What a user loses when one of these fails: a script that resumes because the command said 0."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pilotlight.cli.main import run

FIXTURES = Path(__file__).parent.parent / "fixtures/checkpoints"


def verify(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """(exit code, what was printed as JSON, what was said)."""
    code = run(["checkpoints", "verify", *arguments, "--json"])
    out, said = capsys.readouterr()
    return code, json.loads(out) if out else {}, said


def test_a_whole_folder_is_told_as_the_schema_says_and_the_code_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, record, _ = verify(capsys, str(FIXTURES / "orbax"))
    assert (code, record["schema"]) == (0, "pilotlight/checkpoints/1")
    first = record["checkpoints"][0]
    assert {"path", "format", "step", "complete", "problems", "bytes_total", "bytes_read"} <= first.keys()
    assert (first["path"], first["format"], first["step"], first["complete"]) == ("1100/", "orbax", 1100, True)


def test_one_torn_checkpoint_among_whole_ones_is_not_0_and_every_file_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(FIXTURES / "deepspeed", tmp_path / "run")
    (tmp_path / "run/global_step2/zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()
    code, record, said = verify(capsys, str(tmp_path / "run"))
    assert code == 7
    torn = next(each for each in record["checkpoints"] if not each["complete"])
    assert torn["problems"] == [
        {
            "file": "zero_pp_rank_1_mp_rank_00_optim_states.pt",
            "what": "missing: there were 2 by 1 ranks",
            "need": "resume",
        }
    ]
    assert "1 of 2 checkpoint(s) are not complete" in said and "Traceback" not in said


def test_deep_gives_the_sum_of_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, record, _ = verify(capsys, str(FIXTURES / "hf-sharded"), "--deep")
    (found,) = record["checkpoints"]
    assert code == 0 and len(found["files"]) == 6
    assert all(len(each["sha256"]) == 64 for each in found["files"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{tmp}/nowhere"], 2, "is not there"),
        (["{fixtures}/orbax", "--format", "orbx"], 2, "did you mean orbax?"),
        (["s3://"], 2, "names no bucket"),
        (["{tmp}"], 7, "no checkpoint of format auto was found among 0 file(s)"),
        (["{fixtures}/orbax", "--format", "deepspeed"], 7, "no checkpoint of format deepspeed"),
        (["s3://bucket/runs", "--directory", "{tmp}/no-cloud"], 3, "No embedded cloud answers"),
    ],
)
def test_what_cannot_be_verified_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    said_code, _, said = verify(capsys, *(each.format(tmp=tmp_path, fixtures=FIXTURES) for each in arguments))
    assert (said_code, words in said, "hint:" in said) == (code, True, True), said


def test_people_get_a_table_and_names_that_look_like_markup_stay_names(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "run [bold]"
    shutil.copytree(FIXTURES / "safetensors-single", folder)
    assert run(["checkpoints", "manifest", str(folder), "--step", "7"]) == 0
    (folder / "model.safetensors").write_bytes(b"short")
    assert run(["checkpoints", "verify", str(folder.parent)]) == 7
    out = "".join(capsys.readouterr().out.split())
    assert "run[bold]/generic7NO" in out and "has5bytes" in out


def test_a_bucket_of_the_embedded_cloud_is_read_by_ranges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["local", "up", "--directory", str(tmp_path / "cloud")]) == 0
    try:
        upload(tmp_path / "cloud", "orbax/1200", "runs/7/1200", "runs/7-old/1300")
        capsys.readouterr()
        code, record, said = verify(capsys, "s3://weights/runs/7", "--directory", str(tmp_path / "cloud"))
        assert (code, [each["path"] for each in record["checkpoints"]]) == (0, ["1200/"]), said
        code, _, said = verify(capsys, "s3://nowhere/runs", "--directory", str(tmp_path / "cloud"))
        assert code == 4 and "NoSuchBucket" in said
    finally:
        run(["local", "down", "--directory", str(tmp_path / "cloud")])


def upload(cloud: Path, fixture: str, *prefixes: str) -> None:
    """As any user would, with boto3 and the cloud's own variables."""
    import boto3

    from pilotlight.local.handle import LocalCloud

    told = LocalCloud.attach(cloud).environment()
    s3 = boto3.client(
        "s3",
        region_name="us-west-2",
        endpoint_url=told["AWS_ENDPOINT_URL"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
    )
    s3.create_bucket(Bucket="weights", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    files = [path for path in (FIXTURES / fixture).rglob("*") if path.is_file()]
    for prefix, path in itertools.product(prefixes, files):
        key = f"{prefix}/{path.relative_to(FIXTURES / fixture).as_posix()}"
        s3.put_object(Bucket="weights", Key=key, Body=path.read_bytes())

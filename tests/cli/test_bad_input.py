"""What somebody loses when one of these fails: the sentence that says what is wrong. They get a traceback instead.

Every verb is taken from the command itself, so a verb that is new is swept too; no cloud runs here.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from pilotlight.cli import app, streams, talk
from pilotlight.cli.main import run
from pilotlight.engine.state import open_stack
from pilotlight.local.handle import LocalCloud, forget_settings
from pilotlight.runtime.errors import StateTorn

ROOT = Path(__file__).parents[2]
DECLARATION = ROOT / "examples/inference-service/workload.yaml"
GIVEN = {
    "declaration": str(DECLARATION), "who": "deployer", "folder": "DIR/out", "region": "us-east-1", "point": "newest",
    "place": "s3://bucket/prefix", "why": "a reason", "asset": "corpus",
}  # fmt: skip
"""What a verb must be given; a verb with a new argument fails here until it is taught."""
STARTS = {"local up", "demo"}
"""They need no cloud that runs, and start one."""

Verb = tuple[str, Any]


def verbs() -> Iterator[Verb]:
    """Words and command of every verb."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[Verb]:
        for name, each in getattr(command, "commands", {}).items():
            if hasattr(each, "commands"):
                yield from below(each, (*words, name))
            else:
                yield " ".join((*words, name)), each

    return below(typer.main.get_command(app.assembled(*app.VERBS)), ())


VERBS = dict(verbs())


def with_option(name: str) -> list[str]:
    return [verb for verb, command in VERBS.items() if any(each.name == name for each in command.params)]


ONE_OF_SEVERAL = {"restore": ["--to", "2026-01-02T03:04:05Z", "--in-place"]}
"""What a verb asks for that no single option is required for."""


def typed(verb: str, folder: Path, **given: str) -> list[str]:
    """A command line that has all that the verb asks for."""
    words = verb.split()
    for each in VERBS[verb].params:
        if each.param_type_name == "argument" or each.required:
            value = (GIVEN | given)[each.name].replace("DIR", str(folder))
            words += [value] if each.param_type_name == "argument" else [each.opts[0], value]
    return words + ONE_OF_SEVERAL.get(verb, [])


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    before = dict(os.environ)
    forget_settings()
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    yield
    os.environ.clear()
    os.environ.update(before)


def told(capsys: pytest.CaptureFixture[str], words: list[str], code: int) -> str:
    """What a command line that fails says, in two lines or more, on stderr alone."""
    capsys.readouterr()
    assert run(words) == code, words
    out, err = capsys.readouterr()
    assert not out or json.loads(out) is not None, "stdout is data"
    assert err.startswith(("error: ", "Usage: ")), err
    return err


# -- what is typed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_that_does_not_exist_is_named(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--nonsense" in told(capsys, [*verb.split(), "--nonsense"], 2)


@pytest.mark.parametrize("verb", with_option("declaration"))
def test_a_declaration_that_is_none_is_refused_by_every_verb(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    for name in ("missing.yaml", "list.yaml", "binary.yaml", "list.yaml/below", "."):
        path = str(tmp_path / name)
        assert path in told(capsys, typed(verb, tmp_path, declaration=path), 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("a: &a [*a]\n", "its own anchor"),
        ("a: &a\n  <<: *a\n", "its own anchor"),
        ("[" * 3000, "nested too deep"),
        ("a:\n\tb: 1\n", ":2: is not YAML"),
        ("workload: a\nworkload: b\n", ":2: key workload stands twice"),
        ("? [a, b]\n: c\n", "a key must be a word"),
        ("apiVersion: v1\nkind: Pod\n", "apiVersion: is not known here"),
        ("a: 1\n---\nb: 2\n", "another document"),
        ("#" * 1_000_001, "larger than"),
    ],
)
def test_a_file_of_another_kind_is_named_with_its_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "workload.yaml").write_text(text)
    assert words in told(capsys, ["plan", str(tmp_path / "workload.yaml")], 2)


def test_a_device_that_never_ends_is_not_read_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    assert "larger than" in told(capsys, ["plan", "/dev/zero"], 2)


def test_a_declaration_from_another_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "workload.yaml").write_bytes(b"\xef\xbb\xbf" + DECLARATION.read_bytes().replace(b"\n", b"\r\n"))
    assert run(["plan", str(tmp_path / "workload.yaml")]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["local", "up", "--port", "99999"],
        ["local", "up", "--port", "-1"],
        ["local", "up", "--pace", "nan"],
        ["local", "up", "--regions", "us-east-1"],
        ["local", "up", "--regions", "us-east-1,us-west-9"],
        ["local", "up", "--directory", "/dev/null/below"],
        ["points", "list", str(DECLARATION), "--limit", "0"],
        ["points", "refuse", "newest", str(DECLARATION), "--why", " "],
        ["up", str(DECLARATION), "--parallel", "0"],
        ["up", str(DECLARATION), "--only", "both"],
        ["backfill", str(DECLARATION), "--engine", "magic"],
        ["checkpoints", "verify", "s3://"],
        ["demo", "--json", "/dev/null/below"],
        ["compare", "corpus", str(DECLARATION), "--json", "/dev/null/below"],
        ["compare", "corpus", str(DECLARATION), "--engine", "magic"],
        ["compare", "corpus", str(DECLARATION), "--output", "answers/"],
        ["compare", "corpus", str(DECLARATION), "--memory-mib", "1"],
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_is_called(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, words, 2)


def test_a_folder_that_cannot_be_written_is_named_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "model.bin").write_text("x")
    assert str(tmp_path / "file") in told(capsys, ["local", "up", "--directory", str(tmp_path / "file" / "x")], 2)
    (tmp_path / "pilotlight-manifest.json").mkdir()
    assert "no manifest was written" in told(capsys, ["checkpoints", "manifest", str(tmp_path)], 2)


# -- the machine -----------------------------------------------------------------------------------------------

OURS = '{"schema": "pilotlight/local/1", "pid": -1}'
HANDLES = ("{", "[]", '"x"', "{}", '{"pid": "x"}', OURS, '{"schema": "other/9"}')


@pytest.mark.parametrize("verb", [each for each in with_option("directory") if each not in STARTS])
def test_a_folder_whose_cloud_file_is_torn_has_no_cloud(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*typed(verb, tmp_path), "--directory", str(tmp_path)]
    words += ["--target", "local"] if verb in with_option("target") else []
    for text in HANDLES:
        (tmp_path / "cloud.json").write_text(text)
        assert "pilotlight local up" in told(capsys, words, 3), text


def test_a_folder_of_somebodys_is_not_cleared_for_a_file_that_is_named_like_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cloud.json", "serve.log", "thesis.tex"):
        (tmp_path / name).write_text("{}")
    assert "holds something else" in told(capsys, ["local", "up", "--directory", str(tmp_path)], 2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cloud.json", "serve.log", "thesis.tex"]


@pytest.mark.parametrize(
    "resources", ['"x"', "[5]", "[{}]", '[{"urn": 1, "type": "t"}]', '[{"urn": "u", "type": "t", "outputs": []}]']
)
def test_a_state_that_no_engine_wrote_is_torn_and_left_as_it_is(tmp_path: Path, resources: str) -> None:
    path = tmp_path / "vault.json"
    open_stack(path, "vault", "word").write()
    document = json.loads(path.read_text())
    document["deployment"]["resources"] = json.loads(resources)
    path.write_text(text := json.dumps(document))
    with pytest.raises(StateTorn):
        open_stack(path, "vault", "word")
    assert path.read_text() == text


@pytest.mark.parametrize("salt", ['"x"', "5", '"v1:a:b"'])
def test_a_state_whose_salt_is_torn_is_torn(tmp_path: Path, salt: str) -> None:
    path = tmp_path / "vault.json"
    path.write_text(f'{{"deployment": {{"secrets_providers": {{"state": {{"salt": {salt}}}}}, "resources": []}}}}')
    with pytest.raises(StateTorn):
        open_stack(path, "vault", "word")
    path.unlink()
    path.mkdir()
    with pytest.raises(StateTorn):
        open_stack(path, "vault", "word")


def test_a_user_without_a_name_or_a_home_can_type_commands() -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    assert talk.who(nobody) == f"uid {os.getuid()}"
    assert talk.home(nowhere) == Path(".pilotlight")


# -- the account -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", with_option("target"))
def test_an_account_that_cannot_be_reached_says_why_to_every_verb(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*typed(verb, tmp_path), "--target", "aws"]
    os.environ["AWS_PROFILE"] = "nonesuch"
    assert "nonesuch" in told(capsys, words, 4)
    del os.environ["AWS_PROFILE"]
    (tmp_path / "config").write_text("[broken\n=\n")
    os.environ["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    assert str(tmp_path / "config") in told(capsys, words, 3)


KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
PROGRAM = "[default]\ncredential_process = /nonesuch/program\n"


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({}, 4, "Unable to locate credentials"),
        ({"AWS_ACCESS_KEY_ID": "a"}, 4, "AWS_SECRET_ACCESS_KEY"),
        (KEYS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 4, "if AWS_ENDPOINT_URL or a proxy is set"),
        (KEYS | {"AWS_ENDPOINT_URL": "nonsense"}, 3, "nonsense"),
        (KEYS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:port"}, 3, "port"),
        (KEYS | {"AWS_DEFAULTS_MODE": "zz"}, 3, "zz"),
        ({"AWS_METADATA_SERVICE_TIMEOUT": "soon"}, 3, "soon"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonesuch", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}, 3, "/nonesuch"),
        ({"AWS_CONFIG_FILE": "DIR/program"}, 3, "/nonesuch/program"),
    ],
)
def test_settings_of_the_environment_that_are_wrong_are_named(
    settings: dict[str, str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "program").write_text(PROGRAM)
    os.environ.update({name: value.replace("DIR", str(tmp_path)) for name, value in settings.items()})
    assert words in told(capsys, ["status", str(DECLARATION), "--target", "aws"], code)


def test_a_rehearsal_hears_nothing_of_the_persons_account_nor_of_a_proxy() -> None:
    os.environ.update(
        {"AWS_ENDPOINT_URL_STS": "http://x", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "https_proxy": "http://p"}
    )
    os.environ.update({"HTTP_PROXY": "http://p", "AWS_DEFAULTS_MODE": "zz"})
    urls = {"router_url": "http://127.0.0.1:1", "front_door_url": "http://127.0.0.1:2"}
    state = urls | {"access_key": "a", "secret_key": "b", "account": "1", "endpoints": {"us-east-1": "http://x"}}
    LocalCloud(Path(), state, None).enter()
    left = {name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")}
    assert left == {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    }  # fmt: skip


# -- where it is printed ---------------------------------------------------------------------------------------

PLAN = [sys.executable, "-m", "pilotlight", "plan", str(DECLARATION)]


def test_whoever_stops_reading_gets_no_traceback_and_the_verbs_own_exit_code() -> None:
    read, write = os.pipe()
    os.close(read)
    child = subprocess.run(PLAN, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (child.returncode, child.stderr) == (0, "")


def test_a_full_disk_is_told_at_the_end() -> None:
    with Path("/dev/full").open("w") as full:
        child = subprocess.run(PLAN, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert child.returncode == 3 and "No space left on device" in child.stderr and "Traceback" not in child.stderr


def test_a_command_without_any_stream_does_what_it_has_to() -> None:
    line = " ".join(PLAN[:-1]) + f" '{PLAN[-1]}' <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", line], check=False).returncode == 0


def test_a_run_goes_on_though_the_disk_of_its_log_is_full() -> None:
    with Path("/dev/full").open("wb") as full:
        steady = streams.Steady(full.fileno(), "w", closefd=False)
        text = io.TextIOWrapper(io.BufferedWriter(steady), line_buffering=True)
        for number in range(3):
            print(number, file=text)
        assert steady.problem == "No space left on device"

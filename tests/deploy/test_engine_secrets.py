"""Secrets at rest and in results: none is ever written in plain text, and all come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from pilotlight.engine.embedded import Engine
from pilotlight.engine.values import MARK, SECRET
from pilotlight.runtime.errors import DeploymentFailed, PassphraseWrong
from support.made_up_provider import Thing, World, engine_of, urn

HUSH = "hush-hush-7261"


def program() -> None:
    hidden = pulumi.Output.secret(HUSH)
    first = Thing("first", name="first", value=hidden)
    Thing("second", name="second", value={"deep": [first.value]})
    pulumi.export("hidden", hidden)


def written(folder: Path) -> str:
    return "".join(each.read_text(errors="replace") for each in folder.rglob("*") if each.is_file())


def test_a_secret_is_never_in_a_file(tmp_path: Path, world: World) -> None:
    seen: list[str] = []

    class Watching(set[str]):
        def __contains__(self, name: object) -> bool:
            seen.append(written(tmp_path))
            return False

    world.broken = Watching()
    engine = engine_of(tmp_path, world)
    engine.update("dev", program)
    assert HUSH not in "".join(seen) + written(tmp_path)
    assert HUSH not in json.dumps(engine.export("dev"))
    assert {json.dumps(each["value"]) for each in world.things.values()} == {
        json.dumps(HUSH),
        json.dumps({"deep": [HUSH]}),
    }


def test_secrets_have_pulumis_own_mark_and_come_back(engine: Engine, world: World) -> None:
    engine.update("dev", program)
    found = {each["urn"]: each for each in engine.export("dev")["deployment"]["resources"]}
    for part in ("inputs", "outputs"):
        assert found[urn("first")][part]["value"][MARK] == SECRET
        assert set(found[urn("first")][part]["value"]) == {MARK, "ciphertext"}
    assert engine.outputs("dev") == {"hidden": HUSH}
    assert engine.update("dev", program).counts["same"] == 3


def test_outputs_that_the_program_calls_secret_are_secret(engine: Engine) -> None:
    options = pulumi.ResourceOptions(additional_secret_outputs=["arn"])

    def marked() -> None:
        pulumi.export("arn", Thing("it", opts=options).arn)

    engine.update("dev", marked)
    found = {each["urn"]: each for each in engine.export("dev")["deployment"]["resources"]}
    assert found[urn("it")]["outputs"]["arn"][MARK] == SECRET
    assert found[urn("it")]["additionalSecretOutputs"] == ["arn"]
    assert "arn:test" not in json.dumps(found)


def test_a_secret_is_in_no_failure(engine: Engine) -> None:
    def failing() -> None:
        pulumi.CustomResource("test:index:Mystery", "it", {"value": pulumi.Output.secret(HUSH)})

    with pytest.raises(Exception) as caught:
        engine.update("dev", failing)
    assert HUSH not in str(caught.value)


def test_a_failure_does_not_repeat_a_secret_that_aws_echoed(embedded: Engine, world: World) -> None:
    class Echo(set[str]):
        def __contains__(self, name: object) -> bool:
            raise ValueError(f"cannot take {HUSH}")

    world.broken = Echo()
    with pytest.raises(DeploymentFailed) as caught:
        embedded.update("dev", program)
    assert HUSH not in caught.value.message


def test_another_passphrase_opens_nothing_and_changes_nothing(tmp_path: Path, world: World) -> None:
    engine_of(tmp_path, world).update("dev", program)
    before = written(tmp_path)
    with pytest.raises(PassphraseWrong):
        engine_of(tmp_path, world, "wrong").update("dev", program)
    assert written(tmp_path) == before


def test_the_state_is_a_whole_document_at_every_call(tmp_path: Path, world: World) -> None:
    documents: list[dict[str, Any]] = []

    class Watching(set[str]):
        def __contains__(self, name: object) -> bool:
            documents.append(json.loads((tmp_path / "dev.json").read_text()))
            return False

    world.broken = Watching()
    engine_of(tmp_path, world).update("dev", program)
    assert [len(each["deployment"]["resources"]) for each in documents] == [2, 3]
    assert {each["version"] for each in documents} == {3}
    assert documents[0]["deployment"]["secrets_providers"]["type"] == "passphrase"


def test_a_secret_that_changed_in_aws_is_still_a_secret_after_a_refresh(tmp_path: Path, world: World) -> None:
    engine = engine_of(tmp_path, world)
    engine.update("dev", program)
    changed = "changed-in-aws-5531"
    for thing in world.things.values():
        thing["value"] = changed
    assert engine.refresh("dev").counts["update"] == 2
    assert changed not in written(tmp_path)


def test_the_stacks_of_one_command_share_a_key_and_those_of_another_passphrase_do_not(
    tmp_path: Path, world: World
) -> None:
    """A key is a million rounds of work: three a command, for each command, were two seconds of waiting."""
    salts = []
    for name, passphrase in (("one", "first"), ("two", "first"), ("three", "second")):
        engine = engine_of(tmp_path / name, world, passphrase)
        engine.update("dev", lambda: None)
        salts.append(engine.export("dev")["deployment"]["secrets_providers"]["state"]["salt"].split(":")[1])
    assert salts[0] == salts[1] != salts[2]

"""The three stacks of one inventory, each run once for the session; and once more with the vault in its own account."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from stack_recording import Recording, record
from stack_samples import VAULT, inventory

from pilotlight.stacks import program


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "runtime.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("pilotlight/__init__.py", "")
    return path


@pytest.fixture(scope="session")
def vault() -> Recording:
    return record(lambda: program.vault(inventory()))


@pytest.fixture(scope="session")
def primary() -> Recording:
    return record(lambda: program.primary(inventory()))


@pytest.fixture(scope="session")
def standby(archive: Path) -> Recording:
    return record(lambda: program.standby(inventory(), archive))


@pytest.fixture(scope="session")
def vault_apart() -> Recording:
    return record(lambda: program.vault(inventory(VAULT)))


@pytest.fixture(scope="session")
def primary_apart() -> Recording:
    return record(lambda: program.primary(inventory(VAULT)))


@pytest.fixture(scope="session")
def standby_apart(archive: Path) -> Recording:
    return record(lambda: program.standby(inventory(VAULT), archive))

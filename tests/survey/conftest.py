"""The example and an account that has all of it."""

from __future__ import annotations

import pytest
from surveyed_account import (
    EXAMPLE,
    Account,
)

from pilotlight.workload.load import load
from pilotlight.workload.model import Workload


@pytest.fixture
def workload() -> Workload:
    return load(EXAMPLE)


@pytest.fixture
def account() -> Account:
    return Account()

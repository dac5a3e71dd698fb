"""The functions run where only boto3 is: an import that reaches further fails on the day it is needed, in the cloud."""

from __future__ import annotations

import subprocess
import sys

import pytest

WALLED = """
import sys

class Wall:
    ALLOWED = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six", "awscrt", "certifi"}

    def find_spec(self, name, path=None, target=None):
        first, _, rest = name.partition(".")
        if first == "pilotlight":
            if rest and rest.split(".")[0] != "runtime":
                raise ImportError(f"{name} is outside the recovery runtime")
        elif first not in sys.stdlib_module_names and first not in self.ALLOWED:
            raise ImportError(f"{name} is neither stdlib nor boto3")
        return None

sys.meta_path.insert(0, Wall())
import importlib
module = importlib.import_module("pilotlight.runtime.handlers." + sys.argv[1])
assert callable(module.handler)
"""


@pytest.mark.parametrize("name", ["probe", "protect", "recover"])
def test_a_handler_needs_nothing_but_the_runtime_and_boto3(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", WALLED, name], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

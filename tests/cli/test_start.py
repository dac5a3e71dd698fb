"""How the command starts: what a verb does not need is not loaded for it."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_starts_without_pulumi_and_without_moto() -> None:
    """Whoever asks for the status in an outage does not wait for what only deploying needs."""
    asked = (
        "import sys, pilotlight.cli.app; print(*sorted({'pulumi', 'pulumi_aws', 'moto', 'boto3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

"""What was acknowledged, one JSON line each: the measure of what a disaster loses is taken from these lines."""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any


class Log:
    """Appends to the file named by LOG."""

    def __init__(self) -> None:
        self.file = Path(os.environ["LOG"]).open("a", buffering=1)  # noqa: SIM115 - open for as long as the process lives

    def write(self, event: str, **facts: Any) -> None:
        self.file.write(json.dumps({"at": time.time(), "event": event, **facts}) + "\n")


def end_with_parent() -> None:
    """End when whoever started this process is gone: its end of standard input closes then."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()

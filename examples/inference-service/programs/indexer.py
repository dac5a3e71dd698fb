"""Appends numbered records to two volumes, A and then B, ten times a second, each forced to the disk.

A record is a line `number seconds`. Record n is on A before it is on B, so copies of both taken at one moment differ by
one record at most. Ends with code 3 when another region or a newer epoch is active.
"""

import os
import sys
import time
from pathlib import Path

from fence import fence_from_environment

BETWEEN_RECORDS_SECONDS = 0.1
FILE = "records.log"


def volumes():
    """Folders of the mounted volumes, in the order of their device names."""
    names = sorted(name for name in os.environ if name.startswith("DEVICE_"))
    return [Path(os.environ[name]) for name in names]


def newest(folder):
    """Number of the last whole record of a volume, 0 where there is none."""
    try:
        lines = (folder / FILE).read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return 0
    whole = [line for line in lines if line.endswith("\n") and len(line.split()) == 2]
    return int(whole[-1].split()[0]) if whole else 0


def append(file, number):
    """One record, on the disk when this returns."""
    file.write(f"{number} {time.time():.6f}\n")
    file.flush()
    os.fsync(file.fileno())


def run(folders, fence, records=None):
    """Write until fenced; `records` bounds how many, for tests."""
    files = [(folder / FILE).open("a") for folder in folders]
    number = max(newest(folder) for folder in folders) + 1
    last = number + records if records else None
    while number != last:
        if fence.refusal:
            return 3
        for file in files:
            append(file, number)
        number += 1
        time.sleep(BETWEEN_RECORDS_SECONDS)
    return 0


if __name__ == "__main__":
    if not volumes():
        sys.exit("no volume is mounted: DEVICE_* is not set")
    watching = fence_from_environment()
    watching.watch()
    sys.exit(run(volumes(), watching))

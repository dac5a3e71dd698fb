"""User data of both kinds of instance: a bash script that hands a program to python3.

The programs are files of their own (`programs/`), so that they can be read and tested; here `fence.py` takes the place
of its import, because an instance gets one text of at most 16 KB.
"""

from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"

HEAD = """#!/bin/bash
on_ec2() { [ -z "${PRIVATE_IP:-}" ] && [ "$(cat /sys/class/dmi/id/sys_vendor 2>/dev/null)" = "Amazon EC2" ]; }
on_ec2 && ! python3 -c 'import boto3, psycopg' 2>/dev/null \\
  && dnf -y install python3-pip && python3 -m pip install boto3 'psycopg[binary]'

mount_device() {
  local name="DEVICE_$(echo "$1" | tr a-z A-Z)" waited=0
  [ -z "${!name:-}" ] && on_ec2 || return
  until [ -b "/dev/$1" ]; do [ "$waited" -ge "$2" ] && return; waited=$((waited + 1)); sleep 1; done
  blkid "/dev/$1" >/dev/null || mkfs -t xfs "/dev/$1"
  mkdir -p "/data/$1" && mount "/dev/$1" "/data/$1" && export "$name=/data/$1"
}
"""
"""A volume is a folder named by DEVICE_*. On EC2 a block device is mounted first, and formatted if it is blank; no
other machine's devices or packages are ever touched."""


def program(name: str) -> str:
    """One program as one text: the fence stands where it is imported."""
    lines = (PROGRAMS / name).read_text().splitlines(keepends=True)
    fence = (PROGRAMS / "fence.py").read_text()
    return "".join(fence if line.startswith("from fence import ") else line for line in lines)


def script(name: str, environment: dict, devices: tuple = (), device_wait_seconds: int = 0, again: bool = False) -> str:
    """Mount, export, run; `again` starts the program anew whenever it ends."""
    exports = "".join(f"export {key}='{value}'\n" for key, value in environment.items())
    mounts = "".join(f"mount_device {device} {device_wait_seconds}\n" for device in devices)
    run = f"python3 - <<'PROGRAM'\n{program(name)}PROGRAM\n"
    return HEAD + exports + mounts + (f"while true; do\n{run}sleep 1\ndone\n" if again else run)

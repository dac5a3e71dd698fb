"""What a benchmark tells: figures of ours and of peers in one run, as ratios, in build/bench and on the terminal."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = "pilotlight/benchmark/1"
OUTPUT = Path("build/bench")
QUICK = bool(os.environ.get("BENCH_QUICK"))
"""A tenth of the size and one run of each: whether it works at all, no figures to go by."""
TIMES = 1 if QUICK else 5


@dataclass
class Result:
    """Of one benchmark. `ours` and each peer: what was measured of it; `ratios` is what counts."""

    id: str
    ours: dict[str, Any]
    peers: dict[str, dict[str, Any]] = field(default_factory=dict)
    limit: dict[str, Any] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    goal: dict[str, float] = field(default_factory=dict)
    met: bool = False

    def tell(self) -> int:
        """Write and print it; 1 where a goal is not met by a full run."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        said = {"schema": SCHEMA, "quick": QUICK, "machine": machine()} | asdict(self)
        (OUTPUT / f"{self.id}.json").write_text(json.dumps(said, indent=2, sort_keys=True) + "\n")
        here = said["machine"]
        print(f"{self.id} on {here['processor']}, {here['cores']} cores, Python {here['python']}")
        for name, measured in {"ours": self.ours, **self.peers, "limit": self.limit}.items():
            if measured:
                print(f"  {name:24} " + ", ".join(f"{what} {_short(value)}" for what, value in measured.items()))
        for name, ratio in self.ratios.items():
            print(f"  {name}: {ratio:.2f}" + (f" (goal {self.goal[name]:g})" if name in self.goal else ""))
        print(f"  {'met' if self.met else 'NOT MET'}" + (" (quick: says nothing of speed)" if QUICK else ""))
        return int(not self.met and not QUICK)


def machine() -> dict[str, Any]:
    """Where it ran."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    models = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.system(),
        "load": round(os.getloadavg()[0], 2),
    }


def medians(runs: dict[str, Callable[[], dict[str, Any]]], times: int = TIMES) -> dict[str, dict[str, Any]]:
    """Each in turn, so many times; the median of every number, the last of everything else."""
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for _ in range(times):
        for name, run in runs.items():
            taken[name].append(run())
    return {name: _median(each) for name, each in taken.items()}


def _median(taken: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: statistics.median(each[name] for each in taken) if isinstance(last, int | float) else last
        for name, last in taken[-1].items()
    }


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []

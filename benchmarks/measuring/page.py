"""docs/benchmarks.md with a chart for each benchmark, from build/bench/*.json: `python benchmarks/measuring/page.py`.

A chart has a bar for each ratio, as a share of its goal, on a scale that ends at four times the goal. A ratio that has
no goal is told in the table alone. Full runs only: what a quick run measured says nothing of speed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from results import SCHEMA

MEASURED = Path("build/bench")
PAGE = Path("docs/benchmarks.md")
CHARTS = Path("docs/benchmarks")
TITLES = {
    "B1": "A million pairs of objects are compared",
    "B2": "Inventories are compared by one SQL text",
    "B3": "Content is read and proven",
    "B4": "A backfill copies small objects",
    "B5": "Volumes and instances are restored against EC2's token buckets",
    "B6": "A run is resumed after kill -9",
    "B9": "Torn checkpoints are found in a bucket whose copy is in sync",
    "B10": "The command starts",
}
AT_MOST = re.compile(r"peak|false alarms|lost|twice|seconds|/ listing|/ libraries|/ boto3$|of the bound|duplicates|p99")
"""Ratios of which less is better; of the others more is."""
WIDTH, ROW, LEFT, RIGHT = 760, 26, 300, 90
SCALE = 4.0
MET, MISSED = "#2e7d32", "#c62828"


def main() -> int:
    """Write the page and its charts anew; 1 where nothing was measured."""
    found = [json.loads(path.read_text()) for path in sorted(MEASURED.glob("B*.json"), key=_number)]
    whole = [each for each in found if each.get("schema") == SCHEMA and not each["quick"]]
    if not whole:
        print("no full run was measured: make bench", file=sys.stderr)
        return 1
    CHARTS.mkdir(parents=True, exist_ok=True)
    for each in whole:
        (CHARTS / f"{each['id']}.svg").write_text(chart(each))
    PAGE.write_text("\n".join(page(whole)) + "\n")
    print(f"{PAGE}: {', '.join(each['id'] for each in whole)}")
    return 0


def page(found: list[dict[str, Any]]) -> Iterator[str]:
    """Its lines."""
    yield "# Benchmarks"
    yield ""
    yield "Each benchmark has a named peer or a limit, measured in the same run; `make bench` runs all and writes"
    yield "this page. Figures are medians, where one runs more than once. A bar that reaches the line meets its goal;"
    yield "where a peer is better, it says so. [benchmarks/README.md](../benchmarks/README.md) says of each what it"
    yield "promises, and has those that lack here."
    for each in found:
        yield from ["", *_section(each)]


def _section(each: dict[str, Any]) -> Iterator[str]:
    name, where = each["id"], each["machine"]
    yield f"## {name}: {TITLES.get(name, name)}"
    yield ""
    yield f"![{name}: each ratio as a share of its goal](benchmarks/{name}.svg)"
    yield ""
    when = datetime.fromtimestamp((MEASURED / f"{name}.json").stat().st_mtime, UTC).date().isoformat()
    memory = f"{where['memory_gib']:g} GiB"
    yield (
        f"{'All goals are met' if each['met'] else '**Not all goals are met.**'} {when}, {where['processor']}, "
        f"{where['cores']} cores under a load of {where.get('load', 'unknown')}, {memory}, {where['system']}, "
        f"Python {where['python']}."
    )
    yield ""
    yield "| ratio | measured | goal |"
    yield "|---|---|---|"
    for what, ratio in each["ratios"].items():
        goal = each["goal"].get(what)
        bound = "" if goal is None else f"{'at most' if AT_MOST.search(what) else 'at least'} {goal:g}"
        yield f"| {what}{_better(what, ratio)} | {ratio:.3g} | {bound} |"
    yield ""
    yield "| who | figures |"
    yield "|---|---|"
    for who, figures in {"Pilotlight": each["ours"], **each["peers"], "limit": each["limit"]}.items():
        if figures:
            yield f"| {who} | {', '.join(f'{what} {_short(value)}' for what, value in figures.items())} |"


def _better(what: str, ratio: float) -> str:
    """Who is better, where ours is compared with a peer and is not."""
    of = re.fullmatch(r"ours / (.+?)( at .+)?", what)
    return f" (**{of[1]} is better**)" if of and ratio < 1 else ""


def chart(each: dict[str, Any]) -> str:
    """A bar for each ratio that has a goal."""
    rows = [(what, ratio, each["goal"][what]) for what, ratio in each["ratios"].items() if what in each["goal"]]
    height = ROW * len(rows) + 40
    unit = (WIDTH - LEFT - RIGHT) / SCALE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" '
        f'font-size="12"><title>{escape(each["id"])}: each ratio as a share of its goal</title>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for at, (what, ratio, goal) in enumerate(rows):
        top, share = ROW * at + 10, _share(what, ratio, goal)
        colour = MET if share >= 1 else MISSED
        length = max(2.0, min(share, SCALE) * unit)
        parts += [
            f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(what)}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{ROW - 8}" fill="{colour}"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{top + 14}">{ratio:.3g} ({_bound(what)} {goal:g})</text>',
        ]
    line = LEFT + unit
    parts += [
        f'<line x1="{line:.1f}" y1="4" x2="{line:.1f}" y2="{height - 24}" stroke="#333333" stroke-dasharray="4 3"/>',
        f'<text x="{line:.1f}" y="{height - 8}" text-anchor="middle">goal</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bound(what: str) -> str:
    return "at most" if AT_MOST.search(what) else "at least"


def _share(what: str, ratio: float, goal: float) -> float:
    """1 where the goal is reached just so, more where it is surpassed."""
    if AT_MOST.search(what):
        return SCALE if ratio <= 0 else goal / ratio
    return ratio / goal if goal else SCALE


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("B"))


if __name__ == "__main__":
    sys.exit(main())

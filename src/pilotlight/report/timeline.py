"""The timeline of a run as SVG: lanes from top to bottom, seconds from left to right, zero where the region went dark.

Pure text: the same drawing stands in the HTML report and, from a recorded run, in the README.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from pilotlight.report.record import HOMEWARD, Moment, Report

SUCCEEDED = "succeeded"
WIDTH = 1080
LEFT = 110
RIGHT = 30
TOP = 80
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
"""Seconds between two ticks; a rehearsal takes a minute, a run in AWS may take a day."""
TICKS_MAX = 14
ROW = 22
CHARACTER = 6.3
"""Width of one character of the label font in pixels, for keeping labels inside the picture."""

COLOURS = {
    "disaster": "#b42318",
    "detection": "#b54708",
    "recovery": "#175cd3",
    "service": "#067647",
    "failback": "#5925dc",
}


@dataclass(frozen=True)
class Scale:
    """Seconds to pixels."""

    first: float
    last: float

    def x(self, seconds: float) -> float:
        span = max(self.last - self.first, 1.0)
        return LEFT + (seconds - self.first) / span * (WIDTH - LEFT - RIGHT)


def draw(report: Report) -> str:
    """The SVG of a report's timeline."""
    moments = sorted(report.timeline, key=lambda moment: moment.seconds)
    if not moments:
        return ""
    scale = Scale(min(moments[0].seconds, 0.0) - 1, moments[-1].seconds + 1)
    height = TOP + ROW * len(moments) + 40
    parts = [_open(height), _title(report), _dark(report, scale, height), *_ticks(scale, height)]
    parts += [_moment(moment, index, scale) for index, moment in enumerate(moments)]
    return "\n".join([*parts, "</svg>"])


def _open(height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Timeline of the run" font-family="ui-sans-serif, system-ui, sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    )


def _title(report: Report) -> str:
    text = f"{report.workload}: {_told(report)}"
    return f'<text x="{LEFT}" y="26" font-size="15" font-weight="600" fill="#101828">{escape(text)}</text>'


def _told(report: Report) -> str:
    """The run in one sentence."""
    if report.kind in HOMEWARD:
        return f"home in {report.primary} again, {report.rto_seconds:.1f} s without writes"
    told = f"{report.primary} lost, serving from {report.standby} again after {report.rto_seconds:.1f} s"
    if report.failback is None:
        return told if report.state == SUCCEEDED else f"failover from {report.primary} {report.state}"
    return f"{told}, home again with {report.failback.lost_items} items lost"


def _dark(report: Report, scale: Scale, height: int) -> str:
    """The shaded span in which nothing was served."""
    left, right = scale.x(0.0), scale.x(report.rto_seconds)
    return (
        f'<rect x="{left:.1f}" y="{TOP - 22}" width="{right - left:.1f}" height="{height - TOP - 8}" '
        f'fill="#fef3f2" stroke="#fda29b" stroke-width="1"/>'
        f'<text x="{left + 4:.1f}" y="{TOP - 27}" fill="#b42318" font-size="11">'
        f"RTO {report.rto_seconds:.1f} s</text>"
    )


def _ticks(scale: Scale, height: int) -> list[str]:
    step = next(each for each in STEPS if (scale.last - scale.first) / each <= TICKS_MAX or each == STEPS[-1])
    first = int(scale.first // step + 1) * step
    ticks = []
    for seconds in range(first, int(scale.last) + 1, step):
        x = scale.x(seconds)
        ticks.append(
            f'<line x1="{x:.1f}" y1="{TOP - 10}" x2="{x:.1f}" y2="{height - 26}" stroke="#eaecf0"/>'
            f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle" fill="#667085">{seconds:+d} s</text>'
        )
    return ticks


def _moment(moment: Moment, index: int, scale: Scale) -> str:
    x, y = scale.x(moment.seconds), TOP + ROW * index + 6
    colour = COLOURS.get(moment.lane, "#475467")
    label = f"{moment.what}  ({moment.seconds:+.1f} s)"
    fits = x + 10 + len(label) * CHARACTER < WIDTH
    anchor, offset = ("start", 9) if fits else ("end", -9)
    return (
        f'<text x="8" y="{y + 4}" fill="{colour}" font-size="11">{escape(moment.lane)}</text>'
        f'<circle cx="{x:.1f}" cy="{y}" r="4.5" fill="{colour}"/>'
        f'<text x="{x + offset:.1f}" y="{y + 4}" text-anchor="{anchor}" fill="#101828">{escape(label)}</text>'
    )

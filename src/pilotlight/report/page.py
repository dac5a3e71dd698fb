"""The report as one HTML file that needs nothing else: timeline, figures against objectives, checks, evidence."""

from __future__ import annotations

import json

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from pilotlight.report.record import Report
from pilotlight.report.timeline import draw


def render(report: Report) -> str:
    """HTML text; everything that came from a run is escaped."""
    environment = Environment(
        loader=PackageLoader("pilotlight.report"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    evidence = {step: json.dumps(found, indent=2, sort_keys=True) for step, found in report.evidence.items()}
    return environment.get_template("report.html").render(
        report=report,
        timeline=Markup(draw(report)),
        evidence=evidence,
    )

"""Who knows AWS and SRE practice must not need a glossary of ours: private words of earlier days do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pilotlight

SOURCE = Path(pilotlight.__file__).parent
GLOSSARY = SOURCE.parents[1] / "docs" / "reference" / "glossary.md"
ENTRIES_MAX = 25

OURS = {
    "AWS client": r"(?<!front )(?<!front_)(?<!Front)doors?(?![a-z])",
    "wrapper": r"(?<![a-z])coats?(?![a-z])",
    "context": r"\bsite\b",
    "recovery": r"(?<![a-z])desks?(?![a-z])",
    "recovery runtime": r"\bsurvivors?\b",
    "override": r"\bgraft(s|ed)?\b",
    "reaper": r"\bundertaker\b",
    "scheduled run": r"\bfirings?\b",
    "retention policy, list of instance types": r"(?<![a-z])ladders?(?![a-z])",
    "failback sync": r"\bhomecoming\b",
    "dependent actions": r"\bneeds_along\b",
    "record": r"(?<![a-z])papers?\b(?!/)(?!\")",
    "StepContext": r"(?-i:(: |-> |\[)Work\b)",
    "checkpoint listing": r"\bshel(f|ves)\b",
    "unhealthy": r"\bpoison(ed)?\b",
    "rejection": r"(?<![\"`])\bveto(e[sd])?\b(?![\"/])",
    "heartbeat": r"(?<!heart)(?<![\"/])\bbeats?\b(?!\")",
    "rng": r"\bchance\b",
    "as of": r"\btrue[_ ]at\b(?!\")",
    "they": r"\b(he|his|him|himself)\b",
}
"""The field's word -> what it was called here."""
OF_ANOTHER = {"local/events/schedule_expressions.py", "local/events/schedules.py", "local/traffic/front_door.py"}
"""A schedule fires in AWS's own documents; a front door has a door."""


@pytest.mark.parametrize("word", OURS)
def test_the_fields_word_is_used(word: str) -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{number}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        if str(path.relative_to(SOURCE)) not in OF_ANOTHER
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(OURS[word], line, re.IGNORECASE)
    ]
    assert found == [], f"say {word}"


def test_the_glossary_is_short_and_in_order() -> None:
    entries = re.findall(r"^\*\*(.+?)\*\*", GLOSSARY.read_text(), re.MULTILINE)
    assert 0 < len(entries) <= ENTRIES_MAX
    assert entries == sorted(entries, key=str.casefold)

"""The survey of a note: it is there."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.kinds.note.kind import Note

from pilotlight.survey.kind import KindSurvey, Look


class NoteSurvey(KindSurvey):
    def survey(self, look: Look, name: str, asset: Any) -> Note | None:
        found = look.findings.ask(name, f"parameter {asset.parameter}", "ssm", "get_parameter", Name=asset.parameter)
        if found is None:
            return None
        return Note(name, asset.parameter, rpo_seconds=look.rpo_seconds(asset), uses=tuple(asset.uses))


KIND = NoteSurvey()

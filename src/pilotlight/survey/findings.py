"""What a survey asks and what it finds amiss: every problem is kept, with its asset, and told at the end."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.arns import GLOBAL_SERVICES
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused, SurveyProblems


class Findings:
    """An AWS client, the primary region, and the problems found so far."""

    def __init__(self, client: AwsClient, region: str) -> None:
        self.client = client
        self.region = region
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self.keys: list[tuple[str, str, str]] = []
        """(asset, what is encrypted, key), as met on the way."""
        self._regions: dict[str, None] = {}

    def add(self, asset: str, problem: str, region: str = "") -> None:
        """Keep a problem of this asset; `problem` says what is wrong and what would be right. `region`: where, if not
        in the primary region."""
        self._regions[region or self.region] = None
        self.problems.append(f"{asset} ({region or self.region}): {problem}")

    def met_key(self, asset: str, what: str, key: str | None) -> None:
        """Keep a key that an original is encrypted with; where there is none, nothing has to be asked."""
        if key:
            self.keys.append((asset, what, key))

    def remark(self, asset: str, remark: str) -> None:
        """Keep what stands in nobody's way now, and a person has to know before it matters."""
        self.remarks.append(f"{asset}: {remark}")

    def ask(self, asset: str, what: str, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """The answer, or None and a problem that `what` cannot be read in the primary region."""
        try:
            return self.client.call(service, operation, self._place(service), **parameters)
        except CallRefused as refusal:
            self._refused(asset, what, refusal)
            return None

    def all(self, asset: str, what: str, field: str, service: str, operation: str, **parameters: Any) -> list[Any]:
        """The items of every page's `field`; empty, and a problem, where they cannot be read."""
        try:
            pages = self.client.pages(service, operation, self._place(service), **parameters)
            return [item for page in pages for item in page.get(field, [])]
        except CallRefused as refusal:
            self._refused(asset, what, refusal)
            return []

    def settle(self) -> None:
        """Raise everything that was found; nothing found is fine."""
        if self.problems:
            raise SurveyProblems(" and ".join(self._regions), tuple(self.problems))

    def _refused(self, asset: str, what: str, refusal: CallRefused) -> None:
        reason = refusal.facts.get("reason", refusal.message)
        self.add(asset, f"{what} cannot be read ({reason}); create it, or correct its name in the declaration")

    def _place(self, service: str) -> str:
        return GLOBAL_SERVICES.get(service, self.region)


def unread(what: str, refusal: CallRefused) -> str:
    """What a refused read is told as (pure)."""
    return f"{what} cannot be read ({refusal.facts.get('reason', refusal.message)})"

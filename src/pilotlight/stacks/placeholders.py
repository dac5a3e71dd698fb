"""What user data holds until the standby database exists: marks for its endpoint and port, and their filling in.

The survey writes the marks, because it knows the primary's endpoint; the Compute component fills them, because only
then is the standby cluster's endpoint known. Both are pure.
"""

from __future__ import annotations

import re

from pilotlight.runtime.errors import PlaceholderUnfilled

ENDPOINT = "endpoint"
READER = "reader"
PORT = "port"

_MARK = re.compile(r"\{\{pilotlight:database:([a-z0-9-]+):([a-z]+)\}\}")


def database(asset: str, part: str) -> str:
    """The mark of one part (ENDPOINT, READER or PORT) of a database asset's standby cluster."""
    return f"{{{{pilotlight:database:{asset}:{part}}}}}"


def used(text: str) -> tuple[str, ...]:
    """The database assets whose marks are in the text, sorted."""
    return tuple(sorted({match.group(1) for match in _MARK.finditer(text)}))


def fill(text: str, values: dict[str, str]) -> str:
    """The text with every mark replaced; a mark without a value is PlaceholderUnfilled."""

    def value(match: re.Match[str]) -> str:
        mark = match.group(0)
        if mark not in values:
            raise PlaceholderUnfilled(mark=mark, asset=match.group(1))
        return values[mark]

    return _MARK.sub(value, text)

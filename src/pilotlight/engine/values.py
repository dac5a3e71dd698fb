"""Property values as the Pulumi wire has them: plain JSON in which secrets, assets and unknowns are marked (pure).

The marks are those of the Pulumi SDK (pulumi/sdk `resource/properties.go`); state files hold them too, so that a state
of ours can be read by `pulumi stack import`.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARK = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
DEFAULTS = "__defaults"
"""Key of inputs under which pulumi's AWS provider notes which of them it filled in itself."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

ZIP_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The earliest moment a zip can hold: equal contents give equal bytes."""


def marked(value: Any, mark: str) -> bool:
    """Whether this is a value of that special kind."""
    return isinstance(value, dict) and value.get(MARK) == mark


def secret(value: Any) -> dict[str, Any]:
    """Mark a value as secret."""
    return {MARK: SECRET, "value": value}


def walk(value: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild a value from its leaves and marked objects upwards."""
    if isinstance(value, dict) and MARK not in value:
        return {key: walk(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [walk(item, change) for item in value]
    return change(value)


def clean(value: Any) -> Any:
    """What the wire gives, with whole numbers whole and output values folded into plain, secret or unknown ones."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if marked(value, OUTPUT):
        inner = clean(value["value"]) if "value" in value else UNKNOWN
        return secret(inner) if value.get("secret") else inner
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items() if item is not None}
    return value


def reveal(value: Any) -> Any:
    """The value as a resource class takes it: no secret marks, and ids in place of references to resources."""
    if marked(value, SECRET):
        return reveal(value["value"])
    if marked(value, REFERENCE):
        return value["id"] if "id" in value else value["urn"]
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def plain(inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs as a resource class takes them."""
    return {key: value for key, value in dict(reveal(inputs)).items() if key != DEFAULTS}


def has_secret(value: Any) -> bool:
    """Whether a secret is anywhere inside."""
    if marked(value, SECRET):
        return True
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(has_secret(item) for item in items)


def secret_keys(values: dict[str, Any]) -> set[str]:
    """The top-level keys under which a secret is somewhere."""
    return {key for key, value in values.items() if has_secret(value)}


def hide(values: dict[str, Any], keys: set[str] | frozenset[str]) -> dict[str, Any]:
    """The values with these keys marked secret; what has no value is left out."""
    found = {key: value for key, value in values.items() if value is not None}
    return {key: secret(value) if key in keys and not marked(value, SECRET) else value for key, value in found.items()}


def secret_texts(value: Any) -> set[str]:
    """Every text that must not be told, wherever it is inside."""
    if marked(value, SECRET):
        return _texts(reveal(value["value"]))
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {text for item in items for text in secret_texts(item)}


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return {text for item in items for text in _texts(item)}
    return {str(value)} if value not in (None, "", True, False) else set()


def has_unknown(value: Any) -> bool:
    """Whether something inside is known only after an update."""
    if value == UNKNOWN:
        return True
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(has_unknown(item) for item in items)


def archive_bytes(value: dict[str, Any]) -> bytes:
    """The zip of an archive value: a file that is one already, a folder, or named assets."""
    if "path" in value and Path(value["path"]).is_file():
        return Path(value["path"]).read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in sorted(_members(value).items()):
            file.writestr(zipfile.ZipInfo(name, ZIP_MOMENT), content)
    return buffer.getvalue()


def _members(value: dict[str, Any]) -> dict[str, bytes]:
    if "path" in value:
        folder = Path(value["path"])
        return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    return {name: asset_bytes(asset) for name, asset in value.get("assets", {}).items()}


def asset_bytes(value: dict[str, Any]) -> bytes:
    """The content of an asset value."""
    return Path(value["path"]).read_bytes() if "path" in value else str(value.get("text", "")).encode()


def with_hashes(value: Any) -> Any:
    """Assets and archives with the hash of their content, so that a change of content is a change of the input."""

    def hashed(each: Any) -> Any:
        if marked(each, ARCHIVE):
            return each | {"hash": hashlib.sha256(archive_bytes(each)).hexdigest()}
        if marked(each, ASSET):
            return each | {"hash": hashlib.sha256(asset_bytes(each)).hexdigest()}
        return each

    return walk(value, hashed)


def comparable(value: Any) -> Any:
    """What two inputs are compared by: secrets revealed, assets by their hash alone."""

    def bare(each: Any) -> Any:
        if marked(each, SECRET):
            return comparable(each["value"])
        if marked(each, ARCHIVE) or marked(each, ASSET):
            return {"hash": each.get("hash")}
        return each

    return walk(value, bare)


def canonical(value: Any) -> str:
    """One text per value, for comparing and hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))

"""From a file to a Workload: read, parse, check the shape, check the rules; all problems at once or none.

Nothing is called and nothing is changed here, so a declaration with a problem has cost nothing.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pilotlight.runtime.errors import DeclarationErrors, DeclarationUnreadable
from pilotlight.workload import rules
from pilotlight.workload.lines import Document, Path, read
from pilotlight.workload.model import KINDS, Workload, keys
from pilotlight.workload.words import nearest

BYTES_MAX = 1_000_000
"""A declaration is a page or two; a megabyte is another kind of file."""

SENTENCES = {
    "missing": "is missing; write it",
    "string_pattern_mismatch": "{input!r} does not fit {pattern}",
    "string_type": "{input!r} is not a text; put it in quotes",
    "int_type": "{input!r} is not a whole number",
    "model_type": "is not a mapping; write keys and values below it",
    "model_attributes_type": "is not a mapping; write keys and values below it",
    "dict_type": "is not a mapping; write a name and its keys for each asset",
    "tuple_type": "is not a list; write [a, b]",
    "too_short": "is empty; write at least one",
    "greater_than_equal": "{input!r} is too small; write {ge} or more",
    "less_than_equal": "{input!r} is too large; write {le} or less",
    "literal_error": "{input!r} is not known; write {expected}",
}
"""pydantic's error types, as what is wrong and what would be right."""


def load(path: FilePath) -> Workload:
    """The declaration in this file; DeclarationUnreadable or DeclarationErrors otherwise."""
    document = read(_text(path))
    if document.problems:
        raise _errors(path, [(line, "", what) for line, what in document.problems])
    if document.value is None:
        raise DeclarationUnreadable(path=path, reason="it is empty")
    return parse(path, document)


def parse(path: FilePath, document: Document) -> Workload:
    """Check what was read."""
    try:
        workload = Workload.model_validate(document.value)
    except ValidationError as problem:
        raise _errors(path, [_shape(document, each) for each in problem.errors()]) from None
    found = rules.problems(workload)
    if found:
        raise _errors(path, [(document.line(where), _name(where), what) for where, what in found])
    return workload


def _text(path: FilePath) -> str:
    try:
        with path.open("rb") as file:
            found = file.read(BYTES_MAX + 1)
        if len(found) > BYTES_MAX:
            raise DeclarationUnreadable(path=path, reason=f"it is larger than {BYTES_MAX} bytes")
        return found.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DeclarationUnreadable(path=path, reason="it is not UTF-8 text") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise DeclarationUnreadable(path=path, reason=reason) from None


def _errors(path: FilePath, problems: list[tuple[int, str, str]]) -> DeclarationErrors:
    lines = [f"{path}:{line}: {name + ': ' if name else ''}{what}" for line, name, what in sorted(set(problems))]
    return DeclarationErrors(str(path), tuple(lines))


def _shape(document: Document, error: Any) -> tuple[int, str, str]:
    """One of pydantic's errors as line, name and sentence."""
    where = _path(document, error["loc"])
    return document.line(where), _name(where), _sentence(document, error, where)


def _path(document: Document, location: tuple[str | int, ...]) -> Path:
    """pydantic names the arm of a union in its location; the file does not."""
    path: Path = ()
    value = document.value
    for part in location:
        if part == "[key]" or (len(path) == 2 and path[0] == "assets" and part in KINDS and not _has(value, part)):
            continue
        path = (*path, part)
        value = value[part] if _has(value, part) else None
    return path


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _name(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _sentence(document: Document, error: Any, where: Path) -> str:
    wrong, context = error["type"], error.get("ctx", {})
    if wrong == "extra_forbidden":
        return f"is not known here; {nearest(str(where[-1]), keys(_model(document, where)))}"
    if wrong == "value_error":
        return str(context["error"])
    if wrong == "union_tag_not_found":
        return f"has no kind; write kind: and one of {', '.join(KINDS)}"
    if wrong == "union_tag_invalid":
        return f"kind {context['tag']!r} is not known; {nearest(str(context['tag']), list(KINDS))}"
    sentence = SENTENCES.get(wrong)
    return sentence.format(input=error["input"], **context) if sentence else str(error["msg"])


def _model(document: Document, where: Path) -> type[BaseModel]:
    """The model in which an unknown key stands: down from the whole, an asset by its kind."""
    found: type[BaseModel] = Workload
    around = where[:-1]
    if around[:1] == ("assets",):
        found, around = KINDS[document.value["assets"][around[1]].get("kind")], around[2:]
    for part in around:
        found = next(
            _inside(field.annotation)
            for name, field in found.model_fields.items()
            if part in (field.alias or name, name)
        )
    return found


def _inside(annotation: Any) -> type[BaseModel]:
    """The model of a field that may be left out."""
    return next(
        each for each in (annotation, *get_args(annotation)) if isinstance(each, type) and issubclass(each, BaseModel)
    )

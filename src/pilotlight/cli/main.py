"""The `pilotlight` command: assembles the verbs and turns every error into one line, one hint and an exit code.

Exit codes: 0 done; 2 bad input; 3 this machine; 4 AWS refused; 5 deployment; 6 recovery; 7 a check did not hold;
130 interrupted. They are the `code` of the error classes; docs/reference/errors.md lists them.
"""

from __future__ import annotations

import os
import sys

from pilotlight.cli.verbs import first_answer
from pilotlight.runtime.errors import FileUnusable, OutputLost, PilotlightError, PythonTooOld

PYTHON_MIN = (3, 11)
COMPLETING = "_PILOTLIGHT_COMPLETE"
"""Set by a shell that asks what could come next; Typer answers."""
INTERRUPTED_WORDS = "interrupted: this command does no more; what AWS had begun goes on there"
INTERRUPTED = 130
"""128 + SIGINT, as shells count it."""
COMPLETED, COMPLETED_BY_TYPER = "COMP_WORDS", "_TYPER_COMPLETE_ARGS"
"""Where shells put the line that is to be completed; bash in the first, the others in the second."""


def main() -> None:
    """Entry point of the command."""
    from pilotlight.cli.streams import by_the_line

    streams = by_the_line()
    code = run(sys.argv[1:])
    lost = streams.lost()
    told = _told(OutputLost(reason=lost)) if lost else 0
    sys.exit(code or told)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code."""
    try:
        check_python(sys.version_info[:2])
        told = first_answer(arguments) if COMPLETING not in os.environ else None
        if told is None:
            return _dispatch(arguments)
        print(told)
        return 0
    except PilotlightError as problem:
        return _told(problem)
    except KeyboardInterrupt:
        print(INTERRUPTED_WORDS, file=sys.stderr)
        return INTERRUPTED
    except OSError as problem:
        return _told(FileUnusable(path=problem.filename or "this machine", reason=problem.strerror or str(problem)))


def _told(problem: PilotlightError) -> int:
    print(f"error: {problem.message}", file=sys.stderr)
    print(f"hint: {problem.advice}", file=sys.stderr)
    return problem.code


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that is too old before anything else is imported."""
    if version < PYTHON_MIN:
        raise PythonTooOld(version=".".join(map(str, version)))


def _dispatch(arguments: list[str]) -> int:
    import typer

    from pilotlight.cli.app import assembled

    try:
        result = assembled(*_words(arguments))(arguments, standalone_mode=False, prog_name="pilotlight")
    except typer.Abort:
        raise KeyboardInterrupt from None
    except OSError:
        raise
    except Exception as problem:
        return _usage(problem)
    if result == INTERRUPTED:
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _words(arguments: list[str]) -> list[str]:
    """What may name a verb: of the arguments, and of the line that a shell asks to complete (Click's documentation,
    "Shell Completion")."""
    return [*arguments, *os.environ.get(COMPLETED, os.environ.get(COMPLETED_BY_TYPER, "")).split()]


def _usage(problem: Exception) -> int:
    """The parser's own errors know how to show themselves; everything else is not ours to hide."""
    show, code = getattr(problem, "show", None), getattr(problem, "exit_code", None)
    if show is None or code is None:
        raise problem
    show()
    return int(code)

"""The `pilotlight` command: assembles the verbs and turns every error into one line, one hint and an exit code.

Exit codes: 0 done; 2 bad input; 3 this machine; 4 AWS refused; 5 deployment; 6 recovery; 7 a check did not hold;
130 interrupted. They are the `code` of the error classes; docs/reference/errors.md lists them.
"""

from __future__ import annotations

import sys

from pilotlight.errors import PilotlightError, PythonTooOld

PYTHON_MIN = (3, 11)
INTERRUPTED = 130
"""128 + SIGINT, as shells count it."""


def main() -> None:
    """Entry point of the command."""
    from pilotlight.cli.talk import by_the_line

    by_the_line()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code."""
    try:
        check_python(sys.version_info[:2])
        return _dispatch(arguments)
    except PilotlightError as problem:
        print(f"error: {problem.message}", file=sys.stderr)
        print(f"hint: {problem.advice}", file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        print("interrupted: what was started has been stopped", file=sys.stderr)
        return INTERRUPTED


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that is too old before anything else is imported."""
    if version < PYTHON_MIN:
        raise PythonTooOld(version=".".join(map(str, version)))


def _dispatch(arguments: list[str]) -> int:
    import typer

    from pilotlight.cli.app import app

    try:
        result = app(arguments, standalone_mode=False, prog_name="pilotlight")
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as problem:
        return _usage(problem)
    return result if isinstance(result, int) else 0


def _usage(problem: Exception) -> int:
    """The parser's own errors know how to show themselves; everything else is not ours to hide."""
    show, code = getattr(problem, "show", None), getattr(problem, "exit_code", None)
    if show is None or code is None:
        raise problem
    show()
    return int(code)

"""The Python runtime inside one Lambda execution environment: loads the handler, then answers one event at a time.

It is started as a script in a clean interpreter (`python -I -S`), imports nothing but the standard library, and sees
the archive, boto3 and the variables AWS documents ("Using the Lambda runtime environment", "Lambda context object in
Python", "Errors in Python functions"). Events come in on standard input and answers go out on standard output, one
JSON line each; both are taken away from the handler, whose own output goes to the log file.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

HANDLER_PARTS_MESSAGE = "Bad handler '{name}': not enough values to unpack (expected 2, got 1)"


class LambdaContext:
    """The second argument of every handler."""

    def __init__(self, request_id: str, arn: str, deadline: float) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is killed."""
        return max(0, int((self._deadline - time.time()) * 1000))


class InitialisationFailed(Exception):
    """The handler could not be loaded; `report` is what the caller of the function sees."""

    def __init__(self, kind: str, message: str, trace: list[str]) -> None:
        super().__init__(message)
        self.report = {"errorMessage": message, "errorType": kind, "requestId": "", "stackTrace": trace}


class LogRecords(logging.Formatter):
    """The line format of the managed Python runtime: level, time, request id, message."""

    converter = staticmethod(time.gmtime)
    request_id = ""

    def format(self, record: logging.LogRecord) -> str:
        record.aws_request_id = LogRecords.request_id
        return super().format(record)


def take_streams(log: Path) -> tuple[TextIO, TextIO]:
    """Private copies of standard input and output; the handler's own output goes to the log file."""
    events = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sink = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]
    return events, answers


def start_logging() -> None:
    """A root handler, so that `logging` in a function reaches CloudWatch Logs as it does in AWS."""
    handler = logging.StreamHandler(sys.stdout)
    text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    handler.setFormatter(LogRecords(text, "%Y-%m-%dT%H:%M:%S"))
    logging.getLogger().addHandler(handler)


def load_handler(name: str) -> Callable[[Any, LambdaContext], Any]:
    """The function named `package.module.function`; InitialisationFailed with AWS's error type otherwise."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise InitialisationFailed("Runtime.MalformedHandlerName", HANDLER_PARTS_MESSAGE.format(name=name), [])
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise InitialisationFailed("Runtime.ImportModuleError", message, []) from error
    except SyntaxError as error:
        message = f"Syntax error in module '{module_name}': {error}"
        raise InitialisationFailed("Runtime.UserCodeSyntaxError", message, []) from error
    except Exception as error:
        raise InitialisationFailed(type(error).__name__, str(error), trace_of(error)) from error
    function = getattr(module, function_name, None)
    if function is None:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise InitialisationFailed("Runtime.HandlerNotFound", message, [])
    return function  # type: ignore[no-any-return]


def trace_of(error: BaseException) -> list[str]:
    """The stack from the handler down, without the frames of this file."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return traceback.format_list([frame for frame in frames if not frame.filename.startswith("<frozen")])


def answer(function: Callable[[Any, LambdaContext], Any], event: dict[str, Any]) -> dict[str, Any]:
    """One invocation: the handler's result as JSON text, or the report of its error."""
    LogRecords.request_id = event["request_id"]
    context = LambdaContext(event["request_id"], event["arn"], event["deadline"])
    try:
        result = function(json.loads(event["payload"]), context)
    except Exception as error:
        return failure(type(error).__name__, str(error), event["request_id"], trace_of(error))
    try:
        return {"ok": True, "payload": json.dumps(result)}
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return failure("Runtime.MarshalError", message, event["request_id"], [])


def failure(kind: str, message: str, request_id: str, trace: list[str]) -> dict[str, Any]:
    """The report of an error, which is also written to the log as AWS writes it."""
    heading = "Traceback (most recent call last):\n" if trace else ""
    print(f"[ERROR] {kind}: {message}\n{heading}{''.join(trace)}".rstrip(), flush=True)
    report = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}
    return {"ok": False, "payload": json.dumps(report)}


def say(answers: TextIO, message: dict[str, Any]) -> None:
    sys.stdout.flush()
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def main(log: str, libraries: str) -> int:
    """Load the handler, say so, then answer events until standard input closes."""
    events, answers = take_streams(Path(log))
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], libraries]
    start_logging()
    try:
        function = load_handler(os.environ["_HANDLER"])
    except InitialisationFailed as problem:
        print(f"[ERROR] {problem.report['errorType']}: {problem}", flush=True)
        say(answers, {"ok": False, "payload": json.dumps(problem.report)})
        return 1
    say(answers, {"ok": True, "payload": ""})
    for line in events:
        say(answers, answer(function, json.loads(line)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))

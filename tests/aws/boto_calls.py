"""Every boto3 call in the source, found in its syntax tree: service, operation, and what is said of its parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/pilotlight"
DOORS = ("call", "pages")
"""Who calls there says everything; a helper in front of a door may add parameters of its own."""
JOURNAL = "runtime/store/table.py"
"""Its helper calls one service."""
NAMED_FOR = {"lb": "elbv2", "dynamo": "dynamodb", "scaling": "autoscaling", "lambda_": "lambda",
             "schedules": "scheduler", "watch": "cloudwatch", "parameters": "ssm"}  # fmt: skip
"""Names of clients that are not those of their services."""
NOT_OPERATIONS = {"get_paginator", "get_waiter", "can_paginate", "close", "exceptions", "generate_presigned_url"}


@dataclass(frozen=True)
class Call:
    """One call. `whole`: every parameter is spelled out, so that what is required must be among them."""

    where: str
    service: str
    operation: str
    parameters: dict[str, ast.expr]
    whole: bool


def calls(services: frozenset[str]) -> Iterator[Call]:
    """All calls outside of the embedded cloud, which answers instead of asking."""
    for path in sorted(SOURCE.rglob("*.py")):
        if path.is_relative_to(SOURCE / "local"):
            continue
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                yield from _of_function(function, f"{path.relative_to(SOURCE)}", services)


def _of_function(function: ast.FunctionDef, where: str, services: frozenset[str]) -> Iterator[Call]:
    clients = _clients(function, services)
    for node in _own(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = f"{where}:{node.lineno}"
            if len(node.args) >= 2 and _text(node.args[0]) in services and _text(node.args[1]).isidentifier():
                yield _call(named, _text(node.args[0]), _text(node.args[1]), node, node.func.attr in DOORS)
            elif where == JOURNAL and node.func.attr == "_call":
                yield _call(named, "dynamodb", _text(node.args[0]), node, False)
            elif (service := _service(node.func.value, clients, services)) and node.func.attr not in NOT_OPERATIONS:
                yield _call(named, service, node.func.attr, node)
            elif node.func.attr == "paginate":
                yield from _paginated(named, node, clients, services)


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What is inside of it, functions within it left out: those are walked by themselves."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.FunctionDef)]


def _paginated(where: str, node: ast.Call, clients: dict[str, str], services: frozenset[str]) -> Iterator[Call]:
    paginator = node.func.value if isinstance(node.func, ast.Attribute) else node
    if isinstance(paginator, ast.Call) and isinstance(paginator.func, ast.Attribute):
        service = _service(paginator.func.value, clients, services)
        if service and paginator.func.attr == "get_paginator":
            yield _call(where, service, _text(paginator.args[0]), node)


def _clients(function: ast.FunctionDef, services: frozenset[str]) -> dict[str, str]:
    """Variable -> service, of every client that the function makes or is given."""
    found = {each.arg: NAMED_FOR.get(each.arg, each.arg) for each in function.args.args}
    found = {name: service for name, service in found.items() if service in services}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target, value in _pairs(node.targets[0], node.value):
                if isinstance(target, ast.Name) and _is_client(value) and isinstance(value, ast.Call):
                    found[target.id] = _text(value.args[0])
    return found


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def _is_client(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and bool(value.args)
        and (
            (isinstance(value.func, ast.Name) and value.func.id == "client")
            or (isinstance(value.func, ast.Attribute) and value.func.attr == "client")
        )
        and bool(_text(value.args[0]))
    )


def _service(value: ast.expr, clients: dict[str, str], services: frozenset[str]) -> str:
    if isinstance(value, ast.Name):
        return clients.get(value.id, "")
    if _is_client(value) and isinstance(value, ast.Call):
        return _text(value.args[0])
    return ""


def _call(where: str, service: str, operation: str, node: ast.Call, whole: bool = True) -> Call:
    named = {each.arg: each.value for each in node.keywords if each.arg}
    return Call(where, service, operation, named, whole and all(each.arg for each in node.keywords))


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

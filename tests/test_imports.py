"""A module that needs itself to be imported cannot be read alone, and comes up or not by who was first."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pilotlight

SOURCE = Path(pilotlight.__file__).parent.parent


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def runtime_imports(tree: ast.AST) -> list[ast.ImportFrom | ast.Import]:
    """Those of functions too; what stands under TYPE_CHECKING is for the reader of types alone."""
    found: list[ast.ImportFrom | ast.Import] = []
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.ImportFrom | ast.Import):
            found.append(child)
        found += runtime_imports(child)
    return found


def imported(each: ast.ImportFrom | ast.Import, modules: set[str]) -> set[str]:
    names = {alias.name for alias in each.names}
    if isinstance(each, ast.ImportFrom):
        submodules = {f"{each.module}.{name}" for name in names} & modules
        return submodules | ({str(each.module)} if len(submodules) < len(names) else set())
    return names


def test_no_module_needs_itself_on_a_way_round_imports_in_functions_too() -> None:
    sources = {name_of(path): path for path in (SOURCE / "pilotlight").rglob("*.py")}
    assert len(sources) > 300
    graph = {
        name: {
            other
            for each in runtime_imports(ast.parse(path.read_text()))
            for other in imported(each, set(sources)) & set(sources)
            if other != name
        }
        for name, path in sources.items()
    }
    assert sum(map(len, graph.values())) > 1000
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        raise AssertionError(" -> ".join(circle.args[1])) from None

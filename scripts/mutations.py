"""What may be changed in a source file to see whether a test notices: one small change a mutant, found by its content.

Pure: text in, mutants out. A mutant replaces one piece of the text; what is no behaviour (docstrings, annotations,
words of messages and errors, `__repr__`, the values of named limits) is left alone. Positions inside f-strings are not
reliable before Python 3.12, and what stands there is a message: those are left alone, too.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

SWAPS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}
EMPTY = {"bool": ("True", "False"), "str": ('""',), "int": ("0",), "float": ("0.0",),
         "list": ("[]",), "set": ("set()",),
         "tuple": ("()",), "dict": ("{}",), "frozenset": ("frozenset()",), "None": ()}  # fmt: skip
"""What a function of this annotation returns when it says nothing; None for every other."""
SILENT = ("__repr__", "__str__")


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes from `start` to `end` of the file become `replacement`."""

    file: str
    line: int
    function: str
    statement: str
    """The line of the source in which it begins: with it, `original` and `replacement` a mutant is found again."""
    original: str
    replacement: str
    start: int
    end: int
    last: int
    """The line in which what is replaced ends."""
    operator: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """The same mutant of an edited file has the same key."""
        return self.file, self.function, self.statement, self.original, self.replacement

    def of(self, source: str) -> str:
        """The source with the change in it."""
        text = source.encode()
        return (text[: self.start] + self.replacement.encode() + text[self.end :]).decode()


def mutants(file: str, source: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its text. Whether one is sound is asked of those that are wanted."""
    finder = _Finder(file, source)
    finder.visit(ast.parse(source))
    found = {(*each.key, each.start): each for each in finder.found}
    return sorted(found.values(), key=lambda one: (one.start, one.end))


def is_sound(mutant: Mutant, source: str) -> bool:
    """Whether it compiles and is another program than the source."""
    try:
        return ast.dump(ast.parse(mutant.of(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def placed(file: str, source: str, original: str, replacement: str, function: str = "", operator: str = "") -> Mutant:
    """A mutant by its text, which the file has exactly once; ValueError otherwise."""
    if source.count(original) != 1:
        raise ValueError(f"{file} has {source.count(original)} times, not once: {original!r}")
    start = len(source[: source.index(original)].encode())
    line, lines = source[: source.index(original)].count("\n") + 1, source.splitlines()
    last, statement = line + original.count("\n"), lines[line - 1].strip()
    end = start + len(original.encode())
    return Mutant(file, line, function, statement, original, replacement, start, end, last, operator)


class _Finder(ast.NodeVisitor):
    """Walks a file and keeps each change it may make."""

    def __init__(self, file: str, source: str) -> None:
        self.file, self.bytes, self.lines = file, source.encode(), source.splitlines()
        starts = [0]
        for each in self.bytes.split(b"\n"):
            starts.append(starts[-1] + len(each) + 1)
        self.starts = starts
        self.found: list[Mutant] = []
        self.scope: list[str] = []
        self.returns: list[str] = []

    def add(self, operator: str, first: ast.AST, replacement: str, last: ast.AST | None = None) -> None:
        """A change of the text from one node to the end of another, or of the same."""
        end_node = last or first
        start = self.starts[first.lineno - 1] + first.col_offset  # type: ignore[attr-defined]
        end = self.starts[end_node.end_lineno - 1] + end_node.end_col_offset  # type: ignore[attr-defined]
        line, until = first.lineno, end_node.end_lineno  # type: ignore[attr-defined]
        original, statement = self.bytes[start:end].decode(), self.lines[line - 1].strip()
        name = ".".join(self.scope)
        self.found.append(Mutant(self.file, line, name, statement, original, replacement, start, end, until, operator))

    def expression(self, operator: str, node: ast.expr, changed: ast.expr) -> None:
        """In parentheses, so that it binds in its new place as it did."""
        self.add(operator, node, f"({ast.unparse(changed)})")

    def condition(self, test: ast.expr, values: tuple[str, ...] = ("True", "False")) -> None:
        """What decides, decided beforehand."""
        for value in values:
            self.add("condition", test, value)

    # -- where no behaviour is ---------------------------------------------------------------------------------

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Messages."""

    def visit_arg(self, node: ast.arg) -> None:
        """Annotations."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The value without its annotation."""
        if isinstance(node.target, ast.Attribute) and node.value:
            self.add("statement", node, "pass")
        if node.value:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Its body, under its name."""
        self._inside(node.name, node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Its body and defaults; no decorators, no annotations."""
        if node.name in SILENT:
            return
        for default in [*node.args.defaults, *(each for each in node.args.kw_defaults if each)]:
            self.visit(default)
        self.returns.append(ast.unparse(node.returns) if node.returns else "")
        self._inside(node.name, node.body)
        self.returns.pop()

    def _inside(self, name: str, body: list[ast.stmt]) -> None:
        self.scope.append(name)
        for each in body:
            self.visit(each)
        self.scope.pop()

    # -- statements --------------------------------------------------------------------------------------------

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call that stands alone is left out."""
        if isinstance(node.value, ast.Call):
            self.add("statement", node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        """An error that is not raised; what it says is a message."""
        self.add("statement", node, "pass")

    def visit_Assign(self, node: ast.Assign) -> None:
        """What is not kept in an object."""
        if isinstance(node.targets[0], ast.Attribute | ast.Subscript):
            self.add("statement", node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """What is not counted or added."""
        self.add("statement", node, "pass")
        self.visit(node.value)

    def visit_Continue(self, node: ast.Continue) -> None:
        """Going on below instead."""
        self.add("statement", node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        """Going round again instead."""
        self.add("statement", node, "continue")

    def visit_Return(self, node: ast.Return) -> None:
        """Nothing, or a constant of the kind that is promised."""
        if node.value is None:
            self.add("return", node, "pass")
            return
        annotation = self.returns[-1] if self.returns else ""
        for empty in EMPTY.get(annotation.partition("[")[0], ("None",)):
            self.add("return", node, f"return {empty}")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        """Always, or never."""
        self.condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Always the one, or always the other."""
        self.condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """Not even once."""
        self.condition(node.test, ("False",))
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """All of them."""
        for test in node.ifs:
            self.condition(test, ("True",))
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """An error that is swallowed, or one that was handled and is raised."""
        first, last = node.body[0], node.body[-1]
        self.add("except", first, "pass", last)
        self.add("except", first, "raise", last)
        for each in node.body:
            self.visit(each)

    # -- expressions -------------------------------------------------------------------------------------------

    def visit_Compare(self, node: ast.Compare) -> None:
        """Each operator by its neighbour and by its opposite."""
        for index, operator in enumerate(node.ops):
            for other in SWAPS[type(operator)]:
                changed = copy.deepcopy(node)
                changed.ops[index] = other()
                self.expression("comparison", node, changed)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """`and` for `or`, and each part left out."""
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self.expression("connective", node, ast.BoolOp(other, node.values))
        for index in range(len(node.values)):
            left = [*node.values[:index], *node.values[index + 1 :]]
            self.expression("part of a condition", node, left[0] if len(left) == 1 else ast.BoolOp(node.op, left))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """A `not` that is forgotten."""
        if isinstance(node.op, ast.Not):
            self.expression("not", node, node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Sums for differences."""
        if isinstance(node.op, ast.Add | ast.Sub) and not _words(node):
            other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            self.expression("arithmetic", node, ast.BinOp(node.left, other, node.right))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """`any` for `all`, `min` for `max`."""
        if isinstance(node.func, ast.Name) and node.func.id in NAMES:
            self.add("function", node.func, NAMES[node.func.id])
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        """An end that is forgotten; numbers are shifted below."""
        lower, upper = (ast.unparse(each) if each else "" for each in (node.lower, node.upper))
        if node.step is None and lower and lower != "0":
            self.add("slice", node, f":{upper}")
        if node.step is None and upper:
            self.add("slice", node, f"{lower}:")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Flags turned, numbers of functions shifted by one: limits that have a name are choices, not behaviour."""
        if isinstance(node.value, bool):
            self.add("flag", node, str(not node.value))
        elif isinstance(node.value, int | float) and self.returns:
            self.add("number", node, repr(node.value + 1))
            self.add("number", node, f"({node.value - 1!r})")


def _words(node: ast.BinOp) -> bool:
    """Whether this puts text or sequences together, where a difference is an error at once and tells nothing."""
    kinds = ast.JoinedStr | ast.List | ast.Tuple | ast.ListComp
    return any(
        isinstance(each, kinds) or (isinstance(each, ast.Constant) and isinstance(each.value, str | bytes))
        for each in _leaves(node)
    )


def _leaves(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp):
        yield from _leaves(node.left)
        yield from _leaves(node.right)
    else:
        yield node

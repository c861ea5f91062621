"""Statements and expressions of the parser's tree (as JSON: one-key dictionaries of node type to children)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ketune.mechanisms import _syntax as s

Children = list[Any]

# nodes that are refused wherever they occur: AST type -> (keyword to find its line, why)
_FOREIGN = "it is foreign code, which has no derivative"
_LOOP = "blocks outside the simulation loop are not translated"
UNSUPPORTED = {
    "Verbatim": ("VERBATIM", _FOREIGN),
    "PointerVar": ("POINTER", "values behind pointers cannot be followed"),
    "BbcorePointerVar": ("BBCOREPOINTER", "values behind pointers cannot be followed"),
    "LinearBlock": ("LINEAR", "systems of linear equations are not translated"),
    "NonLinearBlock": ("NONLINEAR", "systems of nonlinear equations are not translated"),
    "DiscreteBlock": ("DISCRETE", "discrete updates are not translated"),
    "WhileStatement": ("WHILE", "how often it runs depends on the data; FROM loops are translated"),
    "WatchStatement": ("WATCH", "events at a threshold are not translated"),
    "ForNetcon": ("FOR_NETCONS", "loops over connections are not translated"),
    "BeforeBlock": ("BEFORE", _LOOP),
    "AfterBlock": ("AFTER", _LOOP),
    "ConstructorBlock": ("CONSTRUCTOR", _LOOP),
    "DestructorBlock": ("DESTRUCTOR", _LOOP),
    "TerminalBlock": ("TERMINAL", _LOOP),
    "RandomVar": ("RANDOM", "random numbers in the dynamics are not translated"),
    "Include": ("INCLUDE", "included files are not translated; paste the text"),
    "LagStatement": ("LAG", "delayed values are not translated"),
    "LonDiffuse": ("LONGITUDINAL_DIFFUSION", "diffusion between compartments is not translated"),
    "ExternVar": ("EXTERNAL", "variables of other mechanisms are not translated"),
}
_NUMBERS = ("Double", "Integer", "Float")
IGNORED = {"Model", "LineComment", "BlockComment", "IndependentBlock", "UnitState"}


@dataclass(frozen=True)
class _Initial:
    """The INITIAL block of a NET_RECEIVE, on its way through the statements there."""

    body: s.Body


class StatementReader:
    """Reads the blocks of one file; constructs that it meets are noted, in the order of the file."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.constructs: list[str] = []
        self.problems: list[s.Problem] = []
        self.defines: dict[str, int] = {}
        self.conductances: dict[str, str | None] = {}
        self.tabled = False
        self.called: set[str] = set()
        code = s.blank_comments(text)
        self._steady = set(re.findall(r"\bSOLVE\s+(\w+)\s+STEADYSTATE\b", code))

    def refuse(self, construct: str, message: str, pattern: str | None = None) -> None:
        """Remember a construct that is not translated, at every place where `pattern` finds it."""
        lines: list[int | None] = [*s.find_lines(self.text, pattern or rf"\b{re.escape(construct)}\b")]
        for line in lines or [None]:
            problem = s.Problem(line, construct, message)
            if problem not in self.problems:
                self.problems.append(problem)

    def note(self, construct: str) -> None:
        if construct not in self.constructs:
            self.constructs.append(construct)

    def routine(self, children: Children) -> s.Routine:
        """A FUNCTION, PROCEDURE or NET_RECEIVE."""
        arguments = tuple(text(parts[0]) for kind, parts in map(split, children) if kind == "Argument")
        body: tuple[Any, ...] = self._statements(children)
        initial = next((x for x in body if isinstance(x, _Initial)), None)
        rest = tuple(x for x in body if not isinstance(x, _Initial))
        return s.Routine(arguments, rest, None if initial is None else initial.body)

    def statements(self, children: Children) -> s.Body:
        """The statements of the StatementBlock among the children."""
        return tuple(x for x in self._statements(children) if not isinstance(x, _Initial))

    def _statements(self, children: Children) -> tuple[s.Statement | _Initial, ...]:
        statements: list[s.Statement | _Initial] = []
        for kind, parts in map(split, body(children)):
            if kind in IGNORED or kind == "name":  # MUTEXLOCK: nothing runs at the same time here
                continue
            if kind == "ProtectStatement":
                kind, parts = "ExpressionStatement", [{"BinaryExpression": parts[0]["BinaryExpression"]}]
            if kind == "LocalListStatement":
                self.note("LOCAL")
                statements.append(s.Local(tuple(self._locals(parts))))
            elif kind == "IfStatement":
                self.note("IF")
                statements.append(self._if(parts))
            elif kind == "FromStatement":
                self.note("FROM")
                low, high = (self.expression(part) for part in parts[1:3])
                if len(parts) > 4:
                    self.refuse("BY", "FROM loops run in steps of 1 only")
                statements.append(s.From(text(parts[0]), low, high, self.statements(parts[3:])))
            elif kind == "TableStatement":
                self.note("TABLE")
                self.tabled = True
            elif kind == "ConductanceHint":
                self.note("CONDUCTANCE")
                self.conductances[text(parts[0])] = text(parts[1]) if len(parts) > 1 else None
            elif kind == "ReactionStatement":
                statements.append(self._reaction(parts))
            elif kind == "Compartment":
                statements.append(self._compartment(parts))
            elif kind == "Conserve":
                self.note("CONSERVE")
                statements.append(s.Conserve(self._terms(parts[0]), self.expression(parts[1])))
            elif kind == "ExpressionStatement":
                found = self._simple(parts[0])
                if found is not None:
                    statements.append(found)
            elif kind not in UNSUPPORTED:
                self.refuse(kind, "this statement is not translated")
        return tuple(statements)

    def _locals(self, parts: Children) -> list[str]:
        names = []
        for part in parts:
            ((_, inner),) = part.items()
            kind, children = split(inner[0]) if isinstance(inner, list) else ("Name", [part])
            if kind == "IndexedName":
                size = self.whole_number(children[1])
                self.array_size(text(children[0]), size)
            names.append(text(part))
        return names

    def array_size(self, name: str, size: int) -> None:
        """Declares an array; :class:`_parse._Reader` keeps it."""
        raise NotImplementedError

    def _simple(self, node: dict[str, Any]) -> s.Statement | _Initial | None:
        kind, parts = split(node)
        if kind == "WrappedExpression":
            return self._simple(parts[0])
        if kind == "DiffEqExpression":
            _, (left, _, right) = split(parts[0])
            name, index = self._target(left)
            return s.DiffEq(name, self.expression(right), index)
        if kind == "SolveBlock":
            names = [text(part) for part in parts if "Name" in part]
            method = names[1] if len(names) > 1 else ""
            steady = names[0] in self._steady
            self.note(f"SOLVE {'STEADYSTATE' if steady else 'METHOD'} {method}".strip())
            return s.Solve(names[0], method)
        if kind == "FunctionCall":
            call = self.expression(node)
            assert isinstance(call, s.Call)
            return s.CallStatement(call)
        if kind == "BinaryExpression" and text(parts[1]) == "=":
            name, index = self._target(parts[0])
            return s.Assign(name, self.expression(parts[2]), index)
        if kind == "InitialBlock":  # inside NET_RECEIVE
            self.note("INITIAL in NET_RECEIVE")
            return _Initial(self.statements(parts))
        if kind not in UNSUPPORTED:  # those are named once, by their keyword
            self.refuse(kind, "this statement is not translated")
        return None

    def _target(self, node: dict[str, Any]) -> tuple[str, s.Expr | None]:
        """Name and index of what a statement sets."""
        _, parts = split(node)
        if len(parts) > 1:
            self.refuse("@", "values at another time are not translated", "@")
        kind, inner = split(parts[0])
        if kind == "IndexedName":
            return text(inner[0]), self.expression(inner[1])
        return text(inner[0]) if isinstance(inner, list) else text(parts[0]), None

    def _if(self, parts: Children) -> s.If:
        test, then = self.expression(parts[0]), self.statements(parts[1:2])
        rest = parts[2:]
        otherwise: s.Body = ()
        if rest:
            kind, inner = split(rest[0])
            chained = kind == "ElseIfStatement"
            otherwise = (self._if([*inner, *rest[1:]]),) if chained else self.statements(inner)
        return s.If(test, then, otherwise)

    def _reaction(self, parts: Children) -> s.Reaction:
        at, op = next((i, text(p)) for i, p in enumerate(parts) if "ReactionOperator" in p)
        self.note(f"reaction {op}")
        left = self._terms(parts[0])
        after = parts[at + 1 :]
        if op == "<->":
            right, forward, backward = self._terms(after[0]), after[1], after[2]
            return s.Reaction(op, left, right, self.expression(forward), self.expression(backward))
        products = self._terms(after[0]) if len(after) > 1 else ()
        return s.Reaction(op, left, products, self.expression(after[-1]), None)

    def _terms(self, node: dict[str, Any]) -> s.Terms:
        kind, parts = split(node)
        if kind == "BinaryExpression":
            return self._terms(parts[0]) + self._terms(parts[2])
        if kind in ("WrappedExpression", "ParenExpression"):
            return self._terms(parts[0])
        if kind == "ReactVarName":
            coefficient = self.whole_number(parts[0]) if len(parts) > 1 else 1
            return ((coefficient, self.expression(parts[-1])),)
        return ((1, self.expression(node)),)

    def _compartment(self, parts: Children) -> s.Compartment:
        self.note("COMPARTMENT")
        leading = []  # an index variable comes before the volume
        rest = list(parts)
        while split(rest[0])[0] == "Name" and any(split(p)[0] != "Name" for p in rest[1:]):
            leading.append(text(rest.pop(0)))
        volume, states = self.expression(rest[0]), tuple(text(p) for p in rest[1:])
        return s.Compartment(leading[0] if leading else None, volume, states)

    def whole_number(self, node: dict[str, Any]) -> int:
        """A whole number, or the name that DEFINE gives to one."""
        shown = text(node)
        return self.defines[shown] if shown in self.defines else int(float(shown))

    def expression(self, node: dict[str, Any]) -> s.Expr:
        kind, parts = split(node)
        if kind in ("WrappedExpression", "ParenExpression", "DoubleUnit"):
            return self.expression(parts[0])
        if kind in _NUMBERS:
            shown = text(node)
            if shown in self.defines:
                return s.Num(float(self.defines[shown]), str(self.defines[shown]))
            return s.Num(float(shown), shown)
        if kind == "VarName":
            if len(parts) > 1:
                self.refuse("@", "values at another time are not translated", "@")
            return self.expression(parts[0])
        if kind == "IndexedName":
            return s.Index(text(parts[0]), self.expression(parts[1]))
        if kind in ("Name", "PrimeName"):
            name = text(node)
            if name in self.defines:
                return s.Num(float(self.defines[name]), str(self.defines[name]))
            return s.Var(name)
        if kind == "UnaryExpression":
            operand = self.expression(parts[1])
            return s.Neg(operand) if text(parts[0]) == "-" else s.Not(operand)
        if kind == "BinaryExpression":
            return s.Bin(text(parts[1]), self.expression(parts[0]), self.expression(parts[2]))
        if kind == "FunctionCall":
            self.called.add(text(parts[0]))
            return s.Call(text(parts[0]), tuple(self.expression(part) for part in parts[1:]))
        if kind == "String":  # what printf prints
            return s.Num(0.0, "0")
        self.refuse(kind, "this expression is not translated")
        return s.Num(0.0, "0")


def split(node: dict[str, Any]) -> tuple[str, Children]:
    """A node's type and children."""
    ((kind, children),) = node.items()
    return kind, children


def body(children: Children) -> Children:
    """The contents of the StatementBlock among the children."""
    for kind, parts in map(split, children):
        if kind == "StatementBlock":
            return parts
    return []


def text(node: dict[str, Any]) -> str:
    """The text of a leaf: a name, a number, a unit, an operator."""
    kind, children = split(node)
    while kind != "name":
        kind, children = split(children[0])
    return str(children)

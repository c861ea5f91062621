"""What is not translated is named: file, line, construct."""

from __future__ import annotations

from pathlib import Path

import pytest
from mechanism_text import DENSITY, Translate

from ketune import mechanisms
from ketune.errors import InputError

SYNAPSE = """NEURON { POINT_PROCESS probe NONSPECIFIC_CURRENT i }
ASSIGNED { v i }
STATE { A }
PARAMETER { tau = 3 }
BREAKPOINT { SOLVE d METHOD cnexp i = A*v }
DERIVATIVE d { A' = -A/tau }
"""
CHANNEL = DENSITY + "STATE { x }\nBREAKPOINT { SOLVE d METHOD cnexp i = x }\n"


@pytest.mark.parametrize(
    ("head", "text", "line", "construct"),
    [
        # blocks and statements
        (DENSITY, "BREAKPOINT { i = v }\nVERBATIM\nreturn;\nENDVERBATIM", 4, "VERBATIM"),
        ("", "NEURON { SUFFIX a\n POINTER other }\nBREAKPOINT { }", 2, "POINTER"),
        ("", "NEURON { SUFFIX a\n BBCOREPOINTER r }", 2, "BBCOREPOINTER"),
        (CHANNEL, "KINETIC d { ~ x <-> x (1, 1) }", 5, "KINETIC"),
        (CHANNEL, "LINEAR d { ~ x = 1 }", 5, "LINEAR"),
        (DENSITY, "BREAKPOINT { f() i = v }\nPROCEDURE f() {\n TABLE i FROM 0 TO 1 WITH 2\n i = 1 }", 5, "TABLE"),
        (DENSITY, "FUNCTION_TABLE f(v)\nBREAKPOINT { i = f(v) }", 3, "FUNCTION_TABLE"),
        ("", "NEURON { POINT_PROCESS a\n ELECTRODE_CURRENT i }\nASSIGNED { i }", 2, "ELECTRODE_CURRENT"),
        (DENSITY, "BREAKPOINT { i = 0\n WHILE (i < 3) { i = i + 1 } }", 4, "WHILE"),
        (DENSITY, "BREAKPOINT { i = 0\n FROM k=0 TO 3 { i = i + k } }", 4, "FROM"),
        (DENSITY, "ASSIGNED {\n x[3] }\nBREAKPOINT { i = x[0] }", 4, "array"),
        (DENSITY, "BREAKPOINT { i = v }\nCONSTRUCTOR { i = 0 }", 4, "CONSTRUCTOR"),
        ("", "NEURON { ARTIFICIAL_CELL a }", 1, "ARTIFICIAL_CELL"),
        ("", ": nothing here", None, "NEURON"),
        # ions
        ("", "NEURON { SUFFIX a\n USEION ca READ ica }", 2, "USEION ca READ ica"),
        ("", "NEURON { SUFFIX a USEION k READ ek\n USEION ca WRITE cai }", 2, "USEION ca WRITE cai"),
        # equations
        (CHANNEL, "DERIVATIVE d {\n x' = -x*x }", 6, "x'"),
        (CHANNEL, "DERIVATIVE d {\n x' = exp(x) }", 6, "x'"),
        (CHANNEL, "DERIVATIVE d {\n x' = 1/x }", 6, "x'"),
        (CHANNEL, "DERIVATIVE d {\n w' = 1 }", 6, "w'"),
        (CHANNEL, "DERIVATIVE d {\n IF (v > 0) { x' = 1 } }", 5, "IF"),
        (DENSITY, "STATE { x } BREAKPOINT { i = x\n SOLVE d METHOD euler }\nDERIVATIVE d { }", 4, "METHOD euler"),
        (DENSITY, "STATE { x }\nBREAKPOINT { SOLVE d i = x }\nDERIVATIVE d { x' = -x }", 4, "SOLVE d without METHOD"),
        (DENSITY, "STATE { x }\nBREAKPOINT { SOLVE d METHOD cnexp i = x }\nPROCEDURE d() { x = 1 }", 4, "SOLVE d"),
        (CHANNEL, "INITIAL {\n SOLVE d STEADYSTATE sparse }\nDERIVATIVE d { x' = -x }", 4, "SOLVE d"),
        # names and functions
        (DENSITY, "BREAKPOINT {\n i = g*v }", 4, "g"),
        (DENSITY, "BREAKPOINT {\n i = v + t }", 4, "t"),
        (DENSITY, "BREAKPOINT {\n i = besselj(v) }", 4, "besselj"),
        (DENSITY, "BREAKPOINT {\n i = v\n f(v, 1) }\nPROCEDURE f(v) { }", 5, "f"),
        (DENSITY, "BREAKPOINT { i = f(v) }\nFUNCTION f(x) { f = f(x - 1) }", 4, "FUNCTION f"),
        (DENSITY, "BREAKPOINT { i = v f() }\nPROCEDURE f() { g() }\nPROCEDURE g() { f() }", 4, "PROCEDURE f"),
        (DENSITY, "ASSIGNED { z }\nBREAKPOINT { i = f(v) }\nFUNCTION f(x) { z = x f = z }", 5, "FUNCTION f"),
        (DENSITY, "BREAKPOINT { }", 1, "i"),
        # memory that pure functions do not have
        (DENSITY, "ASSIGNED { last }\nBREAKPOINT { i = last last = v }", 3, "last"),
        (DENSITY, "ASSIGNED { n }\nINITIAL { n = 0 }\nBREAKPOINT { n = n + 1 i = n }", 3, "n"),
        (CHANNEL.replace("i = x", "i = x a = v"), "ASSIGNED { a }\nDERIVATIVE d { x' = a - x }", 4, "a"),
        (CHANNEL, "PARAMETER { k = 1 }\nDERIVATIVE d { k = k + 1 x' = -k*x }", 5, "k"),
        (DENSITY, "STATE { x }\nBREAKPOINT {\n x = v\n i = x }", 5, "x ="),
        (DENSITY, "INITIAL {\n celsius = 37 }\nBREAKPOINT { i = v }", 4, "celsius ="),
        (DENSITY, "BREAKPOINT {\n v = 3\n i = v }", 4, "v ="),
        (DENSITY, "ASSIGNED { t }\nBREAKPOINT {\n i = v + t }", 3, "t"),
        (DENSITY, "PARAMETER { area }\nBREAKPOINT {\n i = v*area }", 3, "area"),
        (
            "",
            "NEURON { SUFFIX a NONSPECIFIC_CURRENT i RANGE tau\n GLOBAL k } PARAMETER { tau = 2 } ASSIGNED { i k v }\n"
            "INITIAL { k = 1/tau }\nBREAKPOINT { i = k*v }",
            2,
            "k",
        ),
        (
            "",
            "NEURON { SUFFIX a NONSPECIFIC_CURRENT i }\nASSIGNED { i v }\nLOCAL k\nSTATE { x }\n"
            "BREAKPOINT { SOLVE d METHOD cnexp i = k*x }\nDERIVATIVE d { k = v x' = -x }",
            3,
            "k",
        ),
        (DENSITY, "STATE { x START 0.3 }\nBREAKPOINT { i = x }", 3, "START"),
        (DENSITY, "ASSIGNED { g }\nBREAKPOINT {\n CONDUCTANCE g\n g = 2 i = g*v }", 5, "CONDUCTANCE"),
        # events
        (SYNAPSE, "NET_RECEIVE(w) { A = A*2 + w }", 7, "A ="),
        (SYNAPSE, "NET_RECEIVE(w) { A = A + w*w }", 7, "A ="),
        (SYNAPSE, "NET_RECEIVE(w) { A = A + 1 }", 7, "A ="),
        (SYNAPSE, "NET_RECEIVE(w) { A = A + w*(1 - A) }", 7, "A ="),
        (SYNAPSE, "NET_RECEIVE(w) { A = A + w*v }", 7, "A ="),
        (SYNAPSE, "NET_RECEIVE(w, u) { A = A + w*u }", 7, "A ="),
        (SYNAPSE, "NET_RECEIVE(w) { A = A + exp(w) }", 7, "A ="),
        (SYNAPSE, "NET_RECEIVE(w) { A = A + w A = A + w }", 7, "A ="),
        (SYNAPSE, "NET_RECEIVE(w) { IF (w > 0) { A = A + w } }", 7, "IF"),
        (SYNAPSE, "NET_RECEIVE(w, u) { INITIAL { u = 1 } A = A + w }", 7, "INITIAL"),
        (SYNAPSE, "NET_RECEIVE(w) {\n net_send(3, 1) }", 8, "net_send"),
        (SYNAPSE, "NET_RECEIVE(w) {\n WATCH (v > 3) 2 }", 8, "WATCH"),
    ],
)  # fmt: skip
def test_construct_is_named_with_its_line(
    translate: Translate, head: str, text: str, line: int | None, construct: str
) -> None:
    with pytest.raises(mechanisms.TranslationError) as caught:
        translate(text, head)
    (problem,) = caught.value.problems
    assert (problem.line, problem.construct) == (line, construct)
    place = f"probe.mod:{line}: " if line else "probe.mod: "
    assert str(caught.value).startswith(f"{place}{construct}: ")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, InputError)


def test_every_foreign_construct_is_listed_in_order(translate: Translate) -> None:
    with pytest.raises(mechanisms.TranslationError) as caught:
        translate("BREAKPOINT { i = x[1]\n WHILE (v) { i = 2 } }\nVERBATIM\nENDVERBATIM\n")
    assert [(p.line, p.construct) for p in caught.value.problems] == [
        (3, "array"),
        (4, "WHILE"),
        (5, "VERBATIM"),
    ]
    assert str(caught.value).endswith("(and 2 more: WHILE at line 4, VERBATIM at line 5)")


def test_keywords_in_comments_are_not_taken_for_the_construct(translate: Translate) -> None:
    with pytest.raises(mechanisms.TranslationError) as caught:
        translate(
            ": VERBATIM\nCOMMENT\nVERBATIM\nENDCOMMENT\nBREAKPOINT { i = v }\nVERBATIM\nENDVERBATIM\n",
            DENSITY,
        )
    assert caught.value.problems[0].line == 8


def test_syntax_error_shows_line_and_text(translate: Translate) -> None:
    with pytest.raises(
        mechanisms.TranslationError, match=r'^probe\.mod:4: syntax: unexpected = in "i = = 3 \}"$'
    ):
        translate("BREAKPOINT {\n i = = 3 }\n")


def test_unknown_mechanism_lists_the_shipped_ones() -> None:
    with pytest.raises(InputError, match=r"no mechanism 'nax'.*ka, km, kv"):
        mechanisms.load("nax")


def test_missing_or_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such mechanism file"):
        mechanisms.load(tmp_path / "none.mod")
    (tmp_path / "bytes.mod").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot read"):
        mechanisms.load(tmp_path / "bytes.mod")

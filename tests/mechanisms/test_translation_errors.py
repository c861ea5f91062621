"""What is not translated is named: file, line, construct."""

from __future__ import annotations

from pathlib import Path

import pytest
from mechanism_text import DENSITY, Translate
from sampled_inputs import MODS

from ketune import mechanisms
from ketune.errors import InputError

SYNAPSE = """NEURON { POINT_PROCESS probe NONSPECIFIC_CURRENT i }
ASSIGNED { v i }
STATE { A }
PARAMETER { tau = 3 }
BREAKPOINT { SOLVE d METHOD cnexp i = A*v }
DERIVATIVE d { A' = -A/tau }
"""
# file -> the first construct that is named, and how many are; units are not compared, so unitclash is translated
REFUSED_FOR = {
    "afterblk": ("BEFORE", 2),
    "chooser": ("inf", 1),
    "cnexpnl": ("p'", 1),
    "external": ("EXTERNAL", 1),
    "linearblk": ("LINEAR", 1),
    "manykinds": ("POINTER", 5),
    "nometh": ("SOLVE st without METHOD", 1),
    "noisy": ("RANDOM", 3),
    "pointers": ("POINTER", 1),
    "syntax": ("syntax", 1),
    "undeclared": ("shft", 1),
    "verbatim": ("VERBATIM", 2),
    "watcher": ("WATCH", 1),
    "whiledep": ("WHILE", 1),
}
CHANNEL = DENSITY + "STATE { x }\nBREAKPOINT { SOLVE d METHOD cnexp i = x }\n"


@pytest.mark.parametrize(
    ("head", "text", "line", "construct"),
    [
        # blocks and statements
        (DENSITY, "BREAKPOINT { i = v }\nVERBATIM\nreturn;\nENDVERBATIM", 4, "VERBATIM"),
        ("", "NEURON { SUFFIX a\n POINTER other }\nBREAKPOINT { }", 2, "POINTER"),
        ("", "NEURON { SUFFIX a\n BBCOREPOINTER r }", 2, "BBCOREPOINTER"),
        (CHANNEL, "LINEAR d { ~ x = 1 }", 5, "LINEAR"),
        (DENSITY, "BREAKPOINT { i = 0\n WHILE (i < 3) { i = i + 1 } }", 4, "WHILE"),
        (DENSITY, "BREAKPOINT { i = v }\nCONSTRUCTOR { i = 0 }", 4, "CONSTRUCTOR"),
        ("", ": nothing here", None, "NEURON"),
        ("", "NEURON { POINT_PROCESS a\n ELECTRODE_CURRENT i }\nASSIGNED { i }", 2, "i"),
        (DENSITY, "BREAKPOINT { i = v }\nBEFORE STEP { i = 0 }", 4, "BEFORE"),
        (DENSITY, "BREAKPOINT { i = v }\nAFTER SOLVE { i = 0 }", 4, "AFTER"),
        (DENSITY, "BREAKPOINT { i = v }\nDESTRUCTOR { i = 0 }", 4, "DESTRUCTOR"),
        (DENSITY, "BREAKPOINT { i = normrand(0, 1) }", 3, "normrand"),
        (DENSITY, "BREAKPOINT { i = v\n i = scop_random(1) }", 4, "scop_random"),
        # arrays and loops
        (DENSITY, "ASSIGNED { x[3] }\nBREAKPOINT {\n i = x[3] }", 3, "x"),  # where the array is first named
        (DENSITY, "ASSIGNED { x[3] }\nBREAKPOINT {\n i = x[v] }", 3, "x[...]"),
        (DENSITY, "ASSIGNED { x[3] }\nBREAKPOINT { i = v\n x = 1 }", 5, "x"),
        (DENSITY, "ASSIGNED { x }\nBREAKPOINT {\n i = x[0] }", 5, "x"),
        (DENSITY, "ASSIGNED { x[2] x_1 }\nBREAKPOINT { i = x[1] }", 3, "x_1"),
        (DENSITY, "ASSIGNED { n }\nBREAKPOINT { i = 0\n FROM k=0 TO n { i = i + k } }", 5, "FROM"),
        (DENSITY, "BREAKPOINT { i = 0\n FROM k=1 TO 30000 { i = i + k } }", 4, "FROM"),
        # ions
        ("", "NEURON { SUFFIX a\n USEION ca READ cax }", 2, "USEION ca"),
        ("", "NEURON { SUFFIX a USEION k READ ek\n USEION na WRITE ina }\nASSIGNED { ina }", 2, "ina"),
        # equations
        (CHANNEL, "DERIVATIVE d {\n x' = -x*x }", 6, "x'"),
        (CHANNEL, "DERIVATIVE d {\n w' = 1 }", 6, "w'"),
        (CHANNEL, "KINETIC d { ~ x <-> x (1, 1) }", 4, "METHOD cnexp"),
        (CHANNEL.replace("METHOD cnexp", ""), "KINETIC d { ~ x <-> x (1, 1) }", 4, "SOLVE d without METHOD"),
        (CHANNEL.replace("cnexp", "after_cvode"), "DERIVATIVE d { x' = -x }", 4, "METHOD after_cvode"),
        (CHANNEL.replace("cnexp", "runge"), "DERIVATIVE d { x' = t - x }", 4, "METHOD runge"),
        (CHANNEL, "PROCEDURE d() { x = 1 }", 4, "METHOD cnexp"),
        (CHANNEL, "", 4, "SOLVE d"),
        (CHANNEL, "INITIAL {\n SOLVE d STEADYSTATE sparse }\nDERIVATIVE d { x' = -x }", 6, "STEADYSTATE sparse"),
        (CHANNEL, "INITIAL {\n SOLVE d STEADYSTATE cnexp }\nDERIVATIVE d { x' = -x }", 6, "STEADYSTATE cnexp"),
        (DENSITY, "STATE { x }\nBREAKPOINT { i = x\n IF (v > 0) { SOLVE d METHOD cnexp } }\nDERIVATIVE d { x' = -x }",
         5, "SOLVE"),
        (CHANNEL.replace("cnexp", "sparse"), "KINETIC d { }", 5, "KINETIC d"),
        (CHANNEL.replace("cnexp", "sparse"), "ASSIGNED { y }\nKINETIC d { ~ x <-> y (1, 1)\n CONSERVE x + y = 1 }", 7,
         "CONSERVE"),
        # names and functions
        (DENSITY, "BREAKPOINT {\n i = g*v }", 4, "g"),
        (DENSITY, "BREAKPOINT {\n i = besselj(v) }", 4, "besselj"),
        (DENSITY, "BREAKPOINT {\n i = v\n f(v, 1) }\nPROCEDURE f(v) { }", 5, "f"),
        (DENSITY, "BREAKPOINT { i = f(v) }\nFUNCTION f(x) { f = f(x - 1) }", 4, "FUNCTION f"),
        (DENSITY, "BREAKPOINT { i = v f() }\nPROCEDURE f() { g() }\nPROCEDURE g() { f() }", 4, "PROCEDURE f"),
        (DENSITY, "BREAKPOINT { }", 1, "i"),
        # values that are not a mechanism's own
        (DENSITY, "INITIAL {\n celsius = 37 }\nBREAKPOINT { i = v }", 4, "celsius ="),
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
        # events
        (SYNAPSE, "NET_RECEIVE(w) {\n WATCH (v > 3) 2 }", 8, "WATCH"),
        (SYNAPSE.replace("i = A*v", "f() i = A*v"), "NET_RECEIVE(w) { A = A + w }\nPROCEDURE f() {\n net_send(1, 1) }",
         9, "net_send"),
        (SYNAPSE, "NET_RECEIVE(w) {\n FOR_NETCONS(u) { A = A + 1 } }", 8, "FOR_NETCONS"),
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
        translate(
            "VERBATIM\nENDVERBATIM\nBREAKPOINT { i = besselj(v)\n WHILE (v) { i = 2 }\n i = besselj(i) }\n"
            "VERBATIM\nENDVERBATIM\n"
        )
    assert [(p.line, p.construct) for p in caught.value.problems] == [
        (3, "VERBATIM"),
        (5, "besselj"),
        (6, "WHILE"),
        (7, "besselj"),
        (8, "VERBATIM"),
    ]
    assert str(caught.value).endswith(
        "(and 4 more: besselj at line 5, WHILE at line 6, besselj at line 7, VERBATIM at line 8)"
    )


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


def test_missing_or_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such mechanism file"):
        mechanisms.load(tmp_path / "none.mod")
    (tmp_path / "bytes.mod").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes\.mod: this is no text file$"):
        mechanisms.load(tmp_path / "bytes.mod")

    def forbidden(_: Path) -> bytes:
        raise PermissionError("not yours")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(InputError, match=r"bytes\.mod: cannot read this mechanism file \(not yours\)"):
        mechanisms.load(tmp_path / "bytes.mod")


@pytest.mark.parametrize("name", REFUSED_FOR)
def test_files_that_have_to_be_refused(name: str) -> None:
    """None of them turns into equations; each can still be given to NEURON, unless it is no NMODL at all."""
    path = MODS / "refused" / f"{name}.mod"
    with pytest.raises(mechanisms.TranslationError) as caught:
        mechanisms.load(path)
    assert caught.value.problems[0].construct == REFUSED_FOR[name][0]
    assert len(caught.value.problems) == REFUSED_FOR[name][1]
    if name == "syntax":
        with pytest.raises(mechanisms.TranslationError):
            mechanisms.load(path, neuron_only=True)
        return
    m = mechanisms.load(path, neuron_only=True)
    assert set(m.problems) == set(caught.value.problems)
    with pytest.raises(mechanisms.TranslationError):
        m.advance(-70.0, {}, {})
    with pytest.raises(mechanisms.TranslationError):
        m.current(-70.0, {}, {})


def test_function_tables_need_values_of_the_right_form(tmp_path: Path) -> None:
    path = tmp_path / "probe.mod"
    path.write_text(DENSITY + "FUNCTION_TABLE f(v)\nBREAKPOINT { i = f(v) }")
    with pytest.raises(InputError, match=r"FUNCTION_TABLE f has no values"):
        mechanisms.load(path)
    for points in (([1, 2], [1]), ([1], [1]), ([2, 1], [1, 2]), ([1, 1], [1, 2])):
        with pytest.raises(InputError, match=r"at least two rows, the first increasing"):
            mechanisms.load(path, tables={"f": points})
    with pytest.raises(InputError, match=r"there is no FUNCTION_TABLE g"):
        mechanisms.load(path, tables={"f": ([1, 2], [1, 2]), "g": ([1, 2], [1, 2])})
    path.write_text(DENSITY + "FUNCTION_TABLE f(v, u)\nBREAKPOINT { i = f(v, 1) }")
    with pytest.raises(mechanisms.TranslationError, match=r"only tables of one argument"):
        mechanisms.load(path, tables={"f": ([1, 2], [1, 2])})

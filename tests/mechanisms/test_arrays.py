"""Arrays and FROM loops become variables and statements of their own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ketune.mechanisms import TranslationError
from ketune.mechanisms import _syntax as s
from ketune.mechanisms._arrays import element, unroll


def number(x: int) -> s.Num:
    return s.Num(float(x), str(x))


SOURCE = s.Source(
    path=Path("probe.mod"),
    text="ASSIGNED { x[3] }\nSTATE { y[2] }\n",
    name="probe",
    kind="density",
    ranges=frozenset(("x", "g")),
    parameters={"x": s.Parameter("x", 2.5, "mV"), "g": s.Parameter("g", 1.0)},
    states=("y", "z"),
    starts={"y": 0.5},
    assigned=("x", "n"),
    arrays={"x": 3, "y": 2},
)


def unrolled(*body: s.Statement) -> s.Body:
    return unroll(dataclasses.replace(SOURCE, breakpoint=body)).breakpoint


def test_declarations() -> None:
    file = unroll(SOURCE)
    assert file.states == ("y_0", "y_1", "z")
    assert file.assigned == ("x_0", "x_1", "x_2", "n")
    assert file.starts == {"y_0": 0.5, "y_1": 0.5}
    assert file.ranges == {"x_0", "x_1", "x_2", "g"}
    assert file.parameters["x_1"] == s.Parameter("x_1", 2.5, "mV")
    assert set(file.parameters) == {"x_0", "x_1", "x_2", "g"}


def test_nested_loops_and_index_arithmetic() -> None:
    index = s.Bin("-", s.Bin("*", number(2), s.Var("i")), s.Var("j"))
    inner = s.From("j", s.Var("i"), number(2), (s.Assign("x", s.Var("j"), index),))
    found = unrolled(s.From("i", number(1), number(2), (inner,)))
    assert found == (
        s.Assign("x_1", number(1)),
        s.Assign("x_0", number(2)),
        s.Assign("x_2", number(2)),
    )


def test_a_loop_that_never_runs() -> None:
    assert unrolled(s.From("i", number(2), number(1), (s.Assign("n", number(1)),))) == ()


def test_whole_division_as_in_c() -> None:
    value = s.Index("x", s.Bin("/", number(5), number(2)))
    assert unrolled(s.Assign("n", value)) == (s.Assign("n", s.Var("x_2")),)


def test_sums_and_volumes_of_arrays() -> None:
    total = s.Conserve(((1, s.Var("y")), (2, s.Var("z"))), number(1))
    volume = s.Compartment("i", s.Index("x", s.Var("i")), ("y",))
    assert unrolled(total, volume) == (
        s.Conserve(((1, s.Var("y_0")), (1, s.Var("y_1")), (2, s.Var("z"))), number(1)),
        s.Compartment(None, s.Var("x_0"), ("y_0",)),
        s.Compartment(None, s.Var("x_1"), ("y_1",)),
    )


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (s.Assign("x", number(1), number(3)), r"probe\.mod:1: x: x\[3\] lies outside the array of 3"),
        (s.Assign("x", number(1), s.Neg(number(1))), r"x\[-1\] lies outside the array of 3"),
        (s.Assign("y", number(1), number(2)), r"probe\.mod:2: y: y\[2\] lies outside the array of 2"),
        (s.Assign("x", number(1), s.Var("n")), r"x\[\.\.\.\]: needs whole numbers that are known before the run"),
        (s.Assign("x", number(1), s.Num(0.5, "0.5")), r"x\[\.\.\.\]: needs whole numbers"),
        (s.Assign("x", number(1)), r"x: is an array; an element of it has to be named"),
        (s.Assign("n", s.Var("x")), r"x: is an array; an element of it has to be named"),
        (s.Assign("n", s.Index("n", number(0))), r"n: is not an array"),
        (s.From("i", number(0), s.Var("n"), ()), r"FROM: needs whole numbers"),
        (s.From("i", number(1), number(20_001), (s.Assign("n", number(1)),)), r"FROM: unrolled, .* more than 20000"),
    ],
)  # fmt: skip
def test_what_has_no_number(statement: s.Statement, message: str) -> None:
    with pytest.raises(TranslationError, match=message):
        unrolled(statement)


def test_an_elements_name_that_the_file_uses_itself() -> None:
    assert element("x", 2) == "x_2"
    with pytest.raises(TranslationError, match=r"x_2: is also what stands for an element of x\[3\]"):
        unroll(dataclasses.replace(SOURCE, states=("x_2",)))

"""Implicit steps in elementwise operations: Newton's method with the elimination written out.

No linear-algebra call and no loop that depends on the data, so that every engine can run them on whole arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

Value = Any
Matrix = dict[tuple[int, int], Value]
Evaluate = Callable[..., Any]
States = tuple[Value, ...]

# NEURON's own limits (its errcodes.hpp): it stops where the corrections' sum is below this.
_CONVERGED = 1e-6
# It would go on for 21; each doubles the number of right digits.
_ITERATIONS = 8
# NEURON's Jacobian of a scheme leaves out that rates may depend on its states: derivatives are refined once.
_REFINED = 2
_STEADY_STEP_ms = 1e9
_STEADY_TRIALS = 7
_STEADY_ITERATIONS = 22
_NEGATIVE = -1e-6


def backward_euler(rates: Evaluate, states: Sequence[Value], given: Sequence[Value], dt: Value) -> States:
    """States at the end of a step, x = x_old + dt rates(x): NEURON's `derivimplicit`.

    Args:
        rates: (*states, *given) -> the rate of each state.
        states: at the beginning of the step.
        given: everything else that the rates depend on.
        dt: step, ms.
    """
    old = _alike(states, given, dt)
    n = len(old)

    def correction(x: States, *inputs: Value) -> States:
        old, given, dt = inputs[:n], inputs[n:-1], inputs[-1]

        def residual(*x: Value) -> States:
            return tuple(
                jnp.broadcast_to(a - b - dt * r, jnp.shape(a))
                for a, b, r in zip(x, old, rates(*x, *given), strict=True)
            )

        matrix: Matrix = {}
        value = residual(*x)
        for column in range(n):
            along = lambda y, column=column: residual(*x[:column], y, *x[column + 1 :])  # noqa: E731
            _, slopes = jax.jvp(along, (x[column],), (jnp.ones_like(x[column]),))
            matrix |= {(row, column): slope for row, slope in enumerate(slopes)}
        return tuple(solve(matrix, [-r for r in value]))

    def iterate(*inputs: Value) -> States:
        # a loop, because XLA takes minutes to compile the iterations of a large scheme one after the other
        count = _ITERATIONS if n > 1 else _ITERATIONS - 2
        return jax.lax.fori_loop(0, count, lambda _, x: _plus(x, correction(x, *inputs)), inputs[:n])

    return _root(iterate, correction, 1, *_arrays(old, given, dt))


def runge_kutta(rates: Evaluate, states: Sequence[Value], given: Sequence[Value], dt: Value) -> States:
    """States at the end of a step by the classical fourth-order method: NEURON's `runge`. Args as above."""
    old = _alike(states, given, dt)

    def moved(slopes: Sequence[Value], step: Value) -> States:
        return tuple(jnp.broadcast_to(x + step * d, x.shape) for x, d in zip(old, slopes, strict=True))

    first = rates(*old, *given)
    second = rates(*moved(first, dt / 2), *given)
    third = rates(*moved(second, dt / 2), *given)
    fourth = rates(*moved(third, dt), *given)
    mean = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(first, second, third, fourth, strict=True)]
    return moved(mean, dt)


def kinetic_step(
    reactions: Evaluate,
    states: Sequence[Value],
    given: Sequence[Value],
    dt: Value,
    *,
    linear: bool,
    conserved: Mapping[int, Sequence[int]],
) -> States:
    """States of a kinetic scheme at the end of a step: NEURON's `sparse`.

    Args:
        reactions: (*states, *given) -> (each state's rate, their Jacobian by (row, column), the states' volumes (None
            for 1), the conserved totals by row).
        states: at the beginning of the step.
        given: everything else that the rates depend on.
        dt: step, ms.
        linear: no reaction is of a higher order than one: one iteration is exact.
        conserved: row -> coefficient of each state in the conserved sum, which replaces the row's equation.
    """
    old = _alike(states, given, dt)
    if linear:
        return _plus(old, _correction(reactions, old, old, given, dt, conserved))
    n = len(old)

    def correction(x: States, *inputs: Value) -> States:
        return _correction(reactions, x, inputs[:n], inputs[n:-1], inputs[-1], conserved)

    def iterate(*inputs: Value) -> States:
        def body(_: int, carry: tuple[States, Value]) -> tuple[States, Value]:
            x, moving = carry
            return _iteration(x, moving, correction(x, *inputs))

        start = inputs[:n], jnp.ones(jnp.shape(inputs[0]), bool)
        return jax.lax.fori_loop(0, _ITERATIONS, body, start)[0]

    return _root(iterate, correction, _REFINED, *_arrays(old, given, dt))


def kinetic_steady_state(
    reactions: Evaluate,
    states: Sequence[Value],
    given: Sequence[Value],
    *,
    linear: bool,
    conserved: Mapping[int, Sequence[int]],
) -> States:
    """States at rest: NEURON's `STEADYSTATE sparse`, a step of 1e9 ms, in double precision.

    Args as of :func:`kinetic_step`.
    """
    alike = _alike(states, given, 1.0)
    n, shape = len(alike), jnp.shape(alike[0])
    precise = [jnp.asarray(x, jnp.float64) for x in (*alike, *given)]

    def correction(x: States, *inputs: Value) -> States:
        return _correction(reactions, x, inputs[:n], inputs[n:], _STEADY_STEP_ms, conserved)

    def iterate(*inputs: Value) -> States:
        def attempt(_: int, carry: tuple[States, Value]) -> tuple[States, Value]:
            x, settled = carry
            new = _plus(x, correction(x, *inputs))
            low = [a < _NEGATIVE for a in new]
            new = tuple(
                jnp.where(settled, b, jnp.where(c, 0.0, a)) for a, b, c in zip(new, x, low, strict=True)
            )
            return new, settled | ~jnp.any(jnp.stack(low), axis=0)

        def polish(_: int, carry: tuple[States, Value]) -> tuple[States, Value]:
            x, moving = carry
            return _iteration(x, moving, correction(x, *inputs))

        x = inputs[:n]
        if not linear:
            x, _ = jax.lax.fori_loop(0, _STEADY_TRIALS, attempt, (x, jnp.zeros(shape, bool)))
        return jax.lax.fori_loop(0, _STEADY_ITERATIONS, polish, (x, jnp.ones(shape, bool)))[0]

    x = _root(iterate, correction, _REFINED, *precise)
    return tuple(a.astype(alike[0].dtype) for a in x)


def _iteration(x: States, moving: Value, correction: States) -> tuple[States, Value]:
    """As NEURON does: no state below 0, and a scheme stops where its corrections have become small."""
    new = tuple(jnp.where(a < 0, 0.0, a) for a in _plus(x, correction))
    new = tuple(jnp.where(moving, a, b) for a, b in zip(new, x, strict=True))
    change = sum(jnp.abs(d) for d in correction)
    return new, moving & (change > _CONVERGED)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _root(
    iterate: Callable[..., States], correction: Callable[..., States], refinements: int, *inputs: Value
) -> States:
    """A root, whose derivative is that of the root and not of the iterations that lead to it.

    Args:
        iterate: inputs -> the root.
        correction: (x, *inputs) -> what one iteration adds to x.
        refinements: how often the derivative is improved; 1 is exact where the iteration is Newton's with the exact
            Jacobian, because that forgets where it started.
        inputs: arrays.
    """
    return iterate(*inputs)


@_root.defjvp
def _root_derivative(
    iterate: Callable[..., States],
    correction: Callable[..., States],
    refinements: int,
    inputs: tuple[Value, ...],
    tangents: tuple[Value, ...],
) -> tuple[States, States]:
    x = _root(iterate, correction, refinements, *inputs)
    slope: States = tuple(jnp.zeros_like(a) for a in x)
    for _ in range(refinements):
        _, change = jax.jvp(correction, (x, *inputs), (slope, *tangents))
        slope = _plus(slope, change)
    return x, slope


def _arrays(old: States, given: Sequence[Value], dt: Value) -> list[Value]:
    dtype = old[0].dtype
    return [*old, *(jnp.asarray(x, None if hasattr(x, "dtype") else dtype) for x in (*given, dt))]


def _plus(x: States, step: States) -> States:
    return tuple(jnp.broadcast_to(a + d, jnp.shape(a)) for a, d in zip(x, step, strict=True))


def _alike(states: Sequence[Value], given: Sequence[Value], dt: Value) -> States:
    """The states as arrays of one shape, the one of everything together."""
    arrays = [jnp.asarray(x) for x in (*states, *given, dt)]
    shape = jnp.broadcast_shapes(*(a.shape for a in arrays))
    floating = [x for x in (*states, *given) if hasattr(x, "dtype")]
    dtype = jnp.result_type(*floating) if floating else jnp.result_type(float)
    return tuple(jnp.broadcast_to(a.astype(dtype), shape) for a in arrays[: len(states)])


def _correction(
    reactions: Evaluate,
    x: States,
    old: States,
    given: Sequence[Value],
    dt: Value,
    conserved: Mapping[int, Sequence[int]],
) -> States:
    """What one iteration of Newton's method adds."""
    rates, jacobian, volumes, totals = reactions(*x, *given)
    n = len(x)
    sizes = [1.0 if volume is None else volume for volume in volumes]
    matrix: Matrix = {entry: -value for entry, value in jacobian.items() if entry[0] not in conserved}
    right: list[Value] = [0.0] * n
    for row in range(n):
        if row in conserved:
            coefficients = conserved[row]
            held = [k for k in range(n) if coefficients[k]]
            matrix |= {(row, k): coefficients[k] * sizes[k] * jnp.ones_like(x[k]) for k in held}
            right[row] = totals[row] - sum(coefficients[k] * sizes[k] * x[k] for k in held)
        else:
            matrix[row, row] = matrix.get((row, row), 0.0) + sizes[row] / dt
            right[row] = rates[row] - sizes[row] * (x[row] - old[row]) / dt
    return tuple(solve(matrix, right, last=set(conserved)))


def solve(matrix: Matrix, right: Sequence[Value], last: Set[int] = frozenset()) -> list[Value]:
    """The solution of matrix x = right by elimination without pivoting; entries that are missing are 0.

    Backward Euler's matrix has 1/dt on its diagonal and columns that sum to that or more, so its rows may be
    eliminated in any order: those first that couple least. The rows in `last`, of conserved sums, come last.
    """
    matrix, right = dict(matrix), list(right)
    pending = list(range(len(right)))
    done: list[int] = []
    while pending:
        free = [k for k in pending if k not in last] or pending
        pivot = min(free, key=lambda k: _fill(matrix, k, pending))
        pending.remove(pivot)
        done.append(pivot)
        inverse = 1.0 / matrix[pivot, pivot]
        columns = [k for k in pending if (pivot, k) in matrix]
        for row in [k for k in pending if (k, pivot) in matrix]:
            factor = matrix.pop((row, pivot)) * inverse
            for column in columns:
                product = factor * matrix[pivot, column]
                matrix[row, column] = matrix[row, column] - product if (row, column) in matrix else -product
            right[row] = right[row] - factor * right[pivot]
        matrix[pivot, pivot] = inverse
    result: dict[int, Value] = {}
    for pivot in reversed(done):
        value = right[pivot]
        for column, x in result.items():
            if (pivot, column) in matrix:
                value = value - matrix[pivot, column] * x
        result[pivot] = value * matrix[pivot, pivot]
    return [result[k] for k in range(len(right))]


def _fill(matrix: Matrix, pivot: int, pending: Sequence[int]) -> tuple[int, int]:
    """How many entries eliminating a row could create; ties go to the lower row."""
    rows = sum((k, pivot) in matrix for k in pending if k != pivot)
    columns = sum((pivot, k) in matrix for k in pending if k != pivot)
    return rows * columns, pivot

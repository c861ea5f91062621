"""Implicit steps against SciPy's dense linear algebra and integrators."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.mechanisms._solve import (
    backward_euler,
    kinetic_steady_state,
    kinetic_step,
    runge_kutta,
    solve,
)

# solve


@settings(max_examples=40)
@given(n=st.integers(1, 8), seed=st.integers(0, 2**32 - 1), density=st.floats(0.1, 1.0))
def test_elimination_agrees_with_lapack(n: int, seed: int, density: float) -> None:
    """Matrices of the kind that backward Euler makes: their columns are dominated by the diagonal."""
    rng = np.random.default_rng(seed)
    matrix = -rng.uniform(0, 1, (n, n)) * (rng.random((n, n)) < density)
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, rng.uniform(0.1, 1, n) - matrix.sum(axis=0))
    right = rng.normal(size=n)
    entries = {(i, j): matrix[i, j] for i in range(n) for j in range(n) if matrix[i, j] or i == j}
    given_entries = dict(entries)
    np.testing.assert_allclose(solve(entries, right), np.linalg.solve(matrix, right), rtol=1e-9, atol=1e-9)
    assert entries == given_entries  # the caller's matrix stays


def test_rows_of_sums_come_last() -> None:
    """Such a row has no 1/dt on its diagonal: taken first, its pivot would be 0."""
    matrix = {(0, 0): 0.0, (0, 1): 1.0, (1, 0): -1.0, (1, 1): 3.0}
    np.testing.assert_allclose(solve(matrix, [2.0, 1.0], last={0}), [5.0, 2.0])


# kinetic schemes: a closed ring of n states with random rates


def ring(*arguments, n: int):
    """Each state goes to the next one and back."""
    x, (forward, backward) = arguments[:n], arguments[n:]
    rates, jacobian = [0.0] * n, {}

    def add(i, j, value) -> None:
        jacobian[i, j] = jacobian.get((i, j), 0.0) + value

    for i in range(n):
        j = (i + 1) % n
        flux = forward * (1 + i) * x[i] - backward * x[j]
        rates[i], rates[j] = rates[i] - flux, rates[j] + flux
        for row, sign in ((i, -1.0), (j, 1.0)):
            add(row, i, sign * forward * (1 + i))
            add(row, j, -sign * backward)
    return tuple(rates), jacobian, (None,) * n, {n - 1: 1.0}


def ring_matrix(n: int, forward: float, backward: float) -> np.ndarray:
    matrix = np.zeros((n, n))
    for i in range(n):
        j = (i + 1) % n
        matrix[i, i] -= forward * (1 + i)
        matrix[j, i] += forward * (1 + i)
        matrix[j, j] -= backward
        matrix[i, j] += backward
    return matrix


START = (0.5, 0.2, 0.2, 0.1)
RING = partial(ring, n=4)
SUM = {3: (1, 1, 1, 1)}


@pytest.mark.parametrize("conserved", [{}, SUM], ids=["free", "conserved"])
@pytest.mark.parametrize("dt", [0.025, 1.0, 100.0])
def test_linear_scheme_is_one_backward_euler_step(conserved, dt: float) -> None:
    found = kinetic_step(RING, START, (0.3, 0.7), dt, linear=True, conserved=conserved)
    expected = np.linalg.solve(np.eye(4) - dt * ring_matrix(4, 0.3, 0.7), START)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_linear_scheme_approaches_the_matrix_exponential() -> None:
    errors = []
    for n in (100, 200):
        x = START
        for _ in range(n):
            x = kinetic_step(RING, x, (0.3, 0.7), 2.0 / n, linear=True, conserved=SUM)
        errors.append(np.max(np.abs(np.array(x) - scipy.linalg.expm(2.0 * ring_matrix(4, 0.3, 0.7)) @ START)))
    assert errors[0] < 5e-3
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.05)  # of first order


def test_a_sum_that_is_not_kept_at_the_start_is_kept_after_a_step() -> None:
    x = kinetic_step(RING, (0.5, 0.2, 0.2, 0.6), (0.3, 0.7), 0.025, linear=True, conserved=SUM)
    assert float(sum(x)) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_linear_steady_state_is_the_null_vector(dtype) -> None:
    """But for what 1e9 ms leave."""
    forward = jnp.asarray([0.3, 2.0, 1e-3], dtype)
    x = kinetic_steady_state(RING, [jnp.zeros(3, dtype)] * 4, (forward, 0.7), linear=True, conserved=SUM)
    assert {a.dtype for a in x} == {np.dtype(dtype)}
    for k, f in enumerate(np.asarray(forward, float)):
        null = scipy.linalg.null_space(ring_matrix(4, f, 0.7))[:, 0]
        np.testing.assert_allclose(
            [a[k] for a in x], null / null.sum(), rtol=1e-6 if dtype == jnp.float32 else 1e-8
        )


# a nonlinear scheme with volumes: 2 a + b <-> c in different volumes


def binding(a, b, c, on, off, total):
    flux = on * a * a * b - off * c
    rates = (-2 * flux, -flux, flux)
    slopes = (2 * on * a * b, on * a * a, -off)
    weights = (-2, -1, 1)
    jacobian = {(i, j): weights[i] * slopes[j] for i in range(3) for j in range(3)}
    return rates, jacobian, (2.0, None, 0.5), {2: total}


BOUND = (0.8, 0.6, 0.1)
BINDING_GIVEN = (3.0, 0.4, 0.65)
B_AND_C = {2: (0, 1, 1)}


def binding_residual(x, dt: float, conserved: bool):
    rates, _, _, totals = binding(*x, *BINDING_GIVEN)
    volumes = np.array([2.0, 1.0, 0.5])
    residual = volumes * (np.array(x) - BOUND) / dt - np.array(rates)
    if conserved:
        residual[2] = x[1] + 0.5 * x[2] - totals[2]
    return residual


@pytest.mark.parametrize("conserved", [False, True])
@pytest.mark.parametrize("dt", [0.025, 0.5, 10.0])
def test_nonlinear_scheme_solves_backward_euler(conserved: bool, dt: float) -> None:
    x = kinetic_step(binding, BOUND, BINDING_GIVEN, dt, linear=False, conserved=B_AND_C if conserved else {})
    root = scipy.optimize.root(lambda x: binding_residual(x, dt, conserved), BOUND, tol=1e-13)
    np.testing.assert_allclose(x, root.x, rtol=1e-9)
    # what is bound came from the others: amounts, not concentrations, are kept
    assert 2 * float(x[0]) + 2 * 0.5 * float(x[2]) == pytest.approx(2 * 0.8 + 0.1, rel=1e-9)


def test_nonlinear_scheme_approaches_the_exact_solution() -> None:
    def slope(_, x):
        return np.array(binding(*x, *BINDING_GIVEN)[0]) / [2.0, 1.0, 0.5]

    exact = scipy.integrate.solve_ivp(slope, (0, 0.4), BOUND, rtol=1e-10, atol=1e-12).y[:, -1]
    errors = []
    for n in (100, 200):
        step = jax.jit(
            lambda x, dt=0.4 / n: kinetic_step(binding, x, BINDING_GIVEN, dt, linear=False, conserved={})
        )
        x = BOUND
        for _ in range(n):
            x = step(x)
        errors.append(np.max(np.abs(np.array(x) - exact)))
    assert errors[0] < 2e-3
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.05)


def test_nonlinear_steady_state_is_at_rest() -> None:
    x = kinetic_steady_state(binding, BOUND, BINDING_GIVEN, linear=False, conserved=B_AND_C)
    a, b, c = map(float, x)
    assert 3.0 * a * a * b == pytest.approx(0.4 * c, rel=1e-8)
    assert b + 0.5 * c == pytest.approx(0.65, rel=1e-12)
    assert min(a, b, c) > 0


# ordinary equations: FitzHugh and Nagumo's


def fitzhugh(v, w, current, tau):
    return v - v**3 / 3 - w + current, (v + 0.7 - 0.8 * w) / tau


@pytest.mark.parametrize("dt", [0.025, 0.5])
def test_backward_euler_solves_its_equation(dt: float) -> None:
    start, given_values = np.array([-1.2, 0.3]), (0.5, 12.5)
    x = backward_euler(fitzhugh, start, given_values, dt)
    root = scipy.optimize.root(
        lambda x: x - start - dt * np.array(fitzhugh(*x, *given_values)), start, tol=1e-14
    )
    np.testing.assert_allclose(x, root.x, rtol=1e-12)


def test_backward_euler_of_one_linear_equation_is_exact() -> None:
    (x,) = backward_euler(lambda x, tau: (-x / tau,), (0.9,), (jnp.asarray([2.0, 5.0]),), 0.3)
    np.testing.assert_allclose(x, 0.9 / (1 + 0.3 / np.array([2.0, 5.0])), rtol=1e-14)


def test_runge_kutta_is_of_fourth_order() -> None:
    exact = scipy.integrate.solve_ivp(
        lambda _, x: fitzhugh(*x, 0.5, 12.5), (0, 2), (-1.2, 0.3), rtol=1e-12, atol=1e-13
    ).y[:, -1]
    errors = []
    for n in (10, 20):
        x = (-1.2, 0.3)
        for _ in range(n):
            x = runge_kutta(fitzhugh, x, (0.5, 12.5), 2 / n)
        errors.append(np.max(np.abs(np.array(x) - exact)))
    assert errors[0] < 1e-4
    assert errors[1] < errors[0] / 12


# derivatives, types, shapes

METHODS = {
    "linear": (partial(kinetic_step, RING, linear=True, conserved=SUM), START, (0.3, 0.7)),
    "nonlinear": (partial(kinetic_step, binding, linear=False, conserved=B_AND_C), BOUND, BINDING_GIVEN),
    "backward_euler": (partial(backward_euler, fitzhugh), (-1.2, 0.3), (0.5, 12.5)),
    "runge_kutta": (partial(runge_kutta, fitzhugh), (-1.2, 0.3), (0.5, 12.5)),
}


@pytest.mark.parametrize("method", METHODS)
def test_gradients_agree_with_central_differences(method: str) -> None:
    step, start, values = METHODS[method]

    @jax.jit
    def last(numbers):
        *x, dt = numbers
        return step(x[: len(start)], x[len(start) :], dt)[-1]

    at = jnp.asarray([*start, *values, 0.4])
    size = 1e-6
    for rows in (jax.jacrev(last)(at), jax.jacfwd(last)(at)):
        difference = [(last(at + size * e) - last(at - size * e)) / (2 * size) for e in jnp.eye(len(at))]
        np.testing.assert_allclose(rows, difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_float32_and_shapes(method: str) -> None:
    """A state of one number and a parameter of several: the states get the shape of everything together."""
    step, start, values = METHODS[method]
    first, *others = (jnp.asarray(x, jnp.float32) for x in values)
    found = step([jnp.asarray(x, jnp.float32) for x in start], [jnp.full((2, 3), first), *others], 0.4)
    assert {x.dtype for x in found} == {np.dtype(np.float32)}
    assert {x.shape for x in found} == {(2, 3)}
    np.testing.assert_allclose([x[1, 1] for x in found], step(start, values, 0.4), rtol=3e-5, atol=1e-6)

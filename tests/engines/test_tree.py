"""The tree solver against dense linear algebra, and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from ketune.compartments import build
from ketune.engines.tree import TreeSolver
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology


@st.composite
def trees(draw):
    """Parent and coupling of a tree whose root is node 0 and whose other nodes are numbered in any order."""
    n = draw(st.integers(1, 24))
    parent = np.array(
        [-1] + [draw(st.integers(max(0, i - draw(st.sampled_from([1, 3, 24]))), i - 1)) for i in range(1, n)]
    )
    label = np.r_[0, 1 + np.array(draw(st.permutations(range(n - 1))), int)]
    renamed = np.full(n, -1)
    renamed[label[1:]] = label[parent[1:]]
    seed = draw(st.integers(0, 2**32 - 1))
    coupling = 10.0 ** np.random.default_rng(seed).uniform(-4, 2, n)
    return renamed, coupling, seed


def dense(parent, coupling):
    """The coupling matrix G, zero on the diagonal."""
    matrix = np.zeros((len(parent), len(parent)))
    for child, above in enumerate(parent):
        if above >= 0:
            matrix[child, above] = matrix[above, child] = coupling[child]
    return matrix


def problem(solver, n_lanes, seed):
    """A diagonal as a cable has it (couplings and some capacitance) and a right-hand side."""
    rng = np.random.default_rng(seed)
    d = solver.diagonal[:, None] + 10.0 ** rng.uniform(-4, 1, (solver.n_nodes, n_lanes))
    return d, rng.normal(size=d.shape)


@settings(max_examples=25, deadline=None)
@given(trees(), st.integers(1, 3))
def test_solution_is_that_of_dense_algebra(tree, n_lanes):
    parent, coupling, seed = tree
    solver = TreeSolver(parent, coupling)
    d, r = problem(solver, n_lanes, seed)
    x = np.asarray(jax.jit(solver.solve)(d, r))
    g = dense(parent, coupling)
    for lane in range(n_lanes):
        matrix = np.diag(d[:, lane]) - g
        expected = np.linalg.solve(matrix, r[:, lane])
        # Couplings over six orders of magnitude: judge by what rounding can do.
        np.testing.assert_allclose(x[:, lane], expected, rtol=1e-12 * np.linalg.cond(matrix) + 1e-12)


@settings(max_examples=15, deadline=None)
@given(trees())
def test_axial_current_is_the_coupling_matrix(tree):
    parent, coupling, seed = tree
    solver = TreeSolver(parent, coupling)
    g = dense(parent, coupling)
    v = np.random.default_rng(seed).normal(-60, 20, (len(parent), 2))
    expected = g @ v - g.sum(axis=1)[:, None] * v
    np.testing.assert_allclose(
        np.asarray(solver.axial_current(jnp.asarray(v))), expected, atol=1e-9 * (1 + g.max())
    )
    np.testing.assert_allclose(solver.diagonal, g.sum(axis=1), rtol=1e-12)


def small_solver(d_lambda=1.0):
    table = build(read_morphology(SMALL_MORPHOLOGY), d_lambda=d_lambda)
    return TreeSolver(table.node_parent, table.node_g_uS)


def test_derivatives_in_both_modes():
    solver = small_solver()
    d, r = problem(solver, 2, 5)
    # Well conditioned, since finite differences of second order judge here.
    check_grads(solver.solve, (d + 1.0, r), order=2, modes=("fwd", "rev"))


def test_gradient_is_the_implicit_rule():
    solver = small_solver()
    d, r = problem(solver, 1, 6)
    weight = np.random.default_rng(7).normal(size=d.shape)
    by_d, by_r = jax.jit(jax.grad(lambda d, r: jnp.sum(weight * solver.solve(d, r)), argnums=(0, 1)))(d, r)
    matrix = np.diag(d[:, 0]) - dense(*parents_of(solver))
    adjoint = np.linalg.solve(matrix.T, weight[:, 0])
    np.testing.assert_allclose(by_r[:, 0], adjoint, rtol=1e-9)
    np.testing.assert_allclose(by_d[:, 0], -adjoint * np.linalg.solve(matrix, r[:, 0]), rtol=1e-9)


def parents_of(solver):
    table = build(read_morphology(SMALL_MORPHOLOGY), d_lambda=1.0)
    assert table.n_nodes == solver.n_nodes
    return table.node_parent, table.node_g_uS


def test_many_right_hand_sides_under_vmap():
    solver = small_solver()
    d, r = problem(solver, 2, 8)
    several = np.stack([r, 2 * r, r[::-1]])
    together = jax.jit(jax.vmap(solver.solve, in_axes=(None, 0)))(d, several)
    for one, right in zip(together, several, strict=True):
        np.testing.assert_allclose(one, jax.jit(solver.solve)(d, right), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 200])
def test_a_cable_takes_logarithmically_many_rounds(n):
    solver = TreeSolver(np.arange(-1, n - 1), np.full(n, 0.3))
    assert solver.n_rounds <= 2 * np.ceil(np.log2(n)) + 1
    d, r = problem(solver, 1, n)
    matrix = np.diag(d[:, 0]) - dense(np.arange(-1, n - 1), np.full(n, 0.3))
    np.testing.assert_allclose(jax.jit(solver.solve)(d, r)[:, 0], np.linalg.solve(matrix, r[:, 0]), rtol=1e-9)


def test_a_star_takes_one_round():
    solver = TreeSolver(np.r_[-1, np.zeros(30, int)], np.full(31, 0.1))
    assert solver.n_rounds == 1


def test_single_precision_stays_single():
    solver = small_solver()
    d, r = problem(solver, 3, 9)
    x = jax.jit(solver.solve)(d.astype(np.float32), r.astype(np.float32))
    assert x.dtype == jnp.float32
    np.testing.assert_allclose(x, jax.jit(solver.solve)(d, r), rtol=1e-2, atol=1e-4)

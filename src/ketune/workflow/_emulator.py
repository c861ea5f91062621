"""A Gaussian-process emulator of the spiking neuron over the actions of a drug, grown until its error is small.

Means are emulated as log(mean + peak / 8), because a drug multiplies what a neuron does until it is silent; the Fano
factor as a logarithm.
The squared-exponential kernel has one length for every action, found by likelihood (Rasmussen & Williams 2006,
Gaussian Processes for Machine Learning, ch. 2 and 5). Points to simulate are chosen among the effects that are to be
predicted, each time the one that most lowers the mean variance of all predictions (Cohn 1996, Neural Networks 9:1071).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.workflow._direct_runs import Estimate, Pool, estimate

Array = NDArray[np.float64]
Run = Callable[[int | None, int, int], NDArray[np.int_]]
"""Counts ``(k, trials)`` of an effect (None: no drug) on some blocks of trials of the pool: which first, how many."""

_LARGEST_LOG_FANO = 3.0
# Share of the control's peak below which a change of the mean is one of degree no more. Of 0 to 1, between 0.1 and 0.2
# predicted held-out runs best.
_OFFSET = 0.125
# Candidates among which a point is chosen: the cloud is thinned to so many.
_CANDIDATES = 800
_BLOCKS_AT_A_TIME = 4
# Effects nearer to one another, or to none, than this share of their spread stand for each other.
_APART = 0.1
# Held-out runs are predicted in so many parts, each from all other runs.
_FOLDS = 4


@dataclass(frozen=True)
class Budget:
    """How much is simulated.

    Attributes
    ----------
    block_trials
        Trials of one block; a point of the design is run on one block.
    pool_blocks
        Blocks of the control.
    checks, check_blocks
        Effects that are held out and run directly, and their blocks.
    design, batch, most_design
        Points of the first design, points that each growth adds, and the most points.
    tolerance
        Largest error that is wanted, as a share of the control's peak.
    seconds
        No growth begins after so much time.
    """

    block_trials: int = 8
    pool_blocks: int = 16
    checks: int = 8
    check_blocks: int = 6
    design: int = 16
    batch: int = 12
    most_design: int = 160
    tolerance: float = 0.02
    seconds: float = 225.0


@dataclass(frozen=True, eq=False)
class Response:
    """Emulated response, one row for each effect.

    Attributes
    ----------
    mean
        ``(n, k)`` mean counts, orientations first and then the blank.
    fano
        ``(n,)`` Fano factor, mean over orientations.
    error
        ``(n, k)`` standard deviation of the emulator's prediction of the mean.
    """

    mean: Array
    fano: Array
    error: Array


@dataclass(frozen=True, eq=False)
class EmulatorError:
    """How far the emulator is from direct runs that it has not seen; all as shares of the control's peak count.

    Attributes
    ----------
    rms, largest
        Difference between emulated and direct mean counts over all held-out effects and conditions.
    direct_noise
        Root-mean-square standard error of those direct runs, which is part of ``rms``.
    leave_one_out
        Root-mean-square difference at each point of the design when it is left out; contains the noise of its one
        block.
    fano_rms
        Root-mean-square relative difference of the Fano factor.
    tolerance
        What was asked for.
    """

    rms: float
    largest: float
    direct_noise: float
    leave_one_out: float
    fano_rms: float
    tolerance: float

    @property
    def within(self) -> bool:
        """Whether the error is as small as asked for."""
        return self.rms <= self.tolerance


@dataclass(frozen=True, eq=False)
class Check:
    """A held-out effect, its direct run, and what an emulator that had not seen this run predicts."""

    row: int
    direct: Estimate
    emulated: Array
    emulated_log_fano: float


class Surface:
    """One Gaussian process over actions, with as many outputs as are thought to vary alike."""

    def __init__(self, x: Array, y: Array, noise: Array, *, seed: int = 0) -> None:
        """Fit to ``y (n, outputs)`` at ``x (n, d)`` with standard errors ``noise (n,)``."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
        from threadpoolctl import threadpool_limits

        scale = max(float(np.sqrt(np.mean(y**2))), 1e-6)
        self._scale, self._x, self._y = scale, x, y / scale
        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * RBF(np.full(x.shape[1], 3.0), (0.3, 100.0))
        # What the errors of the points do not explain: a response that the actions alone do not determine.
        kernel += WhiteKernel(1e-3, (1e-7, 1.0))
        self._alpha = np.maximum((noise / scale) ** 2, 1e-8)
        self._process = GaussianProcessRegressor(kernel, alpha=self._alpha, random_state=seed)
        # Matrices of some dozens of rows: more threads than one make this ten times slower on a busy machine.
        with warnings.catch_warnings(), threadpool_limits(1):
            # A length at its bound is an action that does not matter, and no failure.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(x, self._y)

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Mean ``(n, outputs)`` and standard deviation ``(n,)`` of the surface itself."""
        mean = np.asarray(self._process.predict(x)).reshape(len(x), -1)
        return self._scale * mean, self._scale * np.sqrt(np.maximum(np.diagonal(self._posterior(x)), 0.0))

    def left_out(self) -> Array:
        """``(n, outputs)`` prediction of each point from all others (Rasmussen & Williams 2006, eq. 5.12)."""
        inverse = np.linalg.inv(self._process.kernel_(self._x) + np.diag(self._alpha))
        return self._scale * (self._y - (inverse @ self._y) / np.diagonal(inverse)[:, None])

    def next_points(self, candidates: Array, n: int, weight: Array) -> list[int]:
        """Candidates to simulate: each the one that most lowers the weighted sum of the variance at all of them."""
        return _most_telling(self._posterior(candidates), float(np.median(self._alpha)), n, weight)

    def _posterior(self, x: Array) -> Array:
        smooth = self._process.kernel_.k1
        known = np.linalg.cholesky(self._process.kernel_(self._x) + np.diag(self._alpha))
        across = np.linalg.solve(known, smooth(self._x, x))
        return smooth(x) - across.T @ across


def _most_telling(covariance: Array, noise: float, n: int, weight: Array | None = None) -> list[int]:
    chosen: list[int] = []
    left = covariance.copy()
    share = np.ones(len(left)) if weight is None else weight / weight.sum()
    for _ in range(min(n, len(left))):
        gain = share @ left**2 / (np.diagonal(left) + noise)
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        left -= np.outer(left[best], left[best]) / (left[best, best] + noise)
    return chosen


def _prior_covariance(x: Array) -> Array:
    squared = np.sum((x[:, None] - x[None]) ** 2, axis=2)
    return np.exp(-0.5 * squared / (0.5 * x.shape[1]))


def _from_control(points: Array, y: Array, noise: Array, seed: int) -> Surface:
    origin = np.zeros((1, points.shape[1]))
    return Surface(
        np.vstack([origin, points]), np.vstack([np.zeros((1, y.shape[1])), y]), np.r_[0.0, noise], seed=seed
    )


class Emulator:
    """Response as a function of actions, from runs at some of them.

    Parameters
    ----------
    points
        ``(n, d)`` actions of the runs; the control is at the origin and need not be among them.
    estimates
        Of the same runs.
    pool
        The control.
    """

    def __init__(self, points: Array, estimates: Sequence[Estimate], pool: Pool, *, seed: int = 0) -> None:
        self._pool, self._offset = pool, max(_OFFSET * pool.peak, 1e-3)
        self._mean = np.array([e.mean for e in estimates])
        above = self._mean + self._offset
        errors = np.array([e.mean_error for e in estimates]) / above
        # All are zero without drug, and known there without error: everything is relative to the control.
        logs = np.log(above) - np.log(pool.mean + self._offset)
        self._logs = _from_control(points, logs, np.sqrt(np.mean(errors**2, axis=1)), seed)
        fano, fano_error = np.array([[e.log_fano, e.log_fano_error] for e in estimates]).T
        known = np.isfinite(fano) & np.isfinite(fano_error)
        self._fano = _from_control(points[known], fano[known, None], fano_error[known], seed)

    def __call__(self, points: Array) -> Response:
        """Response at ``(n, d)`` actions."""
        logs, spread = self._logs(points)
        mean = self._mean_of(logs)
        log_fano = np.clip(self._fano(points)[0][:, 0], -_LARGEST_LOG_FANO, _LARGEST_LOG_FANO)
        error = (mean + self._offset) * spread[:, None]
        return Response(mean, self._pool.fano * np.exp(log_fano), error)

    def leave_one_out(self) -> Array:
        """``(n, k)`` emulated minus direct mean counts at each run, predicted from the other runs."""
        return self._mean_of(self._logs.left_out()[1:]) - self._mean

    def next_points(self, candidates: Array, n: int) -> list[int]:
        """Which of ``candidates (m, d)`` to simulate next, so that mean counts are predicted best."""
        mean = self._mean_of(self._logs(candidates)[0])
        return self._logs.next_points(candidates, n, np.mean((mean + self._offset) ** 2, axis=1))

    def _mean_of(self, logs: Array) -> Array:
        return np.maximum((self._pool.mean + self._offset) * np.exp(logs) - self._offset, 0.0)


@dataclass(frozen=True, eq=False)
class Grown:
    """An emulator with all that it was made from.

    Attributes
    ----------
    emulator
        Fitted to every run, the checks among them.
    error
        Measured on the checks, each by an emulator that had not seen it.
    design
        Rows of the effects that were run for it.
    simulated_trials
        Trials of every condition, over all runs.
    seconds
        By stage: "control", "checks", "design", "regression".
    """

    emulator: Emulator
    error: EmulatorError
    pool: Pool
    checks: tuple[Check, ...]
    design: tuple[int, ...]
    simulated_trials: int
    seconds: dict[str, float] = field(default_factory=dict)


def grow(
    points: Array,
    run: Run,
    *,
    n_shown: int,
    budget: Budget,
    seed: int = 0,
    on_run: Callable[[int], Any] | None = None,
) -> Grown:
    """Simulate at some of ``points (n, d)`` until an emulator predicts held-out ones within the tolerance.

    Parameters
    ----------
    run
        Simulates a point; see :data:`Run`.
    n_shown
        Conditions with a grating; a blank comes after them.
    on_run
        Called with the blocks that were just run.
    """
    begun = time.monotonic()
    spent: dict[str, float] = dict.fromkeys(("control", "checks", "design", "regression"), 0.0)
    simulated = 0
    size, rng = budget.block_trials, np.random.default_rng(seed)

    def counted(stage: str, row: int | None, blocks: Sequence[int]) -> NDArray[np.int_]:
        nonlocal simulated
        start = time.monotonic()
        counts = []
        for first, n in _together(blocks):
            counts.append(run(row, first, n))
            simulated += n * size
            if on_run is not None:
                on_run(n)
        spent[stage] += time.monotonic() - start
        return np.hstack(counts)

    pool = Pool(counted("control", None, range(budget.pool_blocks)), n_shown)

    def measured(stage: str, row: int, blocks: Sequence[int]) -> Estimate:
        trials = np.concatenate([np.arange(b * size, (b + 1) * size) for b in blocks])
        return estimate(counted(stage, row, blocks), trials, pool)

    shift = iter(range(10**9))

    def next_blocks(n: int) -> list[int]:
        return [next(shift) % budget.pool_blocks for _ in range(n)]

    distinct = _apart(points)
    held_out = _spread_out(points, distinct, min(budget.checks, max(len(distinct) // 4, 1)), rng)
    direct = [measured("checks", row, next_blocks(budget.check_blocks)) for row in held_out]
    others = np.setdiff1d(distinct, held_out)
    candidates = rng.permutation(others)[:_CANDIDATES]
    chosen = candidates[_most_telling(_prior_covariance(points[candidates]), 0.05, budget.design)].tolist()
    runs = [measured("design", row, next_blocks(1)) for row in chosen]
    while True:
        start = time.monotonic()
        rows = [*chosen, *held_out]
        emulator = Emulator(points[rows], [*runs, *direct], pool, seed=seed)
        error, checks = _judged(
            emulator, points, rows, [*runs, *direct], len(chosen), pool, budget.tolerance, seed
        )
        spent["regression"] += time.monotonic() - start
        left = np.setdiff1d(candidates, chosen)
        n = min(budget.batch, budget.most_design - len(chosen), len(left))
        # Somewhat better than needed, because the error is itself known from a few runs only.
        if error.rms <= 0.8 * budget.tolerance or n < 1 or time.monotonic() - begun > budget.seconds:
            break
        added = left[emulator.next_points(points[left], n)].tolist()
        runs += [measured("design", row, next_blocks(1)) for row in added]
        chosen += added
    return Grown(emulator, error, pool, checks, tuple(chosen), simulated, spent)


def _together(blocks: Sequence[int]) -> list[tuple[int, int]]:
    """Successive blocks as (first, number), a few at a time: many lanes run faster, but their events take memory."""
    found: list[tuple[int, int]] = []
    for block in blocks:
        first, n = found[-1] if found else (0, 0)
        if n and block == first + n and n < _BLOCKS_AT_A_TIME:
            found[-1] = (first, n + 1)
        else:
            found.append((block, 1))
    return found


def _apart(points: Array) -> NDArray[np.int_]:
    """Rows that are apart from each other and from the control, the strongest first.

    Most doses of a wide range, and most times after one, do next to nothing: they would fill the runs, and their small
    errors would hide that of the effects which matter. Where only one effect would be left, none is left out.
    """
    strength = np.linalg.norm(points, axis=1)
    kept: list[int] = []
    for row in np.argsort(-strength, kind="stable").tolist():
        if strength[row] <= _APART:
            break
        if not kept or np.linalg.norm(points[kept] - points[row], axis=1).min() > _APART:
            kept.append(row)
    return np.array(kept) if len(kept) > 1 else np.unique(points, axis=0, return_index=True)[1]


def _spread_out(points: Array, rows: NDArray[np.int_], n: int, rng: np.random.Generator) -> list[int]:
    """``n`` of ``rows`` drawn at random, one from each n-th along their distance from the control."""
    ranked = rows[np.argsort(np.linalg.norm(points[rows], axis=1), kind="stable")]
    return [int(rng.choice(part)) for part in np.array_split(ranked, n)]


def _judged(
    emulator: Emulator,
    points: Array,
    rows: Sequence[int],
    estimates: Sequence[Estimate],
    n_design: int,
    pool: Pool,
    tolerance: float,
    seed: int,
) -> tuple[EmulatorError, tuple[Check, ...]]:
    """Error on the runs after the first ``n_design``, each predicted from all runs but its own fold."""
    at, checks = np.arange(len(rows)), []
    held = at[n_design:]
    for fold in np.array_split(held, min(_FOLDS, len(held))):
        seen = np.setdiff1d(at, fold)
        blind = Emulator(points[[rows[i] for i in seen]], [estimates[i] for i in seen], pool, seed=seed)
        response = blind(points[[rows[i] for i in fold]])
        log_fano = np.log(response.fano / pool.fano)
        checks += [
            Check(rows[i], estimates[i], m, float(f))
            for i, m, f in zip(fold, response.mean, log_fano, strict=True)
        ]
    difference = np.array([c.emulated - c.direct.mean for c in checks]) / pool.peak
    fano = np.array([c.emulated_log_fano - c.direct.log_fano for c in checks])
    error = EmulatorError(
        rms=_rms(difference),
        largest=float(np.abs(difference).max()),
        direct_noise=_rms(np.array([c.direct.mean_error for c in checks]) / pool.peak),
        leave_one_out=_rms(emulator.leave_one_out()[:n_design] / pool.peak),
        fano_rms=_rms(np.expm1(fano[np.isfinite(fano)])),
        tolerance=tolerance,
    )
    return error, tuple(checks)


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x)))) if np.size(x) else float("nan")

"""The fit's own Fisher scoring against optimisers from libraries, on the likelihood that a fit climbs.

The objective is the log-likelihood of a simulated recording under the silent twin, with the prior of a fit. All get
the same function, its gradient by the engine's tape, or (least squares, Fisher scoring) the Jacobian by differences
on shared events. What they reach is set against simulated seconds (a tape counts three times) and wall time, from
several starts.

    python benchmarks/optimisers.py [--quick] [--starts 2] [--seconds 400] [--seed 1] [--json FILE]

Five minutes on two cores that other work shared; `--quick` about one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from _estimators import TRIAL_S, N
from _tuning_problem import DRIVE, GRATING, RECORDED_TRIALS, SCALE, Problem, write
from scipy import optimize

from ketune._jax import jax, jnp
from ketune.fitting._correction import Correction
from ketune.fitting._observed import fano_of
from ketune.fitting._optimise import Derivatives, ascend
from ketune.fitting._parameters import values_of
from ketune.fitting._prior import _CENTRE, PRECISION, log_prior
from ketune.fitting._surrogate import _STEP, Surrogate, _information

_TRIALS = 6
_TAPE_RUNS = 3
_WITHIN = (5.0, 1.0)
# Further out the afferents bring more events than a step takes, and moving the surplus on takes minutes.
_LARGEST = np.where(SCALE > 1, 1e3, 2.0)
MARKS_S = (50.0, 100.0, 200.0, 400.0)
"""Simulated seconds at which the value reached is stated."""


class SpentError(Exception):
    """The simulated seconds that a run was given are used up."""


class Objective:
    """Log-posterior of the recording; counts simulated seconds and keeps every value with its cost."""

    def __init__(self, surrogate: Surrogate, seconds: float) -> None:
        self.surrogate, self.seconds = surrogate, seconds
        self.simulated_s, self._begin = 0.0, time.perf_counter()
        self.trace: list[tuple[float, float, float]] = []
        self._last: tuple[np.ndarray, Any] | None = None

    def _spend(self, runs: float) -> None:
        if self.simulated_s >= self.seconds:
            raise SpentError
        self.simulated_s += runs * self.surrogate.trials * TRIAL_S

    def _seen(self, value: float) -> float:
        self.trace.append((self.simulated_s, time.perf_counter() - self._begin, value))
        return value

    def forget(self) -> None:
        """The surrogate has changed: nothing known of the last place holds."""
        self._last = None

    def value(self, x: np.ndarray) -> float:
        """One run."""
        u = within(x) * SCALE
        self._spend(1)
        return self._seen(self.surrogate.log_likelihood(u) + log_prior(u))

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """One run, and one tape."""
        u, s = within(x) * SCALE, self.surrogate
        self._spend(1 + _TAPE_RUNS)
        features = s.features(u)
        expected = s._expected([u], features)[0]
        value = sum(law.log_likelihood for law in s._laws(expected)) + log_prior(u)
        gradient = s.twin.gradient(u, features, s.hazard, s._scale * s.slope(expected).ravel())
        return self._seen(value), (gradient - PRECISION * (u - _CENTRE)) * SCALE

    def linearised(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Value, gradient, information, residuals and their Jacobian: twelve runs, kept for the last place."""
        if self._last is not None and np.array_equal(self._last[0], x):
            return self._last[1]
        u, s = within(x) * SCALE, self.surrogate
        self._spend(1 + N)
        expected, *moved = s._expected([u, *(u + e for e in np.diag(_STEP))], s.features(u))
        jacobian = np.stack([(m - expected) / h for m, h in zip(moved, _STEP, strict=True)], axis=-1)
        value = sum(law.log_likelihood for law in s._laws(expected)) + log_prior(u)
        gradient = np.einsum("kt,ktp->p", s.slope(expected), jacobian) - PRECISION * (u - _CENTRE)
        information = np.diag(PRECISION) + sum(
            _information(expected[k], jacobian[k], o, s.correction, k) for k, o in enumerate(s.observed)
        )
        residual, slope = self._moments(u, expected, jacobian)
        found = (
            self._seen(value),
            gradient * SCALE,
            information * np.outer(SCALE, SCALE),
            residual,
            slope * SCALE,
        )
        self._last = (np.array(x), found)
        return found

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """One run."""
        u, s = within(x) * SCALE, self.surrogate
        self._spend(1)
        expected = s.expected(u)
        self._seen(sum(law.log_likelihood for law in s._laws(expected)) + log_prior(u))
        return self._moments(u, expected, np.zeros((*expected.shape, N)))[0]

    def _moments(
        self, u: np.ndarray, expected: np.ndarray, jacobian: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Means and variances in units of their recorded standard errors, and the prior: a sum of squares."""
        rows, slopes = [np.sqrt(PRECISION) * (u - _CENTRE)], [np.diag(np.sqrt(PRECISION))]
        for k, observed in enumerate(self.surrogate.observed):
            matrix = self.surrogate.correction.matrix(k, expected.shape[1])
            trial, d_trial = matrix @ expected[k], matrix @ jacobian[k]
            mean, d_mean, n = trial.mean(), d_trial.mean(axis=0), len(observed)
            phi, recorded = self.surrogate.correction.dispersion[k], observed.var(ddof=1) + 1.0
            variance = phi * mean + np.mean((trial - mean) ** 2) + 1.0
            d_variance = phi * d_mean + 2 * np.mean((trial - mean)[:, None] * d_trial, axis=0)
            of_mean, of_variance = np.sqrt(n / recorded), np.sqrt(n / 2) / recorded
            rows += [[of_mean * (mean - observed.mean())], [of_variance * (variance - recorded)]]
            slopes += [of_mean * d_mean[None], of_variance * d_variance[None]]
        return np.concatenate(rows), np.concatenate(slopes)


class OwnLikelihood:
    """The objective as :func:`ketune.fitting._optimise.ascend` takes it."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def log_likelihoods(self, coordinates: Any) -> np.ndarray:
        return np.array([self.objective.value(u / SCALE) for u in coordinates])

    def derivatives(self, coordinates: np.ndarray, *, information: bool) -> Derivatives:
        x = coordinates / SCALE
        if not information:
            return Derivatives(self.objective.value_and_gradient(x)[1] / SCALE, None)
        _, gradient, matrix, *_ = self.objective.linearised(x)
        return Derivatives(gradient / SCALE, matrix / np.outer(SCALE, SCALE))


def within(x: np.ndarray) -> np.ndarray:
    """The nearest place where the afferents can be simulated."""
    return np.clip(np.asarray(x, float), -_LARGEST, _LARGEST)


def own(objective: Objective, x: np.ndarray) -> None:
    ascend(OwnLikelihood(objective), x * SCALE, iterations=50, tolerance=0.05)


def lbfgs(objective: Objective, x: np.ndarray) -> None:
    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective.value_and_gradient(x)
        return -value, -gradient

    optimize.minimize(cost, x, jac=True, method="L-BFGS-B", options={"maxiter": 200})


def trust_constr(objective: Objective, x: np.ndarray) -> None:
    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective.value_and_gradient(x)
        return -value, -gradient

    # Its first radius is 1, in coordinates that a fit moves by about as much.
    optimize.minimize(
        cost, x, jac=True, hess=optimize.BFGS(), method="trust-constr", options={"maxiter": 200}
    )


def trust_exact(objective: Objective, x: np.ndarray) -> None:
    optimize.minimize(
        lambda x: -objective.value(x),
        x,
        jac=lambda x: -objective.linearised(x)[1],
        hess=lambda x: objective.linearised(x)[2],
        method="trust-exact",
        options={"maxiter": 200, "initial_trust_radius": 1.0},
    )


def least_squares(objective: Objective, x: np.ndarray) -> None:
    optimize.least_squares(objective.residuals, x, jac=lambda x: objective.linearised(x)[4], x_scale=1.0)


def adam(objective: Objective, x: np.ndarray) -> None:
    import optax

    way = optax.adam(0.2)
    state = way.init(x)
    while True:
        _, gradient = objective.value_and_gradient(x)
        update, state = way.update(-gradient, state, x)
        x = np.asarray(optax.apply_updates(x, update))


def outside_jax(function: Callable[[np.ndarray], Any], result: Any) -> Callable[[Any], Any]:
    """A function of NumPy for a solver in JAX that runs under :func:`jax.disable_jit`.

    The objective uses compiled functions of JAX itself, which may deadlock within a callback of a compiled loop; so the
    solver's loop is not compiled, and only the objective is.
    """

    def called(x: Any) -> Any:
        with jax.disable_jit(False):
            return function(np.asarray(x))

    return lambda x: jax.pure_callback(called, result, x)


def optimistix_bfgs(objective: Objective, x: np.ndarray) -> None:
    import optimistix

    # Its first step is the gradient; L-BFGS-B makes that one unit long by itself.
    size = float(np.linalg.norm(objective.value_and_gradient(x)[1]))

    @jax.custom_jvp
    def cost(x: Any) -> Any:
        return outside_jax(lambda x: -np.float64(objective.value(x)) / size, scalar)(x)

    def both(x: Any) -> Any:
        value, gradient = objective.value_and_gradient(x)
        return -np.float64(value) / size, -gradient / size

    @cost.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        value, gradient = outside_jax(both, (scalar, vector))(primals[0])
        return value, gradient @ tangents[0]

    scalar, vector = jax.ShapeDtypeStruct((), jnp.float64), jax.ShapeDtypeStruct((N,), jnp.float64)
    solver = optimistix.BFGS(rtol=1e-4, atol=1e-4)
    with jax.disable_jit():
        optimistix.minimise(lambda x, _: cost(x), solver, jnp.asarray(x), max_steps=200, throw=False)


def optimistix_lm(objective: Objective, x: np.ndarray) -> None:
    import optimistix

    rows = N + 2 * len(objective.surrogate.observed)
    residual = jax.ShapeDtypeStruct((rows,), jnp.float64)
    jacobian = jax.ShapeDtypeStruct((rows, N), jnp.float64)

    @jax.custom_jvp
    def residuals(x: Any) -> Any:
        return outside_jax(objective.residuals, residual)(x)

    @residuals.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        found, slope = outside_jax(lambda x: objective.linearised(x)[3:], (residual, jacobian))(primals[0])
        return found, slope @ tangents[0]

    solver = optimistix.LevenbergMarquardt(rtol=1e-4, atol=1e-2)
    with jax.disable_jit():
        optimistix.least_squares(
            lambda x, _: residuals(x), solver, jnp.asarray(x), max_steps=200, throw=False
        )


OPTIMISERS: dict[str, Callable[[Objective, np.ndarray], None]] = {
    "own Fisher scoring": own,
    "SciPy trust-exact, Fisher information": trust_exact,
    "SciPy L-BFGS-B": lbfgs,
    "SciPy trust-constr, BFGS": trust_constr,
    "SciPy least_squares, moments": least_squares,
    "optimistix BFGS": optimistix_bfgs,
    "optimistix Levenberg-Marquardt, moments": optimistix_lm,
    "optax Adam": adam,
}


def surrogate_of(problem: Problem) -> Surrogate:
    """The likelihood that a fit of the recording climbs first."""
    recorded = problem.recorded
    return Surrogate(
        problem.twin,
        problem.layout,
        DRIVE,
        GRATING,
        tuple(recorded),
        window_ms=GRATING.window_ms,
        calibration=problem.calibration,
        trials=_TRIALS,
        seed=problem.seed,
        correction=Correction.before_spikes(np.array([fano_of(o) for o in recorded]), 1.0),
    )


def run(surrogate: Surrogate, name: str, x: np.ndarray, seconds: float) -> dict[str, Any]:
    """One optimiser from one start, until it stops or its simulated seconds are spent."""
    objective = Objective(surrogate, seconds)
    status = "stopped by itself"
    try:
        OPTIMISERS[name](objective, x)
    except SpentError:
        status = "out of simulated seconds"
    except Exception as error:  # what is raised within a callback comes out as an error of XLA
        if "SpentError" not in f"{type(error)} {error}":
            raise
        status = "out of simulated seconds"
    simulated, wall, value = (np.array(column) for column in zip(*objective.trace, strict=True))
    return {"status": status, "simulated_s": simulated, "wall_s": wall, "value": np.maximum.accumulate(value)}


def first_within(trace: dict[str, Any], best: float, margin: float) -> dict[str, float] | None:
    """Cost at which a value this close to the best was reached."""
    there = np.flatnonzero(trace["value"] >= best - margin)
    if not len(there):
        return None
    return {"simulated_s": trace["simulated_s"][there[0]], "wall_s": trace["wall_s"][there[0]]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=MARKS_S[-1], help="simulated, of each run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    begin, quick = time.perf_counter(), arguments.quick
    problem = Problem(arguments.seed, calibration_sets=6 if quick else 12)
    surrogate = surrogate_of(problem)
    starts = problem.starts(1 if quick else arguments.starts)
    seconds = 120.0 if quick else arguments.seconds
    # Compiles what all of them use.
    warm = Objective(surrogate, np.inf)
    warm.value_and_gradient(starts["far"])
    warm.linearised(starts["far"])
    found: dict[str, dict[str, Any]] = {}
    for label, x in starts.items():
        for name in OPTIMISERS:
            trace = run(surrogate, name, x, seconds)
            found.setdefault(label, {})[name] = trace
            marks = " ".join(f"{reached(trace, m):9.1f}" for m in MARKS_S if m <= seconds)
            print(f"{label:10s} {name:40s} {marks}  {trace['status']}", flush=True)
    summary: dict[str, Any] = {}
    for label, ways in found.items():
        best = max(float(t["value"][-1]) for t in ways.values())
        summary[label] = {
            "start": values_of(starts[label] * SCALE),
            "best": best,
            "within": {
                name: {f"{m:g}": first_within(t, best, m) for m in _WITHIN} for name, t in ways.items()
            },
        }
        for name, costs in summary[label]["within"].items():
            words = [
                f"{m}: never" if c is None else f"{m}: {c['simulated_s']:.0f} s, wall {c['wall_s']:.1f} s"
                for m, c in costs.items()
            ]
            print(f"{label:10s} {name:40s} to within " + "; ".join(words))
    document = {
        "benchmark": "optimisers",
        "quick": quick,
        "recorded_trials": RECORDED_TRIALS,
        "trials": _TRIALS,
        "marks_s": MARKS_S,
        "runs": found,
        "summary": summary,
        "libraries": {name: metadata.version(name) for name in ("jax", "scipy", "optax", "optimistix")},
        "seconds": time.perf_counter() - begin,
    }
    print(f"{document['seconds']:.0f} s")
    write(arguments.json, document, arguments.seed)


def reached(trace: dict[str, Any], simulated_s: float) -> float:
    """Best value after so many simulated seconds."""
    within_reach = trace["value"][trace["simulated_s"] <= simulated_s]
    return float(within_reach[-1]) if len(within_reach) else np.nan


if __name__ == "__main__":
    main()

"""Draws of a drug's uncertain parameters, and which of them an outcome depends on.

Every design (Latin hypercube, Sobol, random, Saltelli's for Sobol indices) is made of numbers in (0, 1), which
``quantile`` turns into values of the parameters' laws.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketune.errors import InputError
from ketune.pharmacology._drug import Drug, Quantity
from ketune.pharmacology._schema import KEYS

Array = NDArray[np.float64]
Method = Literal["latin-hypercube", "sobol", "random"]
SAMPLING_METHODS: tuple[str, ...] = get_args(Method)

_Z95 = 1.959963984540054  # standard normal quantile of 0.975
_SMALLEST = 1e-12  # scrambled sequences may hit 0, whose quantile is infinite


class JointPosterior(Protocol):
    """Parameters that are known jointly, such as ``AssayPosterior``: one uncertain factor in a design."""

    @property
    def label(self) -> str:
        """Name of the factor."""

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters it sets."""

    def at(self, u: ArrayLike) -> dict[str, Array]:
        """Their values at numbers in (0, 1), which uniform numbers turn into draws."""


def quantile(name: str, q: Quantity, u: ArrayLike) -> Array:
    """Value of the parameter ``name`` below which a share ``u`` of its law lies.

    "lognormal" and "normal" are two-piece laws: the default is the median, ``low`` and ``high`` the 2.5 % and
    97.5 % points, whatever the skew; values are cut at what is physically possible. "uniform" fills the range,
    "fixed" is the default throughout.

    Args:
        name: dotted name, which says what is possible.
        q: the parameter.
        u: any shape, between 0 and 1.
    """
    from scipy.special import ndtri

    p = np.clip(np.asarray(u, dtype=np.float64), _SMALLEST, 1.0 - _SMALLEST)
    if q.spread == "fixed":
        return np.full(p.shape, q.value)
    if q.spread == "uniform":
        return q.low + (q.high - q.low) * p
    z = ndtri(p) / _Z95
    bound = KEYS[name].bound
    if q.spread == "lognormal":
        value = q.value * np.where(z < 0, (q.low / q.value) ** -z, (q.high / q.value) ** z)
        return np.minimum(value, 1.0) if bound == "fraction" else np.asarray(value)
    value = q.value + np.where(z < 0, (q.value - q.low) * z, (q.high - q.value) * z)
    if bound == "signed":
        return np.asarray(value)
    lowest = 0.01 * q.value if bound == "positive" else 0.0
    return np.clip(value, lowest, 1.0 if bound == "fraction" else None)


def uncertain_parameters(drug: Drug) -> tuple[str, ...]:
    """The parameters of a drug that are not "fixed"."""
    return tuple(name for name, q in drug.parameters.items() if q.spread != "fixed")


def sample_parameters(
    drug: Drug,
    n: int,
    seed: int,
    names: Sequence[str] | None = None,
    method: Method = "latin-hypercube",
) -> list[dict[str, float]]:
    """Draw ``n`` sets of the uncertain parameters, each to be given as ``overrides``.

    Parameters are drawn independently from their laws (see ``quantile``), although affinity, depth and subunit
    shares trade off in reality. A parameter's draws depend neither on which others are asked for nor, except with
    "sobol", on what else the drug's file holds.

    Args:
        drug: the drug.
        n: number of sets.
        seed: seed.
        names: parameters to draw; default all that are not "fixed".
        method: "latin-hypercube" (each parameter takes one value in each n-th of its law; McKay, Beckman & Conover
            1979), "sobol" (scrambled Sobol sequence, best with a power of two; Owen 1998) or "random".

    Raises:
        InputError: unknown name or method, or n below 1.
    """
    laws = _laws(drug, names)
    if method not in SAMPLING_METHODS:
        raise InputError(f"unknown sampling method '{method}'; known: {', '.join(SAMPLING_METHODS)}")
    if n < 1:
        raise InputError(f"{n} samples: give at least 1")
    if method == "sobol":
        points = _sobol_points(drug, laws, n, seed)
    else:
        points = {name: unit_points(name, n, seed, stratified=method != "random") for name in laws}
    columns = {name: quantile(name, q, points[name]) for name, q in laws.items()}
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(n)]


def _laws(drug: Drug, names: Sequence[str] | None) -> dict[str, Quantity]:
    laws = {}
    for name in names or uncertain_parameters(drug):
        quantity = drug.require(name)
        if quantity is None:
            raise InputError(
                f"drug {drug.name} gives no range of {name} to draw from; give it in a drug file"
            )
        laws[name] = quantity
    return laws


def unit_points(name: str, n: int, seed: int, *, stratified: bool) -> Array:
    """(n,) numbers in (0, 1) that belong to a name and a seed; stratified: one in each n-th."""
    # The name enters by a hash that is the same in every process, unlike Python's own.
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if not stratified:
        return rng.random(n)
    # Columns of a Latin hypercube are independent permutations of the strata.
    return (rng.permutation(n) + rng.random(n)) / n


def _sobol_points(drug: Drug, chosen: Iterable[str], n: int, seed: int) -> dict[str, Array]:
    from scipy.stats import qmc

    # A dimension for every parameter, asked for or not: the draws of one do not depend on the choice of others.
    dimension = {name: i for i, name in enumerate(sorted(drug.parameters))}
    sequence = qmc.Sobol(len(dimension), rng=np.random.default_rng(seed))
    points = sequence.random_base2(max(n - 1, 0).bit_length())[:n]
    return {name: points[:, dimension[name]] for name in chosen}


@dataclass(frozen=True, eq=False)
class SobolDesign:
    """Saltelli's design for Sobol indices: run the model once for each of ``overrides``, in order.

    Attributes:
        factors: what can be attributed: parameters, and joint posteriors by their label.
        unit: (rows, factors) numbers in (0, 1); rows = n (factors + 2).
        overrides: one set of drug parameters for each row.
    """

    factors: tuple[str, ...]
    unit: Array
    overrides: tuple[Mapping[str, float], ...]


def sobol_design(
    drug: Drug,
    names: Sequence[str] | None,
    n: int,
    seed: int,
    posteriors: Sequence[JointPosterior] = (),
) -> SobolDesign:
    """Parameter sets from which first-order and total Sobol indices follow, by SALib (Saltelli 2010's estimators).

    Args:
        drug: the drug.
        names: parameters to attribute; default all that are not "fixed". Those that a posterior sets are left out.
        n: base size, a power of two; the model runs n (factors + 2) times.
        seed: seed.
        posteriors: what an assay has measured (``fit_assay``): each is one factor, because its parameters are
            correlated and their shares of the variance could not be told apart.

    Raises:
        InputError: unknown name, nothing to attribute, n not a power of two, or posteriors for one parameter.
    """
    if n < 2 or n & (n - 1):
        raise InputError(f"base size {n} of a Sobol design is not a power of two; give 128, 256 or 512")
    joint = joint_names(posteriors)
    chosen = [name for name in (names or uncertain_parameters(drug)) if name not in joint]
    laws = _laws(drug, chosen) if chosen else {}
    factors = (*laws, *(posterior.label for posterior in posteriors))
    if not factors:
        raise InputError("nothing to attribute: name at least one uncertain parameter")

    from SALib.sample import sobol

    unit = np.asarray(sobol.sample(_problem(factors), n, calc_second_order=False, seed=seed))
    columns = {name: quantile(name, q, unit[:, i]) for i, (name, q) in enumerate(laws.items())}
    for i, posterior in enumerate(posteriors, start=len(laws)):
        columns |= posterior.at(unit[:, i])
    rows = tuple({name: float(column[i]) for name, column in columns.items()} for i in range(len(unit)))
    return SobolDesign(factors, unit, rows)


def joint_names(posteriors: Sequence[JointPosterior]) -> frozenset[str]:
    """The parameters that posteriors set.

    Raises:
        InputError: two posteriors set the same parameter, so that neither's joint draws would survive.
    """
    owner: dict[str, str] = {}
    for posterior in posteriors:
        for name in posterior.names:
            if name in owner:
                raise InputError(
                    f"{owner[name]} and {posterior.label} both set {name}; use the rows of one of them"
                )
            owner[name] = posterior.label
    return frozenset(owner)


class SobolIndices(NamedTuple):
    """Shares of the variance, (factors,) or (factors, outputs); ``_ci``: half widths of 95 % intervals (bootstrap).

    ``first`` is the share that vanishes when the factor is known, ``total`` the share that is left when all others
    are; their difference is interaction. NaN where an output does not vary.
    """

    first: Array
    first_ci: Array
    total: Array
    total_ci: Array


def sobol_indices(design: SobolDesign, outputs: ArrayLike, seed: int = 0) -> SobolIndices:
    """First-order and total Sobol indices of the model's outputs, by SALib.

    Args:
        design: what the model was run on.
        outputs: (rows,) or (rows, outputs), one row for each of ``design.overrides``.
        seed: seed of the bootstrap.

    Raises:
        InputError: another number of rows, or an output that is not finite.
    """
    y = np.asarray(outputs, dtype=np.float64)
    if y.ndim not in (1, 2) or y.shape[0] != len(design.overrides):
        raise InputError(
            f"outputs have shape {y.shape}; give one row for each of {len(design.overrides)} runs"
        )
    if bad := int(np.count_nonzero(~np.isfinite(y))):
        raise InputError(
            f"{bad} of {y.size} outputs are not finite; Sobol indices need every run of the design"
        )

    from SALib.analyze import sobol

    problem = _problem(design.factors)
    parts = []
    for column in y.reshape(len(y), -1).T:
        if np.ptp(column) <= 1e-12 * np.abs(column).max(initial=0.0):
            parts.append(np.full((4, len(design.factors)), np.nan))
            continue
        # SALib takes a seed of 0 for none.
        found = sobol.analyze(problem, column, calc_second_order=False, seed=seed + 1)
        parts.append(np.array([found[key] for key in ("S1", "S1_conf", "ST", "ST_conf")]))
    shape = (len(design.factors), *y.shape[1:])
    return SobolIndices(*(np.reshape(rows, shape) for rows in np.stack(parts, axis=-1)))


class Attribution(NamedTuple):
    """What one uncertain factor contributes to the variance of an outcome; ``_ci`` as in ``SobolIndices``."""

    factor: str
    first: float
    first_ci: float
    total: float
    total_ci: float


def attribution(design: SobolDesign, outcome: ArrayLike, seed: int = 0) -> tuple[Attribution, ...]:
    """Uncertain factors by their share of the variance of one outcome (rows,), the largest total first.

    Raises:
        InputError: as ``sobol_indices``; also when the outcome is not one number for each run.
    """
    if np.ndim(outcome) != 1:
        raise InputError(f"outcome has shape {np.shape(outcome)}; give one number for each run")
    columns = zip(*(np.asarray(part).tolist() for part in sobol_indices(design, outcome, seed)), strict=True)
    rows = (Attribution(factor, *values) for factor, values in zip(design.factors, columns, strict=True))
    return tuple(sorted(rows, key=lambda row: -np.nan_to_num(row.total)))


def _problem(factors: Sequence[str]) -> dict[str, object]:
    return {"num_vars": len(factors), "names": list(factors), "bounds": [[0.0, 1.0]] * len(factors)}

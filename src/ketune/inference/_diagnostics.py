"""Whether the sampler can be believed: R-hat, effective sample sizes and divergences, read for the user.

The numbers are those of Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021 (Bayesian Analysis 16:667), computed by
ArviZ: rank-normalised split R-hat, bulk and tail effective sample size (ESS). What they are called:

========================  ==========  ==============  ============
                          ok          caution         failed
========================  ==========  ==============  ============
R-hat                     <= 1.01     <= 1.05         above
ESS, bulk and tail        >= 400      >= 100          below
divergent share of draws  0           <= 1 %          above
========================  ==========  ==============  ============

1.01 and 400 are the paper's recommendations. Below an ESS of 100 the ends of a 90 % interval are set by a handful of
independent draws. A divergence marks a region that the sampler could not enter, so even one calls for caution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.inference._verdict import FloatArray, circular_mean, wrap

Status = Literal["ok", "caution", "failed"]

R_HAT_OK, R_HAT_CAUTION = 1.01, 1.05
ESS_OK, ESS_CAUTION = 400.0, 100.0
DIVERGENT_CAUTION = 0.01
_FEWEST_DRAWS = 4
_TAILS = (0.05, 0.95)


@dataclass(frozen=True)
class Diagnostics:
    """How a sampler did.

    Attributes
    ----------
    r_hat, ess_bulk, ess_tail
        By parameter; NaN for one that never moved.
    divergences, n_draws
        Divergent draws, and draws of all chains.
    status
        Of the worst of them.
    messages
        One sentence for each thing that is not ok, worst first; empty for ``ok``.
    """

    r_hat: dict[str, float]
    ess_bulk: dict[str, float]
    ess_tail: dict[str, float]
    divergences: int
    n_draws: int
    status: Status
    messages: tuple[str, ...]


def diagnose(
    draws: Mapping[str, npt.ArrayLike],
    *,
    diverging: npt.ArrayLike | None = None,
    periods: Mapping[str, float] | None = None,
) -> Diagnostics:
    """Compute the diagnostics and say what they mean.

    Parameters
    ----------
    draws
        By parameter, ``(chains, draws)``; one chain is compared with itself, first half against second.
    diverging
        ``bool (chains, draws)``; None for a sampler without divergences.
    periods
        Of the parameters that are angles: they are cut open opposite to their mean, so that 1 and 179 degrees are near.

    Raises
    ------
    InputError
        No parameters, draws of unequal shape, fewer than four a chain, or draws that are not finite.
    """
    chains = {name: _chains(name, x, (periods or {}).get(name)) for name, x in draws.items()}
    if len({x.shape for x in chains.values()}) != 1:
        raise InputError("diagnostics: give every parameter the same number of chains and draws")
    n_draws = next(iter(chains.values())).size
    # The library takes a second to load, most of it for SciPy.
    from arviz_stats.base import array_stats

    def each(of: Callable[[FloatArray], float]) -> dict[str, float]:
        return {n: float(of(x)) if np.ptp(x) > 0 else float("nan") for n, x in chains.items()}

    r_hat = each(lambda x: array_stats.rhat(x, method="rank"))
    bulk = each(lambda x: array_stats.ess(x, method="bulk"))
    tail = each(lambda x: array_stats.ess(x, method="tail", prob=_TAILS))
    divergences = 0 if diverging is None else int(np.sum(diverging))
    found = [
        finding
        for name in chains
        for finding in (_read_mixing(name, r_hat[name]), _read_size(name, bulk[name], tail[name]))
    ]
    found.append(_read_divergences(divergences, n_draws))
    found.sort(key=lambda finding: -_RANK[finding[0]])
    return Diagnostics(
        r_hat,
        bulk,
        tail,
        divergences,
        n_draws,
        found[0][0],
        tuple(text for status, text in found if status != "ok"),
    )


_RANK: dict[Status, int] = {"ok": 0, "caution": 1, "failed": 2}
_Finding = tuple[Status, str]


def _chains(name: str, draws: npt.ArrayLike, period: float | None) -> FloatArray:
    x = np.asarray(draws, np.float64)
    if x.ndim != 2 or x.shape[1] < _FEWEST_DRAWS:
        raise InputError(f"{name}: draws of shape {x.shape}; give (chains, draws) with at least four draws")
    if not np.isfinite(x).all():
        raise InputError(f"{name}: {np.sum(~np.isfinite(x))} draws are not finite; mend the sampler")
    return x if period is None else wrap(x - circular_mean(x.ravel(), period), period)


def _read_mixing(name: str, r_hat: float) -> _Finding:
    if np.isnan(r_hat):
        return "failed", f"{name} never moved: its draws are all the same and give no interval"
    if r_hat <= R_HAT_OK:
        return "ok", ""
    if r_hat <= R_HAT_CAUTION:
        return (
            "caution",
            f"chains disagree about {name} (R-hat {r_hat:.3f}): treat its interval as provisional; run more draws",
        )
    return (
        "failed",
        f"chains tell different stories about {name} (R-hat {r_hat:.3f}): its interval means nothing; "
        "run longer or look for several solutions",
    )


def _read_size(name: str, bulk: float, tail: float) -> _Finding:
    least = min(bulk, tail)
    if np.isnan(least) or least >= ESS_OK:
        return "ok", ""
    worth = f"the draws of {name} are worth only {least:.0f} independent ones"
    of = "" if bulk <= tail else " in its tails"
    if least >= ESS_CAUTION:
        return "caution", f"{worth}{of}: the ends of its interval are rough; run more draws"
    return "failed", f"{worth}{of}: too few for an interval; run more draws"


def _read_divergences(n: int, n_draws: int) -> _Finding:
    if n == 0:
        return "ok", ""
    what = f"{n} of {n_draws} draws diverged"
    if n <= DIVERGENT_CAUTION * n_draws:
        return (
            "caution",
            f"{what}: a small region may be missing; take smaller steps (higher target acceptance)",
        )
    return (
        "failed",
        f"{what}: the sampler misses part of the posterior; take smaller steps or change the coordinates",
    )

"""Draws docs/figures/identifiability.png and docs/figures/predictive_check.png and prints the text report of
docs/identifiability.md.

    python docs/scripts/identifiability.py [--trust]

The posterior is made up: it shows how each verdict looks, and one chain of ``gain_sd`` disagrees with the others. The
predictive check is of a tuning curve model whose Fano factor is too small for the recording. Takes a few seconds.

``--trust`` prints instead how often each verdict is right with few draws; takes half a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import stats

from ketune import inference
from ketune.report import _posterior_figures as figures
from ketune.report import _style as style

FIGURES = Path(__file__).parents[1] / "figures"
CHAINS, DRAWS = 4, 1000
LABELS = {
    "peak_rate_hz": "afferent peak rate",
    "preferred_basal_deg": "preferred, basal",
    "preferred_apical_deg": "preferred, apical",
    "nmda_nS": "NMDA synapse",
    "pv_nS": "PV synapse",
    "sst_nS": "SST synapse",
    "gain_sd": "shared gain SD",
    "drug_nmda": "drug: NMDA factor",
}
ORIENTATION_deg = np.r_[np.arange(0.0, 180.0, 20.0), np.nan]


def made_up() -> tuple[list[figures.ParameterRow], dict[str, np.ndarray]]:
    """Rows of a posterior that shows every verdict, and its draws."""
    rng = np.random.default_rng(0)

    def lognormal(low: float, high: float) -> np.ndarray:
        """The prior whose 95 % range goes from low to high."""
        middle, sd = np.log([low * high, high / low]) / [2, 2 * 1.96]
        return np.exp(middle + sd * rng.standard_normal(CHAINS * DRAWS))

    z = rng.standard_normal((8, CHAINS * DRAWS))
    uniform = rng.random(CHAINS * DRAWS)
    silenced = lognormal(0.4, 3.0)
    cases = {
        "peak_rate_hz": ("Hz", lognormal(0.4, 6), 2.1 * np.exp(0.11 * z[0])),
        "preferred_basal_deg": ("deg", 180 * rng.random(z.shape[1]), (171 + 4 * z[1]) % 180),
        "preferred_apical_deg": ("deg", 180 * rng.random(z.shape[1]), (20 + 34 * z[2]) % 180),
        "nmda_nS": ("nS", lognormal(0.2, 1.2), 0.55 * np.exp(0.14 * z[3] - 0.07 * z[0])),
        "pv_nS": ("nS", lognormal(0.4, 3), 1.2 * np.exp(0.33 * z[4])),
        "sst_nS": ("nS", silenced, rng.choice(silenced[silenced < 0.87], silenced.size)),
        "gain_sd": ("", lognormal(0.04, 0.4), lognormal(0.05, 0.38) * np.repeat([1.2, 1, 1, 1], DRAWS)),
        "drug_nmda": ("", uniform, np.minimum(rng.exponential(0.03, z.shape[1]), 0.99)),
    }
    rows = []
    for name, (unit, prior, posterior) in cases.items():
        period = 180.0 if unit == "deg" else None
        bounds = (0.0, 1.0) if name == "drug_nmda" else None
        log = period is None and bounds is None
        found = inference.identify(
            name, posterior, prior, unit=unit, period=period, to_normal=np.log if log else None,
            bounds=bounds,
        )  # fmt: skip
        rows.append(
            figures.ParameterRow(
                LABELS[name],
                unit,
                posterior,
                prior,
                _mode(posterior, log),
                found,
                log=log,
                bounds=bounds,
                period=period,
            )
        )
    return rows, {name: posterior for name, (_, _, posterior) in cases.items()}


def _mode(draws: np.ndarray, log: bool) -> float:
    """Where a kernel density of the draws is highest: what stands for the MAP of a made-up posterior."""
    at = np.log(draws) if log else draws
    grid = np.linspace(at.min(), at.max(), 400)
    best = grid[np.argmax(stats.gaussian_kde(at)(grid))]
    return float(np.exp(best) if log else best)


def report(rows: list[figures.ParameterRow], draws: dict[str, np.ndarray]) -> str:
    """The text that the terminal would show."""
    periods = {r.found.name: r.period for r in rows if r.period}
    by_chain = {name: x.reshape(CHAINS, DRAWS) for name, x in draws.items()}
    return inference.fit_report(
        model={"cell": "made up", "conditions": "control, drug"},
        statistics={"# method": "NUTS, 4 chains of 1000 draws", "# variables": len(rows)},
        values={r.found.name: r.best for r in rows},
        errors={r.found.name: float(np.std(r.posterior)) for r in rows if not r.period}
        | {r.found.name: (r.found.high - r.found.low) / 3.29 for r in rows if r.period},
        units={r.found.name: r.unit for r in rows},
        identifiability={r.found.name: r.found for r in rows},
        correlations=inference.posterior_correlations(draws, periods=periods),
        diagnostics=inference.diagnose(by_chain, periods=periods),
    )


def predictive() -> inference.PredictiveCheck:
    """Poisson replicates against recordings whose gain changes from trial to trial, more so with the drug."""
    rng = np.random.default_rng(1)
    recorded, replicated = {}, {}
    for condition, preferred, peak, spread in (("control", 85.0, 18.0, 0.1), ("ketamine", 93.0, 11.0, 0.45)):
        off = (ORIENTATION_deg - preferred + 90) % 180 - 90
        mean = np.where(np.isnan(off), 1.5, 2.0 + peak * np.exp(-0.5 * (off / 22) ** 2))
        gain = np.exp(spread * rng.standard_normal((len(mean), 25)) - spread**2 / 2)
        recorded[condition] = rng.poisson(mean[:, None] * gain)
        scale = np.exp(0.05 * rng.standard_normal((1000, 1, 1)))
        replicated[condition] = rng.poisson(scale * mean[:, None], (1000, len(mean), 25))
    return inference.check_predictive(replicated, recorded, ORIENTATION_deg, window_s=1.0)


def trust() -> None:
    """Percentage of 500 posteriors that get the word of their law, by number of draws."""
    rng = np.random.default_rng(0)
    prior = rng.standard_normal(4000)
    laws = {
        "the prior": ("unidentified", stats.norm()),
        "lower half": ("one-sided", stats.truncnorm(-np.inf, 0.0)),
        "lowest third": ("one-sided", stats.truncnorm(-np.inf, -0.43)),
        "lowest sixth": ("one-sided", stats.truncnorm(-np.inf, -1.0)),
        "normal, SD 0.4": ("identified", stats.norm(0, 0.4)),
        "normal, SD 0.6": ("unidentified", stats.norm(0, 0.6)),
    }
    for name, (verdict, law) in laws.items():
        right = [
            np.mean(
                [
                    inference.identify("x", law.rvs(n, random_state=rng), prior).verdict == verdict
                    for _ in range(500)
                ]
            )
            for n in (100, 200, 400, 1000)
        ]
        print(f"{name:16}{verdict:14}", *(f"{100 * share:7.1f}" for share in right))


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trust", action="store_true")
    if parser.parse_args().trust:
        trust()
        return
    rows, draws = made_up()
    check = predictive()
    with style.style():
        fig = style.figure(*figures.identifiability_size(len(rows)))
        figures.draw_identifiability(fig, rows)
        fig.savefig(FIGURES / "identifiability.png", dpi=130)
        fig = style.figure(*figures.predictive_size(check))
        figures.draw_predictive(fig, check)
        fig.savefig(FIGURES / "predictive_check.png", dpi=130)
    print(report(rows, draws))
    print("\n".join(f"{r.found.name}: {r.found.words}" for r in rows))
    print(check.words)


if __name__ == "__main__":
    main()

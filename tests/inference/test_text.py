"""The terminal's report, letter by letter."""

from __future__ import annotations

import numpy as np
import pytest

from ketune.inference import Diagnostics, Identifiability, fit_report, posterior_correlations

GOLDEN = """\
[[Model]]
    cell:      cat V1 L2/3, 199 compartments
    condition: control, ketamine
[[Fit Statistics]]
    # method       = NUTS
    # data points  = 500
    log-likelihood = -1234.57
[[Variables]]
    nmda_nS:             0.43123 +/- 0.0312 nS (7.24%) [0.3812, 0.4889]  identified, contraction 0.93
    preferred_basal_deg: 179 +/- 2.5 deg [174.9, 183.1]                  identified, contraction 0.99
    sst_nS:              2 nS [0.6, 2.9]                                 unidentified, contraction -0.02
    pv:                  0 +/- 0.1 [-inf, 0.2]                           one-sided, contraction n/a
[[Correlations]] (unreported correlations are < 0.300)
    C(nmda_nS, sst_nS) = -0.9000
    C(nmda_nS, pv)     = +0.5000
[[Sampler]] caution
    chains disagree about sst_nS (R-hat 1.04): treat its interval as provisional; run more draws
"""


def found(name: str, verdict, contraction: float, low: float, high: float) -> Identifiability:
    return Identifiability(name, verdict, contraction, low, high, 0.9, "posterior", (low + high) / 2, "")


def test_the_report():
    message = "chains disagree about sst_nS (R-hat 1.04): treat its interval as provisional; run more draws"
    text = fit_report(
        model={"cell": "cat V1 L2/3, 199 compartments", "condition": "control, ketamine"},
        statistics={"# method": "NUTS", "# data points": 500, "log-likelihood": -1234.5678},
        values={"nmda_nS": 0.431234, "preferred_basal_deg": 179.0, "sst_nS": 2.0, "pv": 0.0},
        errors={"nmda_nS": 0.03123, "preferred_basal_deg": 2.5, "sst_nS": float("nan"), "pv": 0.1},
        units={"nmda_nS": "nS", "preferred_basal_deg": "deg", "sst_nS": "nS"},
        identifiability={
            "nmda_nS": found("nmda_nS", "identified", 0.931, 0.3812, 0.48893),
            "preferred_basal_deg": found("preferred_basal_deg", "identified", 0.99, 174.9, 183.1),
            "sst_nS": found("sst_nS", "unidentified", -0.02, 0.6, 2.9),
            "pv": found("pv", "one-sided", float("nan"), float("-inf"), 0.2),
        },
        correlations={("nmda_nS", "pv"): 0.5, ("nmda_nS", "sst_nS"): -0.9, ("pv", "sst_nS"): 0.29},
        diagnostics=Diagnostics({}, {}, {}, 0, 4000, "caution", (message,)),
    )
    assert text == GOLDEN
    assert text.isascii()


def test_sections_that_have_nothing_to_say_are_left_out():
    text = fit_report(model={}, statistics={}, values={}, errors={}, identifiability={}, correlations={})
    none = "(unreported correlations are < 0.300)"
    assert text == f"[[Model]]\n[[Fit Statistics]]\n[[Variables]]\n[[Correlations]] {none}\n"
    ok = Diagnostics({}, {}, {}, 0, 4000, "ok", ())
    assert "[[Sampler]]" not in fit_report(
        model={}, statistics={}, values={}, errors={}, identifiability={}, diagnostics=ok
    )


def test_correlations_are_pearsons_and_cross_the_circle():
    rng = np.random.default_rng(0)
    a, b = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], (4, 500)).transpose(2, 0, 1)
    correlations = posterior_correlations(
        {"a": a, "b": b, "angle": 3 * a % 180, "fixed": np.ones_like(a)}, periods={"angle": 180}
    )
    assert correlations["a", "b"] == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert correlations["a", "angle"] == pytest.approx(1)
    assert correlations["b", "fixed"] == 0
    assert len(correlations) == 6

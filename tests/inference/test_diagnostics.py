"""Diagnostics of chains whose answer is known, and what the user is told of them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.inference import diagnose

N_CHAINS, N_DRAWS = 4, 1000


def independent(seed: int, shape: tuple[int, int] = (N_CHAINS, N_DRAWS)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def autoregressive(phi: float, seed: int) -> np.ndarray:
    noise = independent(seed) * np.sqrt(1 - phi**2)
    x = np.empty_like(noise)
    x[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for t in range(1, N_DRAWS):
        x[:, t] = phi * x[:, t - 1] + noise[:, t]
    return x


def test_independent_draws_are_ok_and_count_in_full():
    found = diagnose(
        {"a": independent(0), "b": independent(1)}, diverging=np.zeros((N_CHAINS, N_DRAWS), bool)
    )
    assert (found.status, found.messages, found.divergences, found.n_draws) == ("ok", (), 0, 4000)
    for name in ("a", "b"):
        assert found.r_hat[name] < 1.01
        assert found.ess_bulk[name] == pytest.approx(4000, rel=0.15)
        assert found.ess_tail[name] == pytest.approx(4000, rel=0.2)


def test_correlated_draws_count_as_theory_says():
    phi = 0.8
    found = diagnose({"a": autoregressive(phi, 2)})
    # The integrated autocorrelation time of an AR(1) process is (1 + phi) / (1 - phi).
    assert found.ess_bulk["a"] == pytest.approx(4000 * (1 - phi) / (1 + phi), rel=0.25)


def test_r_hat_is_that_of_its_formula():
    from scipy import stats

    x = autoregressive(0.5, 3)
    x[0] += 0.4
    halves = np.concatenate([x[:, :500], x[:, 500:]])

    def plain(y: np.ndarray) -> float:
        z = stats.norm.ppf((stats.rankdata(y).reshape(y.shape) - 0.375) / (y.size + 0.25))
        within, between = z.var(axis=1, ddof=1).mean(), z.mean(axis=1).var(ddof=1)
        return float(np.sqrt((499 / 500 * within + between) / within))

    expected = max(plain(halves), plain(np.abs(halves - np.median(halves))))
    assert diagnose({"a": x}).r_hat["a"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("offset", "status", "words"), [(0.35, "caution", "provisional"), (3.0, "failed", "means nothing")]
)
def test_chains_that_disagree(offset: float, status: str, words: str):
    x = independent(4)
    x[0] += offset
    found = diagnose({"fine": independent(5), "nmda_nS": x})
    assert found.status == status
    assert len([m for m in found.messages if "nmda_nS (R-hat 1." in m and words in m]) == 1
    assert not any("fine" in m for m in found.messages)


def test_few_effective_draws():
    found = diagnose({"a": autoregressive(0.9, 6)})
    assert found.status == "caution"
    assert any("independent ones" in m for m in found.messages)
    assert diagnose({"a": independent(7, (1, 60))}).status == "failed"


@pytest.mark.parametrize(("n", "status"), [(0, "ok"), (1, "caution"), (40, "caution"), (41, "failed")])
def test_divergences(n: int, status: str):
    diverging = np.zeros(N_CHAINS * N_DRAWS, bool)
    diverging[:n] = True
    found = diagnose({"a": independent(8)}, diverging=diverging.reshape(N_CHAINS, N_DRAWS))
    assert (found.divergences, found.status) == (n, status)
    assert all(m.startswith(f"{n} of 4000 draws diverged") for m in found.messages)


def test_a_parameter_that_never_moved_is_told_first():
    x = independent(9)
    x[0] += 0.35
    found = diagnose({"a": x, "b": np.ones((N_CHAINS, N_DRAWS))})
    assert found.status == "failed"
    assert found.messages[0].startswith("b never moved")
    assert found.messages[1].startswith("chains disagree about a")
    assert np.isnan(found.r_hat["b"])


def test_orientations_around_zero_do_not_look_like_two_groups():
    x = 5 * independent(10) % 180
    assert diagnose({"a": x}, periods={"a": 180}).ess_bulk["a"] == pytest.approx(4000, rel=0.15)
    shifted = diagnose({"a": (5 * independent(10) + 60) % 180}, periods={"a": 180})
    assert shifted.ess_tail == pytest.approx(diagnose({"a": x}, periods={"a": 180}).ess_tail)


@pytest.mark.parametrize(
    ("draws", "message"),
    [
        ({}, "same number of chains"),
        ({"a": np.zeros(10)}, r"a: draws of shape \(10,\)"),
        ({"a": np.zeros((4, 3))}, "at least four draws"),
        ({"a": np.zeros((4, 10)), "b": np.zeros((4, 11))}, "same number"),
        ({"a": np.full((4, 10), np.nan)}, "40 draws are not finite"),
    ],
)
def test_what_is_no_chain_is_refused(draws, message: str):
    with pytest.raises(InputError, match=message):
        diagnose(draws)


def test_importing_the_package_loads_none_of_the_libraries_used_late():
    code = (
        "import sys, ketune.inference; print([m for m in ('arviz_stats', 'xarray', 'h5netcdf', 'blackjax', 'optax') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

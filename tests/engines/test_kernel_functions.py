"""The elementary functions of kernel/vector.hpp against mpmath, in units in the last place."""

import ctypes
import platform
from importlib import resources

import mpmath
import numpy as np
import pytest

from ketune._compiled import compiler
from ketune.engines import _native_build
from ketune.engines._kernel_structures import aligned_copy

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

UNARY = ("exp_", "inverse", "sqrt_", "abs_", "log_", "tanh_")
BINARY = ("div_", "min_", "max_")
INF, NAN = np.inf, np.nan
# Where exp no longer follows, in either precision: it stays at its value there, which is a normal number.
LIMIT = {np.float32: 87.0, np.float64: 708.0}
MOST_ULP = {
    ("exp_", np.float32): 2.0,
    ("exp_", np.float64): 1.5,
    ("inverse", np.float32): 1.5,
    ("inverse", np.float64): 1.5,
    ("div_", np.float32): 2.0,
    ("div_", np.float64): 1.5,
}
EVERY_REAL = pytest.mark.parametrize("real", [np.float32, np.float64])


@pytest.fixture(
    scope="module",
    params=[(), ("-mno-avx512f",), ("-march=x86-64",)],
    ids=["this machine", "no AVX-512", "plain x86-64"],
)
def flags(request):
    if request.param and platform.machine() != "x86_64":
        pytest.skip("options of another processor")
    return request.param


def library(folder, real, flags):
    header = resources.files("ketune.engines").joinpath("kernel", "vector.hpp").read_text()
    lines = ["#define DOUBLE" if real is np.float64 else "", header, 'extern "C" {']
    for name, n in [*((u, 1) for u in UNARY), *((b, 2) for b in BINARY)]:
        arguments = ", ".join(f"*(const V*)(a{i} + k)" for i in range(n))
        signature = ", ".join(f"const real* a{i}" for i in range(n))
        lines.append(
            f"void many_{name}({signature}, real* y, int64_t n)"
            f" {{ for (int64_t k = 0; k < n; k += W) *(V*)(y + k) = {name}({arguments}); }}"
        )
    lines.append("int64_t lanes() { return W; } }")
    source, built = (folder / f"{np.dtype(real).name}.{ending}" for ending in ("cpp", "so"))
    source.write_text("\n".join(lines))
    command = [*compiler().split(), *_native_build._FULL, *flags, "-shared", str(source), "-o", str(built)]
    assert not _native_build._first_failure([command])
    return ctypes.CDLL(str(built))


@pytest.fixture(scope="module")
def call(tmp_path_factory, flags):
    folder = tmp_path_factory.mktemp("functions")
    of_real = {real: library(folder, real, flags) for real in (np.float32, np.float64)}

    def called(name, real, *arrays):
        arrays = np.broadcast_arrays(*(np.asarray(a, real) for a in arrays))
        n = arrays[0].size
        padded = [aligned_copy(np.pad(a.ravel(), (0, -n % 64)), real) for a in arrays]
        y = aligned_copy(padded[0], real)
        of_real[real][f"many_{name}"](
            *(ctypes.c_void_p(a.ctypes.data) for a in [*padded, y]), ctypes.c_int64(y.size)
        )
        return y[:n].copy()

    return called


def ulps(found, exact, real):
    """Distance of each from the exact number, in the spacing of numbers there."""
    nearest = np.array([float(x) for x in exact]).astype(real)
    with mpmath.workprec(200):
        return max(
            float(abs(mpmath.mpf(float(f)) - x) / mpmath.mpf(float(np.spacing(abs(at)))))
            for f, x, at in zip(found, exact, nearest, strict=True)
        )


def spread(low, high, n, real, seed=0):
    return np.random.default_rng(seed).uniform(low, high, n).astype(real)


@EVERY_REAL
def test_exp_over_its_whole_range(call, real):
    limit = LIMIT[real]
    x = np.concatenate(
        [
            spread(-limit, limit, 4000, real),
            spread(-1, 1, 1000, real),
            (np.arange(-100, 101) * np.log(2) / 2).astype(real),  # where the halves of its range meet
            np.array([0.0, -0.0, limit, -limit, 1e-30, -1e-30, np.finfo(real).smallest_subnormal], real),
        ]
    )
    x = x[np.abs(x) <= limit]
    with mpmath.workprec(200):
        exact = [mpmath.exp(mpmath.mpf(float(a))) for a in x]
    assert ulps(call("exp_", real, x), exact, real) <= MOST_ULP["exp_", real]
    assert call("exp_", real, [0.0])[0] == 1.0


@EVERY_REAL
def test_exp_stays_where_it_would_leave_the_normal_numbers(call, real):
    """Capped, so that its inverse and its quotients are right too."""
    limit = LIMIT[real]
    top, bottom = call("exp_", real, [limit, -limit])
    x = np.array([limit * 1.001, 1e4, np.finfo(real).max, INF], real)
    np.testing.assert_array_equal(call("exp_", real, x), top)
    np.testing.assert_array_equal(call("exp_", real, -x), bottom)
    tiny = np.finfo(real).tiny
    assert tiny < bottom < 1e-30
    assert tiny < 1 / top
    assert np.isfinite(4 * top)
    np.testing.assert_allclose(call("div_", real, [top], [top]), 1.0, rtol=1e-6)
    np.testing.assert_allclose(call("div_", real, [top], [1 + top]), 1.0, rtol=1e-6)


@EVERY_REAL
@pytest.mark.parametrize("name", UNARY)
def test_nan_stays_nan_in_its_lane(call, real, name):
    x = np.linspace(0.5, 2.0, 64).astype(real)
    for lane in (0, 5, 17, 63):
        with_nan = x.copy()
        with_nan[lane] = NAN
        found, expected = call(name, real, with_nan), call(name, real, x)
        assert np.isnan(found[lane])
        others = np.arange(64) != lane
        np.testing.assert_array_equal(found[others], expected[others])


@EVERY_REAL
def test_quotients(call, real):
    info = np.finfo(real)
    span = 0.45 * np.log2(float(info.max))
    x, y = (
        np.sign(spread(-1, 1, 4000, real, s)) * 2 ** spread(-span, span, 4000, real, s + 9) for s in (1, 2)
    )
    with mpmath.workprec(200):
        exact = [mpmath.mpf(float(a)) / mpmath.mpf(float(b)) for a, b in zip(x, y, strict=True)]
        inverses = [1 / mpmath.mpf(float(b)) for b in y]
    assert ulps(call("div_", real, x, y), exact, real) <= MOST_ULP["div_", real]
    assert ulps(call("inverse", real, y), inverses, real) <= MOST_ULP["inverse", real]


@EVERY_REAL
def test_quotients_at_zero_and_infinity(call, real):
    """As IEEE has them: a mechanism may divide by 0 in a branch that it does not take."""
    values = np.array([0.0, -0.0, 1.5, -2.0, INF, -INF, NAN], real)
    x, y = (a.ravel() for a in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(call("div_", real, x, y), x / y)
        np.testing.assert_array_equal(call("inverse", real, values), 1 / values)


@EVERY_REAL
@pytest.mark.parametrize(("name", "numpys"), [("min_", np.minimum), ("max_", np.maximum)])
def test_the_smaller_and_the_larger(call, real, name, numpys):
    """NaN comes through from either side."""
    values = np.array([-3.0, 0.0, 2.5, INF, -INF, NAN], real)
    x, y = (a.ravel() for a in np.meshgrid(values, values))
    np.testing.assert_array_equal(call(name, real, x, y), numpys(x, y))


@EVERY_REAL
@pytest.mark.parametrize(("name", "numpys"), [("sqrt_", np.sqrt), ("log_", np.log), ("tanh_", np.tanh)])
def test_rarer_functions(call, real, name, numpys):
    x = spread(1e-3, 50.0, 500, real)
    np.testing.assert_allclose(call(name, real, x), numpys(x.astype(float)), rtol=2 * np.finfo(real).eps)
    assert call("abs_", real, [-2.0, 3.0, -INF]).tolist() == [2.0, 3.0, INF]

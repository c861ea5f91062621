"""Logarithm and power of the kernel against the system's, in units in the last place."""

import ctypes

import numpy as np
import pytest

from ketune._compiled import compiler
from ketune.engines import _native_build
from ketune.engines._kernel_structures import aligned, aligned_copy
from ketune.engines._native_source import kernel_file

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

SOURCE = """
extern "C" void log_of(const V* x, V* y, int64_t n) { for (int64_t i = 0; i < n; ++i) y[i] = log_(x[i]); }
extern "C" void pow_of(const V* x, const V* e, V* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] = pow_(x[i], e[i]);
}
extern "C" int64_t lanes() { return W; }
"""
N = 1 << 18


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float32", "float64"])
def functions(request, tmp_path_factory):
    """Of arrays, whose size is a multiple of a vector's."""
    dtype = request.param
    text = ("#define DOUBLE\n" if dtype is np.float64 else "") + kernel_file("vector.hpp") + SOURCE
    folder = tmp_path_factory.mktemp("functions")
    source, built = folder / "functions.cpp", folder / "functions.so"
    source.write_text(text)
    command = [*compiler().split(), *_native_build._FULL, "-shared", str(source), "-o", str(built)]
    assert not _native_build._first_failure([command])
    library = ctypes.CDLL(str(built))
    library.lanes.restype = ctypes.c_int64

    def called(name, *arrays):
        given = [aligned_copy(np.broadcast_to(x, arrays[0].shape), dtype) for x in arrays]
        result = aligned(given[0].shape, dtype)
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in (*given, result)]
        getattr(library, name)(*pointers, ctypes.c_int64(result.size // library.lanes()))
        return result

    return dtype, called


def in_ulp(found, expected):
    """``expected`` in a wider format."""
    nearest = expected.astype(found.dtype)
    return np.max(np.abs((found - expected) / np.spacing(np.abs(nearest))))


def wider(x):
    return x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)


def test_the_logarithm_of_all_magnitudes_and_near_one(functions):
    dtype, called = functions
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    exponent = rng.uniform(np.log2(float(info.tiny)) + 1, np.log2(float(info.max)) - 1, N)
    for x in (2.0**exponent, rng.uniform(0.5, 2.0, N), 1.0 + rng.uniform(-1e-3, 1e-3, N)):
        x = x.astype(dtype)
        assert in_ulp(called("log_of", x), np.log(wider(x))) < 1.5


def test_the_logarithm_where_there_is_none(functions):
    dtype, called = functions
    x = np.resize(np.array([0.0, -0.0, -1.0, np.inf, -np.inf, np.nan, 1.0, np.finfo(dtype).max], dtype), 16)
    expected = np.array([-np.inf, -np.inf, np.nan, np.inf, np.nan, np.nan, 0.0, np.log(np.finfo(dtype).max)])
    np.testing.assert_allclose(called("log_of", x), np.resize(expected, 16), rtol=1e-6)


@pytest.mark.parametrize("exponent", [4.8, 3.8, 0.5, -1.7])
def test_powers(functions, exponent):
    """The error grows with the logarithm of the result."""
    dtype, called = functions
    x = np.random.default_rng(1).uniform(0.02, 30.0, N).astype(dtype)
    e = dtype(exponent)
    exact = wider(x) ** wider(e)
    assert in_ulp(called("pow_of", x, e), exact) < 2.0 + 2.0 * np.max(np.abs(np.log(exact)))


def test_powers_that_no_logarithm_gives(functions):
    """Among ordinary lanes."""
    dtype, called = functions
    x = np.array([0.0, -2.0, -2.0, np.inf, np.nan, 3.0, 1e30, 2.0], dtype)
    e = np.array([4.8, 3.0, 0.5, -1.0, 2.0, 0.0, 9.0, 2.0], dtype)
    with np.errstate(all="ignore"):
        expected = np.resize(np.power(x, e), 16)
    np.testing.assert_allclose(called("pow_of", np.resize(x, 16), np.resize(e, 16)), expected, rtol=1e-5)

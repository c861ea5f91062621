"""The kernel for processors and compilers that are not this machine's: the same results from narrower vectors."""

import platform
import stat
import warnings
from functools import cache

import numpy as np
import pytest
from test_tape import depolarising, smooth_readout

from ketune._compiled import compiler
from ketune.engines import describe
from ketune.engines._native_build import kernel
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine
from ketune.events import Events
from ketune.verify_cases import DT_ms, mechanism_case

COMPILER = compiler()
pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="options of another processor"),
]
N_STEPS, N_LANES = 400, 11
# Bytes of a vector.
FLAGS = {"-mno-avx512f": 32, "-march=x86-64-v3": 32, "-march=x86-64": 16}
CURRENT_nA = depolarising(N_STEPS)[:, None] * np.linspace(-0.5, 2.0, N_LANES)


@cache
def case(name):
    return mechanism_case(name, N_STEPS * DT_ms)


@cache
def twins_tape(name):
    return tape_of(JaxEngine(case(name).cell, dt_ms=DT_ms, dtype=np.float64), name)


def tape_of(engine, name):
    lanes = Events.stack([case(name).events.select([0])] * N_LANES)
    keys = [(name, key) for key in case(name).cell.placement(name).parameters]
    overrides = {("leak", "g"): np.linspace(1e-4, 2e-4, N_LANES)[None, :]}
    return engine.tape(
        lanes, wrt=[*keys, ("leak", "g")], overrides=overrides, injected_nA=CURRENT_nA, record=(0, 4)
    )


@pytest.fixture
def narrow(monkeypatch, tmp_path):
    """Makes a compiler that ends every command with a flag, and a cache of its own."""

    def use(flag):
        script = tmp_path / "compiler"
        script.write_text(f'#!/bin/sh\nexec {COMPILER} "$@" {flag}\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("CXX", str(script))
        monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "cache"))

    return use


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("name", ["nav", "NMDA"])
def test_voltages_and_gradient(narrow, name, flag):
    narrow(flag)
    engine = NativeEngine(case(name).cell, dt_ms=DT_ms, dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tape = tape_of(engine, name)
    assert describe(engine)["name"] == "native"
    expected = twins_tape(name)
    np.testing.assert_allclose(tape.v_mV, expected.v_mV, rtol=0, atol=1e-6)
    cotangent = smooth_readout(expected.v_mV)
    found, right = (t.gradient(cotangent) for t in (tape, expected))
    for key, x in right.parameters.items():
        np.testing.assert_allclose(
            found.parameters[key], x, rtol=0, atol=1e-9 * np.abs(x).max(), err_msg=str(key)
        )
    np.testing.assert_allclose(
        found.weight, right.weight, rtol=0, atol=1e-9 * np.abs(right.weight).max(initial=0.0)
    )


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_width(narrow, flag, dtype):
    """As many lanes as a register of that processor holds."""
    narrow(flag)
    engine = NativeEngine(case("NMDA").cell, dt_ms=DT_ms, dtype=dtype)
    parameters = engine.twin.parameters()
    source = engine.printer.print(parameters, engine.twin.initial(parameters, 1)[1])
    assert kernel(source.text).lanes() == FLAGS[flag] // np.dtype(dtype).itemsize

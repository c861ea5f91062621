"""Which engine a cell gets."""

import numpy as np
import pytest

from ketune.engines import create, describe
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.native_engine import NativeEngine, compiler
from ketune.errors import InputError
from ketune.verify_cases import mechanism_case

OPTIONS = {"dt_ms": 0.05, "dtype": np.float32}
needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")


@pytest.fixture
def cell():
    return mechanism_case("leak", 1.0).cell


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


@needs_compiler
@pytest.mark.parametrize(
    ("engine", "kind"), [("auto", NativeEngine), ("native", NativeEngine), ("xla", JaxEngine)]
)
def test_choices(cell, engine, kind):
    made = create(cell, engine, **OPTIONS)
    assert type(made) is kind
    assert made.twin.dt_ms == 0.05
    assert made.twin.dtype == np.float32


@needs_compiler
def test_an_accelerator_runs_xla_unless_native_is_asked_for(cell, monkeypatch):
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert type(create(cell, **OPTIONS)) is JaxEngine
    assert type(create(cell, "native", **OPTIONS)) is NativeEngine


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler(cell):
    assert type(create(cell, **OPTIONS)) is JaxEngine
    with pytest.raises(InputError, match=r"no C\+\+ compiler; install") as found:
        create(cell, "native", **OPTIONS)
    assert "\n" not in str(found.value)


def test_an_unknown_engine_is_refused(cell):
    with pytest.raises(InputError, match="auto, native, xla"):
        create(cell, "gpu", **OPTIONS)


@needs_compiler
def test_what_the_provenance_says(cell):
    assert describe(create(cell, "xla", **OPTIONS)) == {"name": "xla", "precision": "float32", "dt_ms": 0.05}
    assert describe(create(cell, "native", **OPTIONS))["name"] == "native"
    handed_over = describe(create(mechanism_case("NMDA5", 1.0).cell, "native", **OPTIONS))
    assert handed_over["name"] == "xla"
    assert handed_over["not_native"]

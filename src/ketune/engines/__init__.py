"""Simulation of a cell: NEURON as the reference, a JAX twin for many lanes and for gradients, and its compiled form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from ketune.errors import InputError

if TYPE_CHECKING:
    from ketune.cell import Cell
    from ketune.engines.jax_engine import JaxEngine
    from ketune.engines.schemes import Scheme

Choice = Literal["auto", "native", "xla"]


def create(
    cell: Cell,
    engine: str = "auto",
    *,
    dt_ms: float,
    dtype: Any,
    scheme: Scheme = "backward_euler",
) -> JaxEngine:
    """An engine for many lanes of a cell.

    Parameters
    ----------
    engine
        ``"native"``: the compiled kernel; ``"xla"``: the twin under XLA; ``"auto"``: native on a CPU where a compiler
        is installed, XLA otherwise and where JAX runs on an accelerator.
    dt_ms, dtype, scheme
        See :class:`ketune.engines.twin.Twin`.

    Raises
    ------
    InputError
        The engine is unknown, or native and there is no compiler.
    """
    from ketune._compiled import compiler
    from ketune._jax import jax
    from ketune.engines.jax_engine import JaxEngine
    from ketune.engines.native_engine import NativeEngine

    check_choice(engine)
    on_cpu = jax.default_backend() == "cpu"
    native = engine == "native" or (engine == "auto" and on_cpu and compiler() is not None)
    kind = NativeEngine if native else JaxEngine
    return kind(cell, dt_ms=dt_ms, dtype=dtype, scheme=scheme)


def check_choice(engine: str) -> None:
    """Refuse an engine that is unknown, and the native one where nothing can compile it.

    Raises
    ------
    InputError
        See :func:`create`.
    """
    from ketune._compiled import compiler

    if engine not in get_args(Choice):
        raise InputError(f"engine '{engine}' is not known; choose one of {', '.join(get_args(Choice))}")
    if engine == "native" and compiler() is None:
        raise InputError(
            "engine 'native': there is no C++ compiler; install g++, name yours in CXX, or choose 'xla'"
        )


def describe(engine: JaxEngine) -> dict[str, Any]:
    """What an engine is, for the provenance of results: its name, precision and step, and the hash of its kernel or why
    it is not the native one.

    To be asked after its runs: whether the kernel compiles shows in the first of them.
    """
    from ketune.engines.native_engine import NativeEngine

    native = isinstance(engine, NativeEngine)
    reason = engine.reason_for_xla() if isinstance(engine, NativeEngine) else None
    entry: dict[str, Any] = {
        "name": "native" if native and reason is None else "xla",
        "precision": engine.twin.dtype.name,
        "dt_ms": engine.twin.dt_ms,
    }
    if reason is not None:
        return entry | {"not_native": reason}
    key = engine.kernel_key() if isinstance(engine, NativeEngine) else None
    return entry if key is None else entry | {"kernel": key}

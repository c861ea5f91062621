"""An engine's tape as a function that JAX differentiates in reverse: a readout in JAX can stand around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ketune._jax import jax, jnp
from ketune.cell import Overrides
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.tape import Key, Tape
from ketune.errors import InputError
from ketune.events import Events


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class _Kept:
    """A tape on its way from the forward to the backward rule, which JAX passes on unopened."""

    tape: Tape

    def tree_flatten(self) -> tuple[tuple[()], _Kept]:
        return (), self

    @classmethod
    def tree_unflatten(cls, kept: _Kept, _: tuple[()]) -> _Kept:
        return kept


Voltage = Callable[[Mapping[Key, Any], Any], Float[Array, "samples rows lanes"]]


def voltage_function(
    engine: JaxEngine,
    events: Events,
    *,
    overrides: Overrides | None = None,
    injected_nA: np.ndarray | None = None,
    record: Sequence[int] = (0,),
) -> Voltage:
    """Voltage as a function of parameters and event weights, for :func:`jax.grad` and :func:`jax.vjp`.

    The simulation runs outside JAX, so the function has numbers for arguments: it cannot stand inside :func:`jax.jit`
    or :func:`jax.vmap` (put parameter sets side by side as lanes instead). What is computed of its result may be
    compiled.

    Parameters
    ----------
    overrides
        Parameters that are not differentiated.
    injected_nA, record
        As in :meth:`JaxEngine.tape`.

    Returns
    -------
    Callable
        ``({(label, parameter): value}, weight) -> (n_steps + 1, rows, lanes)`` in mV; values in the shapes of
        overrides, weights ``(n_events,)``.

    Raises
    ------
    InputError
        When it is called inside a compiled or vectorised function; a parameter is unknown.
    """
    fixed = dict(overrides or {})

    def run(parameters: Mapping[Key, Any], weight: Any) -> Tape:
        given = [*parameters.values(), weight]
        if any(isinstance(x, jax.core.Tracer) for x in given):
            raise InputError(
                "a voltage function was called with traced values: it simulates outside JAX, so keep it out of jax.jit "
                "and jax.vmap"
            )
        return engine.tape(
            replace(events, weight=np.asarray(weight, float)),
            wrt=list(parameters),
            overrides={**fixed, **{key: np.asarray(x) for key, x in parameters.items()}},
            injected_nA=injected_nA,
            record=record,
        )

    # JAX sorts the keys of dictionaries and cannot compare ours with others, so they travel as a list.
    def of_lists(keys: tuple[Key, ...], values: list[Any], weight: Any) -> Array:
        return jnp.asarray(run(dict(zip(keys, values, strict=True)), weight).v_mV)

    def forward(keys: tuple[Key, ...], values: list[Any], weight: Any) -> tuple[Array, Any]:
        tape = run(dict(zip(keys, values, strict=True)), weight)
        return jnp.asarray(tape.v_mV), (_Kept(tape), values, weight)

    def backward(keys: tuple[Key, ...], kept: Any, cotangent: Array) -> tuple[list[Any], Any]:
        tape, values, weight = kept
        found = tape.tape.gradient(np.asarray(cotangent))
        slopes = [
            jnp.asarray(np.reshape(found.parameters[key], np.shape(x)), jnp.result_type(x))
            for key, x in zip(keys, values, strict=True)
        ]
        return slopes, jnp.asarray(found.weight, jnp.result_type(weight))

    function = jax.custom_vjp(of_lists, nondiff_argnums=(0,))
    function.defvjp(forward, backward)

    def voltage(parameters: Mapping[Key, Any], weight: Any) -> Float[Array, "samples rows lanes"]:
        return function(tuple(parameters), [jnp.asarray(x) for x in parameters.values()], jnp.asarray(weight))

    return voltage

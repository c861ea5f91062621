"""The C++ source of one cell's time step: a fixed frame around the printed mechanisms.

A block of lanes goes through all compartments, step after step, with its state in the core's cache: events, currents,
elimination from the tips to the root (Hines 1984), back-substitution, states. The order of operations is the twin's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketune._jax import jax, jnp
from ketune.engines._elementwise import Statements
from ketune.engines.twin import Parameters, Twin

_HEAD = r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

typedef REAL real;

// glibc has vector forms of these; declared like this they are used without the rest of fast-math.
#ifdef VECTOR_MATH
extern "C" {
__attribute__((simd("notinbranch"), const)) float expf(float) noexcept;
__attribute__((simd("notinbranch"), const)) double exp(double) noexcept;
}
#endif
static inline float exp_(float x) { return expf(x); }
static inline double exp_(double x) { return exp(x); }
#define SCALAR(name) template <typename T> static inline T name##_(T x) { return std::name(x); }
SCALAR(log) SCALAR(log1p) SCALAR(expm1) SCALAR(tanh) SCALAR(sinh) SCALAR(cosh) SCALAR(sin) SCALAR(cos) SCALAR(tan)
SCALAR(asin) SCALAR(acos) SCALAR(atan) SCALAR(sqrt) SCALAR(floor) SCALAR(ceil)
template <typename T> static inline T pow_(T x, T y) { return std::pow(x, y); }

struct Placement {
    int64_t n;
    const int32_t* rows;
    const real* to_nA;
    const real* c;
    const int32_t* row_of;
    const real* jump;
    real* s;
};
"""

_FRAME = r"""
extern "C" int64_t advance(
    int64_t first_step, int64_t n_steps, int64_t n_nodes,
    const int32_t* order, const int32_t* parent, const real* coupling, const real* fixed_diagonal,
    const int64_t* counts, void* const* pointers,
    const int64_t* event_first, const int32_t* event_compartment, const int32_t* event_lane,
    const int32_t* event_port, const double* event_weight,
    real* v, real* work, int64_t n_recorded, const int32_t* recorded, int64_t stride, real* trace,
    real threshold, int32_t* above, int32_t* spike_step, int32_t* spike_lane)
{
#ifdef __SSE__
    // Synaptic states decay without end; arithmetic on denormal numbers would take a hundred times as long.
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);
#endif
    Placement p[N_PLACEMENTS];
    for (int k = 0; k < N_PLACEMENTS; ++k) {
        void* const* q = pointers + 6 * k;
        p[k] = Placement{counts[k], (const int32_t*)q[0], (const real*)q[1], (const real*)q[2],
                         (const int32_t*)q[3], (const real*)q[4], (real*)q[5]};
    }
    real* __restrict d = work;
    real* __restrict r = work + n_nodes * W;
    int64_t n_spikes = 0, n_samples = 0;
    for (int64_t step = 0; step < n_steps; ++step) {
        for (int64_t e = event_first[step]; e < event_first[step + 1]; ++e)
            deliver(p, event_port[e], event_compartment[e], event_lane[e], real(event_weight[e]));
        for (int64_t i = 0; i < n_nodes; ++i)
            for (int l = 0; l < W; ++l) { d[i * W + l] = fixed_diagonal[i]; r[i * W + l] = 0; }
        currents(p, v, d, r);
        for (int64_t k = 0; k < n_nodes - 1; ++k) {
            const int64_t i = order[k], up = parent[i];
            const real g = coupling[i];
            real* __restrict vi = v + i * W; real* __restrict vu = v + up * W;
            #pragma omp simd
            for (int l = 0; l < W; ++l) {
                const real flow = g * (vu[l] - vi[l]);
                r[i * W + l] += flow;
                r[up * W + l] -= flow;
            }
        }
        for (int64_t k = 0; k < n_nodes - 1; ++k) {
            const int64_t i = order[k], up = parent[i];
            const real g = coupling[i];
            real* __restrict di = d + i * W; real* __restrict ri = r + i * W;
            real* __restrict du = d + up * W; real* __restrict ru = r + up * W;
            #pragma omp simd
            for (int l = 0; l < W; ++l) {
                const real inverse = real(1) / di[l];
                const real w = g * inverse;
                du[l] -= w * g;
                ru[l] += w * ri[l];
                ri[l] *= inverse;
                di[l] = w;
            }
        }
        {
            #pragma omp simd
            for (int l = 0; l < W; ++l) { r[l] /= d[l]; v[l] += r[l]; }
        }
        for (int64_t k = n_nodes - 2; k >= 0; --k) {
            const int64_t i = order[k], up = parent[i];
            real* __restrict di = d + i * W; real* __restrict ri = r + i * W; real* __restrict ru = r + up * W;
            real* __restrict vi = v + i * W;
            #pragma omp simd
            for (int l = 0; l < W; ++l) { ri[l] += di[l] * ru[l]; vi[l] += ri[l]; }
        }
        states(p, v);
        for (int l = 0; l < W; ++l) {
            const int32_t now = v[l] >= threshold;
            if (now && !above[l]) { spike_step[n_spikes] = int32_t(first_step + step + 1); spike_lane[n_spikes++] = l; }
            above[l] = now;
        }
        if (stride > 0 && (first_step + step + 1) % stride == 0) {
            for (int64_t k = 0; k < n_recorded; ++k)
                std::memcpy(trace + (n_samples * n_recorded + k) * W, v + int64_t(recorded[k]) * W, W * sizeof(real));
            ++n_samples;
        }
    }
#ifdef __SSE__
    _mm_setcsr(mode);
#endif
    return n_spikes;
}
"""


@dataclass(frozen=True, eq=False)
class PlacementData:
    """Numbers of one placement, in the order in which the source uses them."""

    rows: np.ndarray
    to_nA: np.ndarray
    constants: np.ndarray
    row_of: np.ndarray
    jump: np.ndarray
    state: np.ndarray


@dataclass(frozen=True, eq=False)
class CellSource:
    """Source and data of a cell; cells that differ in numbers only share the source."""

    text: str
    placements: tuple[PlacementData, ...]


def cell_source(twin: Twin, parameters: Parameters, lanes: int) -> CellSource:
    """C++ for blocks of so many lanes, and the numbers that go with it.

    Raises
    ------
    UnprintableError
        A mechanism uses a function that has no C++ form here.
    """
    _, initial = twin.initial(parameters, 1)
    printed = [
        _printed(twin, k, parameters[p.label], initial[p.label]) for k, p in enumerate(twin.cell.placements)
    ]
    n = len(printed)
    text = "\n".join(
        [
            f"#define REAL {'double' if twin.dtype == np.float64 else 'float'}",
            f"enum {{ W = {lanes}, N_PLACEMENTS = {n} }};",
            _HEAD,
            *(p.functions for p in printed),
            "static inline void deliver(Placement* p, int port, int64_t compartment, int64_t lane, real weight) {",
            *(
                f"    if (port == {port}) deliver_{k}(p[{k}], compartment, lane, weight);"
                for port, labels in enumerate(twin.cell.ports.values())
                for k, placement in enumerate(twin.cell.placements)
                if placement.label in labels
            ),
            "}",
            "static inline void currents(Placement* p, const real* v, real* d, real* r) {",
            *(f"    current_{k}(p[{k}], v, d, r);" for k in range(n)),
            "}",
            "static inline void states(Placement* p, const real* v) {",
            *(f"    advance_{k}(p[{k}], v);" for k in range(n)),
            "}",
            _FRAME,
        ]
    )
    return CellSource(text, tuple(p.data for p in printed))


@dataclass(frozen=True, eq=False)
class _Printed:
    functions: str
    data: PlacementData


def _printed(twin: Twin, k: int, parameters: dict[str, Any], initial: dict[str, Any]) -> _Printed:
    """The functions ``current_k``, ``advance_k`` and ``deliver_k`` of the k-th placement, and its numbers."""
    placement, dtype = twin.cell.placements[k], twin.dtype
    mechanism, compartments = placement.mechanism, placement.compartments
    own, n, states = twin.own_rows(placement.label), len(compartments), list(initial)

    def on_rows(values: Sequence[Any]) -> np.ndarray:
        """Several values on the placement's compartments, ``(values, n)``."""
        rows = [np.broadcast_to(_of_rows(x, own), (n,)) for x in values]
        return np.array(rows, dtype).reshape(len(rows), n)

    def current(x: Sequence[Any], p: dict[str, Any]) -> tuple[Any, Any]:
        s = dict(zip(states, x[1:], strict=True))
        return jax.jvp(
            lambda v: jnp.asarray(mechanism.current(v, s, p), v.dtype) + 0 * v,
            (x[0],),
            (jnp.ones_like(x[0]),),
        )

    def advance(x: Sequence[Any], p: dict[str, Any]) -> list[Any]:
        new = mechanism.advance(x[0], dict(zip(states, x[1:], strict=True)), p)
        return [new.get(name, old) for name, old in zip(states, x[1:], strict=True)]

    p = dict(zip(parameters, on_rows(list(parameters.values())), strict=True))
    variables = [f"s{i}" for i in range(len(states))]
    statements = Statements()
    lines, (i, g) = statements.print(current, ["v", *variables], p, dtype)
    current_body = [*lines, f"d[l] += ({g}) * to_nA;", f"r[l] -= ({i}) * to_nA;"]
    lines, new = statements.print(advance, ["v", *variables], p, dtype)
    advance_body = [*lines, *(f"S{j}[l] = {x};" for j, x in enumerate(new))]
    constants = on_rows(statements.constants).T

    heard = any(placement.label in labels for labels in twin.cell.ports.values())
    jump = mechanism.event_jump({name: jnp.asarray(x) for name, x in p.items()}) if heard else {}
    changed = [j for j, name in enumerate(states) if name in jump]
    row_of = np.full(twin.n_compartments, -1, np.int32)
    row_of[compartments] = np.arange(n)
    functions = [
        *_loop(f"current_{k}", len(states), constants.shape[1], current_body, dr=True),
        *_loop(f"advance_{k}", len(states), constants.shape[1], advance_body, dr=False),
        f"static inline void deliver_{k}(const Placement& q, int64_t compartment, int64_t lane, real weight) {{",
        "    const int64_t row = q.row_of[compartment];",
        "    if (row < 0) return;",
        *(
            f"    q.s[({j} * q.n + row) * W + lane] += q.jump[{m} * q.n + row] * weight;"
            for m, j in enumerate(changed)
        ),
        "}",
    ]
    data = PlacementData(
        rows=compartments.astype(np.int32),
        to_nA=on_rows([twin.to_nA[placement.label]])[0],
        constants=np.ascontiguousarray(constants),
        row_of=row_of,
        jump=on_rows([jump[states[j]] for j in changed]),
        state=on_rows(list(initial.values())),
    )
    return _Printed("\n".join(functions), data)


def _of_rows(value: Any, own: np.ndarray | None) -> np.ndarray:
    """A value of the twin's rows, ``(rows, 1)``, on the placement's own compartments; others as they are."""
    array = np.asarray(value)
    if array.ndim < 2:
        return array
    column = array[:, 0]
    return column if own is None or len(column) == 1 else column[own]


def _loop(name: str, n_states: int, n_constants: int, body: list[str], *, dr: bool) -> list[str]:
    """A function over all compartments and lanes; ``dr`` where it adds to diagonal and right-hand side."""
    states = range(n_states)
    more = ", real* __restrict d_, real* __restrict r_" if dr else ""
    return [
        f"static inline void {name}(const Placement& q, const real* __restrict v_{more}) {{",
        "    for (int64_t j = 0; j < q.n; ++j) {",
        "        const int64_t compartment = q.rows[j];",
        f"        const real* __restrict c = q.c + j * {n_constants}; (void)c;",
        "        const real to_nA = q.to_nA[j]; (void)to_nA;",
        "        const real* __restrict V = v_ + compartment * W;",
        *(f"        real* __restrict S{i} = q.s + ({i} * q.n + j) * W;" for i in states),
        *(f"        real* __restrict {x} = {x}_ + compartment * W;" for x in ("d", "r") if dr),
        "        #pragma omp simd",
        "        for (int l = 0; l < W; ++l) {",
        "            const real v = V[l]; (void)v;",
        *(f"            const real s{i} = S{i}[l]; (void)s{i};" for i in states),
        *(f"            {line}" for line in body),
        "        }",
        "    }",
        "}",
    ]

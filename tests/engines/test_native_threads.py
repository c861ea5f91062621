"""One native engine, used by several threads at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from ketune.afferents import Drive, Grating
from ketune.engines import create
from ketune.fitting import simulate_counts

STRENGTHS = tuple({("ampa", "gmax"): np.array(x * 1e-3)} for x in (0.4, 0.8, 1.2, 1.6))
DRIVE = replace(Drive(), peak_rate_hz=8.0, background_rate_hz=1.0)


def counts(engine, layout, i):
    grating = Grating((0.0, 90.0), window_ms=100.0, warm_up_ms=50.0)
    return simulate_counts(engine, layout, grating, DRIVE, STRENGTHS[i], n_trials=3, seed=4).counts


@pytest.mark.neuron
def test_every_thread_gets_its_own_parameters_from_the_first_call_on(tiny_cell, tiny_layout):
    # Threads first: what is wrong may be wrong on first use alone.
    fresh = create(tiny_cell, "native", dt_ms=0.05, dtype=np.float32)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: counts(fresh, tiny_layout, i), range(4)))
    one = create(tiny_cell, "native", dt_ms=0.05, dtype=np.float32)
    expected = [counts(one, tiny_layout, i) for i in range(4)]
    assert len({x.tobytes() for x in expected}) == 4
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y)

"""Short-term plasticity and the calcium pool in NEURON, against their recursions and equations written here."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ketune import mechanisms

pytestmark = pytest.mark.neuron

SYNAPSES = ("AMPA_STP", "NMDA_STP", "GABAA_STP")
TRAINS_MS = ((5.0, 25.0, 26.0, 60.0, 300.0), (12.5, 25.0, 140.0))  # two connections; both fire at 25 ms
WEIGHTS = (0.8, 1.7)


@pytest.fixture(scope="module")
def h():
    """NEURON with the shipped synapses and the pool."""
    mechanisms.load_into_neuron([*SYNAPSES, "cahva", "calva", "capool", "sk", "nap"])
    from neuron import h

    h.CVode().active(False)
    h.celsius, h.secondorder, h.dt = 37.0, 0, 0.025
    return h


def releases(train: tuple[float, ...], use: float, tau_rec: float, tau_facil: float) -> list[float]:
    """Fuhrmann et al. 2002: u(n+1) = U + u(n) (1 - U) e, R(n+1) = 1 + (R(n) (1 - u(n)) - 1) e'; u R at each spike."""
    u, available, out = use, 1.0, []
    for gap, spike in zip(np.diff([train[0], *train]), train, strict=True):
        if spike != train[0]:
            available = 1.0 + (available * (1.0 - u) - 1.0) * math.exp(-gap / tau_rec)
            u = use + u * (1.0 - use) * math.exp(-gap / tau_facil)
        out.append(u * available)
    return out


@pytest.mark.parametrize("name", SYNAPSES)
@pytest.mark.parametrize("values", [None, (0.05, 130.0, 530.0), (0.5, 800.0, 0.01)])
def test_connections_share_states_but_not_plasticity(h, name: str, values: tuple[float, ...] | None) -> None:
    section = h.Section(name="cell")
    synapse = getattr(h, name)(section(0.5))
    if values is not None:
        synapse.U, synapse.tau_rec, synapse.tau_facil = values
    connections = [h.NetCon(None, synapse) for _ in TRAINS_MS]
    for connection, weight in zip(connections, WEIGHTS, strict=True):
        connection.weight[0] = weight
    h.finitialize(-60.0)
    for connection, train in zip(connections, TRAINS_MS, strict=True):
        for time in train:
            connection.event(time)
    end = 400.0
    while h.t < end - h.dt / 2:
        h.fadvance()
    expected = 0.0
    for train, weight in zip(TRAINS_MS, WEIGHTS, strict=True):
        sizes = releases(train, synapse.U, synapse.tau_rec, synapse.tau_facil)
        assert sizes[0] == pytest.approx(synapse.U)
        times = np.array(train)
        expected += np.sum(weight * np.array(sizes) * np.exp(-(end - times) / synapse.tau_decay))
    assert synapse.B / synapse.factor == pytest.approx(expected, rel=1e-7)


def test_a_reset_forgets_the_history(h) -> None:
    section = h.Section(name="cell")
    synapse = h.AMPA_STP(section(0.5))
    connection = h.NetCon(None, synapse)
    connection.weight[0] = 1.0
    for _ in range(2):
        h.finitialize(-60.0)
        connection.event(1.0)
        while h.t < 1.5:
            h.fadvance()
        assert list(connection.weight)[1:3] == pytest.approx([0.5, 0.5])  # R left, use


def test_calcium_pool_follows_its_equation(h) -> None:
    """A clamped cell: the inflow is constant, so the pool relaxes to rest - 1e4 gamma ica decay / (2 F depth)."""
    section = h.Section(name="cell")
    section.L = section.diam = 20.0
    for mechanism in ("cahva", "capool", "sk"):
        section.insert(mechanism)
    centre = section(0.5)
    centre.cahva.gbar, centre.capool.decay, centre.capool.gamma = 2e-4, 20.0, 0.01
    clamp = h.SEClamp(centre)
    clamp.rs, clamp.dur1, clamp.amp1 = 1e-3, 1e9, -30.0
    h.finitialize(-30.0)
    assert centre.cai == pytest.approx(1e-4)
    for _ in range(40000):
        h.fadvance()
    expected = 1e-4 - 1e4 * 0.01 * centre.ica * 20.0 / (2.0 * 96485.33212 * 0.1)
    assert centre.ica < 0.0
    assert centre.cai == pytest.approx(expected, rel=1e-6)
    assert centre.cai > 2e-4
    # NEURON keeps eca at the Nernst potential of the pool
    nernst = 1e3 * 8.314462618 * 310.15 / (2 * 96485.33212) * math.log(centre.cao / centre.cai)
    assert centre.eca == pytest.approx(nernst, rel=1e-4)
    assert centre.sk.z == pytest.approx(1.0 / (1.0 + (0.00043 / centre.cai) ** 4.8), rel=1e-6)

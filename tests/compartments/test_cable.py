"""The compartment table's node system against analytic solutions of the cable equation.

The solver here uses nothing but the table: conductances between nodes, membrane area and capacitance.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketune.compartments import DEFAULT_D_LAMBDA, CompartmentTable, build
from ketune.morphology import Morphology, Section

RA, CM, G_LEAK = 100.0, 1.0, 1e-4  # ohm cm, uF/cm2, S/cm2
TAU_MS = 1e-3 * CM / G_LEAK
AIS = (40.0, 1.2)
AXON = (100.0, 1.0)
SOMA_DIAM = 15.0


def length_constant(diam_um):
    """Steady-state lambda (um) of a cylinder: sqrt(d / (4 Ra g)) with d in cm."""
    return 1e4 * np.sqrt(diam_um * 1e-4 / (4 * RA * G_LEAK))


def infinite_conductance(diam_um):
    """Input conductance (uS) of the semi-infinite cylinder."""
    return 1e6 * np.pi / 2 * np.sqrt(G_LEAK / RA) * (diam_um * 1e-4) ** 1.5


def cell(*branches):
    """A cell of straight sections (parent, length, diam) on a spherical soma; parents count from 1."""
    soma = Section(0, "soma", -1, np.array([[0, -7.5, 0], [0, 7.5, 0.0]]), np.full(2, SOMA_DIAM))
    sections = [soma]
    for k, (parent, length, diam) in enumerate(branches, start=1):
        start = sections[parent].xyz_um[-1]
        xyz = np.stack([start, start + np.array([length, 0.0, 0.0])])
        sections.append(Section(k, "basal", parent, xyz, np.full(2, diam)))
    return Morphology("cable", Path("cable"), hashlib.sha256().hexdigest(), tuple(sections))


def axial_matrix(table: CompartmentTable):
    """Laplacian of the node conductances (uS)."""
    child = np.arange(1, table.n_nodes)
    parent, g = table.node_parent[1:], table.node_g_uS[1:]
    matrix = np.zeros((table.n_nodes, table.n_nodes))
    np.add.at(matrix, (child, child), g)
    np.add.at(matrix, (parent, parent), g)
    np.add.at(matrix, (child, parent), -g)
    np.add.at(matrix, (parent, child), -g)
    return matrix


def membrane(table: CompartmentTable):
    """Leak (uS) and capacitance (nF) of every node."""
    pad = (0, table.n_nodes - table.n)
    return np.pad(G_LEAK * table.area_um2 * 1e-2, pad), np.pad(table.cm_uF_cm2 * table.area_um2 * 1e-5, pad)


def steady_state(table, node):
    """Voltage of all nodes for 1 nA into one node."""
    leak, _ = membrane(table)
    current = np.zeros(table.n_nodes)
    current[node] = 1.0
    return np.linalg.solve(axial_matrix(table) + np.diag(leak), current)


def backward_euler(table, dt_ms, current_nA, node):
    """Voltages (n_steps, N) after each step under a current (n_steps,) into one node, from rest at 0."""
    leak, capacitance = membrane(table)
    step = np.linalg.inv(axial_matrix(table) + np.diag(leak + capacitance / dt_ms))
    v = np.zeros((len(current_nA) + 1, table.n_nodes))
    for k, injected in enumerate(current_nA):
        right = capacitance / dt_ms * v[k]
        right[node] += injected
        v[k + 1] = step @ right
    return v[1:]


def soma_load(q):
    """Admittance (uS) of soma, initial segment and axon at the soma; q = sqrt(1 + i omega tau)."""
    axon = infinite_conductance(AXON[1]) * q * np.tanh(q * AXON[0] / length_constant(AXON[1]))
    own = infinite_conductance(AIS[1]) * q
    t = np.tanh(q * AIS[0] / length_constant(AIS[1]))
    return G_LEAK * np.pi * SOMA_DIAM**2 * 1e-2 * q**2 + own * (axon + own * t) / (own + axon * t)


def cable_response(q, length, diam, at, load):
    """Voltage per current (MOhm) at the soma end and at `at` um of a sealed cable, for current into `at`."""
    lam, y = length_constant(diam), infinite_conductance(diam) * q
    near, far = np.tanh(q * at / lam), np.tanh(q * (length - at) / lam)
    local = 1 / (y * far + y * (load + y * near) / (y + load * near))
    return local / (np.cosh(q * at / lam) + load / y * np.sinh(q * at / lam)), local


def pulse(time_ms):
    """A synaptic current (nA)."""
    return np.exp(-time_ms / 3.0) - np.exp(-time_ms / 0.5)


def peaks_of(responses):
    """Peak voltages for `pulse` through frequency responses, a function of q = sqrt(1 + i omega tau)."""
    dt, n = 0.002, 2**17
    frequency = np.fft.rfftfreq(n, dt)
    # Above 20 kHz nothing arrives any more, and cosh would overflow.
    low = frequency < 20.0
    q = np.sqrt(1 + 2j * np.pi * frequency[low] * TAU_MS)
    current = np.fft.rfft(pulse(np.arange(n) * dt))[low]
    return np.array([np.fft.irfft(response * current, n).max() for response in responses(q)])


def analytic_peaks(length, diam, at):
    """Peaks at the soma and at the place of injection for `pulse`."""
    return peaks_of(lambda q: cable_response(q, length, diam, at, soma_load(q)))


def simulated_peaks(table, node):
    dt = 0.005
    time = dt * (np.arange(int(40 / dt)) + 0.5)
    v = backward_euler(table, dt, pulse(time), node)
    return np.array([v[:, 0].max(), v[:, node].max()])


def compartments(d_lambda, *branches):
    return build(
        cell(*branches),
        d_lambda=d_lambda,
        ra_ohm_cm=RA,
        cm_uF_cm2=CM,
        ais_length_um=AIS[0],
        ais_diam_um=AIS[1],
        axon_length_um=AXON[0],
        axon_diam_um=AXON[1],
    )


def steady_errors(d_lambda, length=900.0, diam=1.0):
    """Relative errors of outward attenuation along the dendrite, and of inward transfer from its far end."""
    table = compartments(d_lambda, (0, length, diam))
    dendrite = table.in_region("basal")
    x, lam = table.path_um[dendrite], length_constant(diam)
    out = steady_state(table, 0)
    expected = np.cosh((length - x) / lam) / np.cosh(length / lam)
    outward = np.max(np.abs(out[dendrite] / out[0] / expected - 1))
    end = dendrite[-1]
    back = steady_state(table, end)
    soma, local = cable_response(1.0, length, diam, x[-1], soma_load(1.0))
    return outward, abs(back[0] / soma - 1), abs(back[end] / local - 1)


def transient_errors(d_lambda, length=900.0, diam=1.0):
    table = compartments(d_lambda, (0, length, diam))
    end = table.in_region("basal")[-1]
    peaks = simulated_peaks(table, end)
    expected = analytic_peaks(length, diam, table.path_um[end])
    return np.abs(np.append(peaks, peaks[0] / peaks[1]) / np.append(expected, expected[0] / expected[1]) - 1)


@pytest.mark.parametrize(("length", "diam"), [(900.0, 1.0), (300.0, 0.6), (600.0, 3.0)])
def test_steady_attenuation_of_a_long_cable_is_right_to_one_percent(length, diam):
    assert max(steady_errors(DEFAULT_D_LAMBDA, length, diam)) < 0.01


@pytest.mark.parametrize(("length", "diam"), [(900.0, 1.0), (300.0, 0.6), (600.0, 3.0)])
def test_transient_attenuation_of_a_long_cable_is_right_to_one_percent(length, diam):
    assert max(transient_errors(DEFAULT_D_LAMBDA, length, diam)) < 0.01


def test_errors_of_a_long_cable_fall_with_the_square_of_the_compartment_length():
    coarse, middle, fine = (max(steady_errors(d)) for d in (0.6, 0.3, 0.15))
    assert middle < coarse / 2.5
    assert fine < middle / 2.5
    # The backward Euler step leaves 4e-4.
    assert max(transient_errors(0.1)) < 0.002 < max(transient_errors(0.5))


def rall_tree(d_lambda):
    """A trunk that branches twice with d^(3/2) conserved, and the electrotonic length of each level."""
    diams = [3.0, 3.0 / 2 ** (2 / 3), 3.0 / 2 ** (4 / 3)]
    lengths = [
        0.2 * length_constant(diams[0]),
        0.3 * length_constant(diams[1]),
        0.4 * length_constant(diams[2]),
    ]
    trunk, twig, tip = zip(lengths, diams, strict=True)
    branches = [(0, *trunk), (1, *twig), (1, *twig), (2, *tip), (2, *tip), (3, *tip), (3, *tip)]
    return compartments(d_lambda, *branches), (0.2, 0.3, 0.4), diams


def rall_errors(d_lambda):
    """Worst steady error over the tree and worst transient error, against the equivalent cylinder."""
    table, levels, diams = rall_tree(d_lambda)
    basal = table.in_region("basal")
    # Electrotonic distance: what lies above a section's level plus the place in the section.
    level = np.array([0, 1, 1, 2, 2, 2, 2])[table.section[basal] - 3]
    above = np.concatenate([[0.0], np.cumsum(levels)])[level]
    start_um = table.path_um[table.section_first[table.section[basal]]]
    start_um = start_um - table.length_um[basal] / 2
    x = above + (table.path_um[basal] - start_um) / length_constant(np.array(diams))[level]
    total = sum(levels)

    v = steady_state(table, 0)
    expected_soma = 1 / (soma_load(1.0) + infinite_conductance(diams[0]) * np.tanh(total))
    steady = np.abs(v[basal] / (expected_soma * np.cosh(total - x) / np.cosh(total)) - 1)

    dt = 0.005
    time = dt * (np.arange(int(40 / dt)) + 0.5)
    tip = basal[-1]
    simulated = backward_euler(table, dt, pulse(time), 0)
    peaks = np.array([simulated[:, 0].max(), simulated[:, tip].max()])
    expected = analytic_tree_peaks(diams[0], total, x[-1])
    ratio = (peaks[1] / peaks[0]) / (expected[1] / expected[0])
    return steady.max(), np.abs(np.append(peaks / expected, ratio) - 1).max()


def analytic_tree_peaks(diam, total, x):
    """Peaks at the soma and at electrotonic distance x for `pulse` into the soma."""

    def responses(q):
        soma = 1 / (soma_load(q) + infinite_conductance(diam) * q * np.tanh(q * total))
        return soma, soma * np.cosh(q * (total - x)) / np.cosh(q * total)

    return peaks_of(responses)


def test_a_rall_tree_behaves_as_its_equivalent_cylinder_to_one_percent():
    steady, transient = rall_errors(DEFAULT_D_LAMBDA)
    assert steady < 0.01
    assert transient < 0.01


def test_errors_of_a_rall_tree_fall_with_refinement():
    coarse, fine = rall_errors(0.8), rall_errors(0.1)
    assert fine[0] < coarse[0] / 5
    assert fine[1] < coarse[1] / 5


@st.composite
def trees(draw):
    """Branches (parent, length, diam) of a random tree, single children included."""
    n = draw(st.integers(1, 9))
    return [
        (
            draw(st.integers(0, k)),
            draw(st.floats(5.0, 250.0)),
            draw(st.floats(0.3, 4.0)),
        )
        for k in range(n)
    ]


def input_conductance(branches, k):
    """Exact steady input conductance (uS) of branch k (from 0) with everything that hangs on it."""
    _, length, diam = branches[k]
    load = sum(input_conductance(branches, j) for j, b in enumerate(branches) if b[0] == k + 1)
    own, t = infinite_conductance(diam), np.tanh(length / length_constant(diam))
    return own * (load + own * t) / (own + load * t)


@settings(max_examples=40, deadline=None)
@given(trees())
def test_input_resistance_of_random_trees(branches):
    exact = soma_load(1.0) + sum(input_conductance(branches, k) for k, b in enumerate(branches) if b[0] == 0)
    for d_lambda, tolerance in ((DEFAULT_D_LAMBDA, 0.01), (0.05, 5e-4)):
        table = compartments(d_lambda, *branches)
        assert steady_state(table, 0)[0] * exact == pytest.approx(1.0, abs=tolerance)

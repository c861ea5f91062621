"""Which stretches of voltage count as NMDA spikes."""

import numpy as np

from ketune.compartments import build
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.plateaus import BEYOND_um, nmda_spikes

DT = 0.1
TABLE = build(read_morphology(SMALL_MORPHOLOGY))
FAR = np.flatnonzero((TABLE.region == "apical") & (TABLE.path_um > BEYOND_um))


def rest():
    return np.full((1001, TABLE.n), -70.0)


def spikes(v, without=None):
    return nmda_spikes(v, rest() if without is None else without, TABLE, DT)


def with_plateaus(*spans):
    v = rest()
    for compartment, start_ms, stop_ms in spans:
        v[round(start_ms / DT) : round(stop_ms / DT), compartment] = -20.0
    return v


def neighbours():
    """Two compartments of one section, far out."""
    section = TABLE.section[FAR]
    first = FAR[np.flatnonzero(section[1:] == section[:-1])[0]]
    return first, first + 1


def siblings():
    """The first compartments of two far sections that start at one branch point."""
    branch = next(
        node
        for node in range(TABLE.n, TABLE.n_nodes)
        if np.isin(np.flatnonzero(TABLE.node_parent == node), FAR).all()
    )
    return np.flatnonzero(TABLE.node_parent == branch)[:2]


def test_a_long_plateau_far_out_is_one():
    (spike,) = spikes(with_plateaus((FAR[0], 20, 50)))
    assert spike.compartments == (FAR[0],)
    assert (round(spike.start_ms), round(spike.end_ms)) == (20, 50)


def test_a_backpropagating_action_potential_is_none():
    assert spikes(with_plateaus(*((c, 20, 25) for c in range(TABLE.n)))) == []


def test_near_the_soma_and_in_the_axon_there_are_none():
    near = np.flatnonzero((TABLE.path_um <= BEYOND_um) | (TABLE.region == "axon"))
    assert spikes(with_plateaus(*((c, 20, 90) for c in near))) == []


def test_a_plateau_that_spreads_counts_once_and_one_that_comes_later_again():
    a, b = neighbours()
    assert len(spikes(with_plateaus((a, 20, 40), (b, 25, 45)))) == 1
    assert len(spikes(with_plateaus((a, 20, 40), (b, 60, 80)))) == 2


def test_branches_at_one_branch_point_touch():
    a, b = siblings()
    assert len(spikes(with_plateaus((a, 20, 40), (b, 25, 45)))) == 1


def test_separate_branches_count_separately():
    basal = np.flatnonzero((TABLE.region == "basal") & (TABLE.path_um > BEYOND_um))[0]
    found = spikes(with_plateaus((FAR[0], 30, 50), (basal, 20, 45)))
    assert [spike.compartments for spike in found] == [(basal,), (FAR[0],)]


def test_what_happens_without_nmda_too_is_not_counted():
    v = with_plateaus((FAR[0], 20, 40))
    assert spikes(v, v) == []
    assert spikes(v, with_plateaus((FAR[0], 20, 32))) == []
    assert len(spikes(v, with_plateaus((FAR[0], 20, 29)))) == 1


def test_a_plateau_that_lasts_to_the_end_counts():
    v = rest()
    v[-150:, FAR[0]] = -20.0
    assert len(spikes(v)) == 1

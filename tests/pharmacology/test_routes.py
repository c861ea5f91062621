"""What targets see of a concentration, and routes at equal effect."""

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.pharmacology import (
    COMPARED,
    DOSE_UNITS,
    ROUTES,
    concentration,
    effect,
    equal_dose,
    load_drug,
    make_exposure,
    shown_fields,
    target_effects,
)

DRUG = load_drug()


def test_targets_see_what_a_cell_at_that_place_would():
    c = np.array([[0.3, 5.0], [40.0, 700.0]])
    found = target_effects(DRUG, c, {"nmda.affinity_scale": 2.0})
    for i in np.ndindex(c.shape):
        e = effect(DRUG, [c[i]], overrides={"nmda.affinity_scale": 2.0})
        for name, value in found.items():
            assert value[i] == pytest.approx(float(np.ravel(getattr(e, name))[0]), rel=1e-12), name
    assert "ampa_block" not in found
    assert set(shown_fields(found)) == set(found)
    assert shown_fields(target_effects(DRUG, c * 0)) == ()


@pytest.mark.parametrize("bad", [-1.0, float("nan")])
def test_impossible_concentration_is_refused(bad):
    with pytest.raises(InputError, match="finite number of uM, zero or more"):
        target_effects(DRUG, [bad])


@pytest.mark.parametrize("route", [r for r in ROUTES if DOSE_UNITS[r]])
def test_equal_dose_gives_equal_block(route):
    dose = equal_dose(DRUG, route, 3.0, 250.0, 8.0)
    c = concentration(make_exposure(DRUG, route, dose), [250.0], [8.0])
    assert c[0, 0] == pytest.approx(3.0, rel=1e-9)
    block = target_effects(DRUG, c)["nmda_block"][0, 0]
    assert block == pytest.approx(target_effects(DRUG, [3.0])["nmda_block"][0], rel=1e-9)


def test_routes_differ_away_from_the_place_where_they_are_equal():
    """From the surface the apical side sees most, from a pipette its neighbourhood, by injection all the same."""
    seen = {}
    for route in COMPARED:
        dose = equal_dose(DRUG, route, 3.0, 300.0, 10.0)
        exposure = make_exposure(DRUG, route, dose)
        seen[route] = concentration(exposure, [50.0, 300.0, 600.0], [10.0])[0]
    assert seen["topical"][0] > 2 * seen["topical"][1] > 20 * seen["topical"][2]
    assert seen["focal-iontophoresis"][0] < 0.2 * 3.0
    assert np.ptp(seen["ip"]) == 0


def test_what_cannot_be_reached_is_said():
    with pytest.raises(InputError, match=r"route focal-pressure brings no drug to 1500 um by 0\.1 min"):
        equal_dose(DRUG, "focal-pressure", 1.0, 1500.0, 0.1)
    with pytest.raises(InputError, match="brings no drug"):
        equal_dose(DRUG, "topical", 1.0, 1500.0, 1.0)
    with pytest.raises(InputError, match="no dose to be scaled"):
        equal_dose(DRUG, "table", 1.0, 300.0, 1.0)

"""What a drug does to a neuron, through JSON and back."""

import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketune.errors import InputError
from ketune.pharmacology import effect, effect_from_record, effect_record, load_drug, no_effect
from ketune.storage import jsonable


@given(st.lists(st.floats(0.0, 500.0), min_size=3, max_size=3))
def test_every_digit_comes_back(concentration_uM):
    before = effect(load_drug("ketamine"), np.array(concentration_uM), label="30 min", time_min=30.0)
    after = effect_from_record(json.loads(json.dumps(jsonable(effect_record(before)))), 3)
    for field in fields(before):
        np.testing.assert_array_equal(getattr(after, field.name), getattr(before, field.name))


def test_what_is_uniform_is_one_number():
    record = effect_record(no_effect(200))
    assert len(json.dumps(jsonable(record))) < 1000
    assert np.isnan(effect_from_record(jsonable(record), 200).time_min)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"nmda_block": [0.1, 0.2]}, "'nmda_block' has 2 compartments, the cell 3"), (None, "is missing")],
)
def test_a_record_of_another_cell_or_version(change, message):
    record = jsonable(effect_record(no_effect(3)))
    if change is None:
        del record["sk_gain"]
    with pytest.raises(InputError, match=message):
        effect_from_record(record | (change or {}), 3)

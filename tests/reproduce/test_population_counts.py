"""What a population's counts are refused for."""

from typing import Any

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.reproduce import PopulationCounts

FIVE = np.array([0.0, 45.0, 90.0, 135.0, np.nan])
GOOD = np.ones((3, 5, 2), dtype=int)


def with_value(value: float) -> np.ndarray:
    counts = GOOD.astype(float)
    counts[1, 2, 0] = value
    return counts


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"control": GOOD[:, :4]}, r"control has shape \(3, 4, 2\)"),
        ({"drug": GOOD[0]}, r"drug has shape \(5, 2\)"),
        ({"control": GOOD[:2], "drug": GOOD[:2]}, "control has 2 neurons"),
        ({"drug": np.ones((4, 5, 2), dtype=int)}, "control has 3 neurons and drug 4"),
        ({"drug": GOOD[:, :, :1]}, "drug has 1 trials"),
        ({"control": with_value(-1)}, r"control\[1, 2, 0\] is -1"),
        ({"control": with_value(0.5)}, r"control\[1, 2, 0\] is 0.5"),
        ({"drug": with_value(np.nan)}, r"drug\[1, 2, 0\] is nan"),
        ({"drug": GOOD.astype(str)}, "give whole numbers"),
        ({"orientation_deg": FIVE[::-1]}, "NaN .the blank. last"),
        ({"orientation_deg": np.array([0.0, 45.0, 90.0, 180.0, np.nan])}, "3 distinct orientations"),
        ({"window_s": 0.0}, "window_s is 0.0"),
    ],
)
def test_refused_in_one_line(changed: dict[str, Any], message: str) -> None:
    given = {"control": GOOD, "drug": GOOD, "orientation_deg": FIVE, "window_s": 0.5} | changed
    with pytest.raises(InputError, match=message) as refused:
        PopulationCounts(**given)
    assert "\n" not in str(refused.value)


def test_whole_numbers_of_any_kind_and_unequal_trials_are_taken() -> None:
    counts = PopulationCounts(GOOD.astype(float), np.ones((3, 5, 7), dtype=np.uint8), FIVE, 0.5)
    assert counts.neurons == 3
    assert counts.control.dtype == counts.drug.dtype == np.int64

"""When a parameter or a combination of parameters counts as undetermined, and how a combination is named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# A quantity whose logarithm is not known to a factor of two is called undetermined.
UNDETERMINED_LOG_SD = float(np.log(2.0))
# So is an orientation that is not known to this many degrees.
UNDETERMINED_DEG = 30.0
# Parameters that move less than this share of the one that moves most are not named in a combination.
_NAMED_FROM_SHARE = 0.2
_MOST_NAMED = 3


def combination_in_words(names: Sequence[str], change: np.ndarray) -> str:
    """The parameters that a direction moves most, and which way: ``"peak_rate_hz up with ampa_nS down"``."""
    share = np.abs(change) / np.abs(change).max()
    main = [i for i in np.argsort(-share)[:_MOST_NAMED] if share[i] > _NAMED_FROM_SHARE]
    return " with ".join(f"{names[i]} {'up' if change[i] > 0 else 'down'}" for i in main)

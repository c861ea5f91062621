"""What tests that write mechanisms share."""

from __future__ import annotations

from collections.abc import Callable

from ketune.mechanisms import Mechanism

# the head that a test's own text usually does not want to repeat
DENSITY = "NEURON { SUFFIX probe NONSPECIFIC_CURRENT i }\nASSIGNED { v i }\n"

Translate = Callable[..., Mechanism]

"""Settings of the whole test suite."""

from __future__ import annotations

import jax

# Set here and not through the environment: commands that tests start as processes of their own have to ask for
# double precision themselves.
jax.config.update("jax_enable_x64", True)

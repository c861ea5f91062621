"""JAX as ketune uses it: imported here first, so that its settings hold wherever the twin runs."""

import os
import sys

if "jax" not in sys.modules and "xla_cpu_prefer_vector_width" not in os.environ.get("XLA_FLAGS", ""):
    # XLA stops at 256-bit vectors unless told otherwise: 10 % on a machine with AVX-512, no effect elsewhere.
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_prefer_vector_width=512".strip()

import jax
import jax.numpy as jnp

# The twin contract is a float64 contract; fits choose float32 explicitly.
jax.config.update("jax_enable_x64", True)

__all__ = ["jax", "jnp"]

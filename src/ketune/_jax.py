"""JAX as ketune uses it: imported here first, so that its settings hold wherever the twin runs."""

import hashlib
import os
import sys
import warnings

from ketune._compiled import cache_root, machine

if "jax" not in sys.modules and "xla_cpu_prefer_vector_width" not in os.environ.get("XLA_FLAGS", ""):
    # XLA stops at 256-bit vectors unless told otherwise: 10 % on a machine with AVX-512, no effect elsewhere.
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_prefer_vector_width=512".strip()

import jax
import jax.numpy as jnp

# Functions that take longer than this to compile are kept on disk for the next process, up to so much in all. Keeping
# one more costs a look at all that are kept: thousands of small ones would cost more than they save.
_KEPT_FROM_S = 0.5
_MOST_BYTES = 1 << 30


def _keep_compiled() -> None:
    """Let XLA keep what it compiles in the user's cache, unless the user's own settings say where."""
    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    # Code for one processor may not run on another that shares the cache.
    folder = cache_root() / "xla" / hashlib.sha256(machine().encode()).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_compilation_cache_max_size", _MOST_BYTES)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", _KEPT_FROM_S)
        # A full disk or a damaged entry costs the time of compiling again, nothing else.
        warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")


# The twin contract is a float64 contract; fits choose float32 explicitly.
jax.config.update("jax_enable_x64", True)
_keep_compiled()

__all__ = ["jax", "jnp"]

"""What XLA compiled is kept for the next process, in the user's cache."""

import os
import subprocess
import sys
from pathlib import Path

SLOW_TO_COMPILE = """
import collections
seen = collections.Counter()
import jax.monitoring
jax.monitoring.register_event_listener(lambda event, **_: seen.update([event]))
from ketune._jax import jax, jnp

@jax.jit
def chain(x):
    for i in range(130):
        x = jnp.sort(jnp.sin(x * (i + 1)))
    return x.sum()

print(repr(float(chain(jnp.linspace(0.0, 1.0, 50)))), seen["/jax/compilation_cache/cache_hits"])
"""


def run(folder: Path, **environment: str) -> tuple[str, int]:
    """What the function gave, and how much was found in the cache."""
    inherited = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", SLOW_TO_COMPILE],
        capture_output=True,
        text=True,
        check=True,
        env=inherited | {"KETUNE_CACHE_DIR": str(folder)} | environment,
    )
    value, hits = done.stdout.split()
    assert "Warning" not in done.stderr
    return value, int(hits)


def test_the_next_process_finds_it_and_computes_the_same(tmp_path):
    first, hits = run(tmp_path)
    assert hits == 0
    again, hits = run(tmp_path)
    assert again == first
    assert hits > 0


def test_the_users_own_cache_is_left_to_them(tmp_path):
    run(tmp_path / "ketune", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert not (tmp_path / "ketune" / "xla").exists()


def test_a_cache_that_cannot_be_made_costs_nothing_but_time(tmp_path):
    (tmp_path / "file").write_text("")
    assert run(tmp_path / "file")[1] == 0


def test_damaged_entries_are_compiled_again(tmp_path):
    expected, _ = run(tmp_path)
    for entry in tmp_path.rglob("*-cache"):
        entry.write_bytes(entry.read_bytes()[:20])
    assert run(tmp_path) == (expected, 0)

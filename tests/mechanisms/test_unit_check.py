"""Units that do not match are told, with their line; NEURON compiles such files."""

from pathlib import Path

from ketune import mechanisms

MODS = Path(__file__).parent / "mods"


def test_units_that_do_not_match_are_told_with_their_line() -> None:
    complaint = mechanisms.unit_complaint(MODS / "refused" / "unitclash.mod")
    assert complaint is not None
    assert complaint.startswith(
        "units, line 6: The units of the previous two expressions are not conformable"
    )
    assert "i = g*(v - e + delay_)" in complaint


def test_matching_units_are_passed_over() -> None:
    for name in mechanisms.names():
        assert mechanisms.unit_complaint(mechanisms.mod_path(name)) is None, name

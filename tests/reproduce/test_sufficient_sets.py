"""Which hypotheses are called sufficient, and which of them are smallest."""

from ketune.reproduce import HYPOTHESES, smallest_sufficient, sufficient


def entries(*names: str) -> list[dict[str, object]]:
    return [
        {
            "name": h.name,
            "control": h.control,
            "counterfactual": h.counterfactual,
            "spiking_together": h.name in names,
            "held_out_together": h.name in names,
        }
        for h in HYPOTHESES.values()
    ]


def smallest(*names: str) -> list[str]:
    return smallest_sufficient(tuple(HYPOTHESES.values()), entries(*names))


def test_supersets_of_a_sufficient_set_are_not_smallest():
    assert smallest("everything", "nmda+pv", "nmda+pv+sst", "drug") == ["nmda+pv"]
    assert smallest("everything", "drug") == ["drug"]
    assert smallest("nmda+pv", "nmda+retuning") == ["nmda+pv", "nmda+retuning"]


def test_nothing_is_an_answer():
    assert smallest() == []


def test_neither_a_control_nor_a_counterfactual_is_ever_sufficient():
    assert smallest("gain-noise", "no-shift", "nmda-basal") == []
    assert smallest("nmda-basal", "nmda") == ["nmda"]


def test_spikes_and_held_out_populations_have_to_agree():
    entry = {"name": "nmda", "control": False, "counterfactual": False}
    entry |= {"spiking_together": True, "held_out_together": True}
    assert sufficient(entry)
    assert not sufficient({**entry, "held_out_together": False})
    assert not sufficient({**entry, "spiking_together": False})
    assert not sufficient({**entry, "spiking_together": None})

"""Reading assay files: kind where the meaning is clear, one line where it is not."""

from pathlib import Path

import pytest

from ketune.errors import InputError
from ketune.pharmacology import load_drug, read_assay

HEADER = "drug,concentration,unit,target,block_percent"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "assay_synthetic.csv"


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "assay.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_the_example_is_marked_as_synthetic_and_reads():
    assert EXAMPLE.read_text(encoding="utf-8").startswith("# SYNTHETIC")
    assay = read_assay(EXAMPLE)
    assert assay.drugs() == ("ketamine",)
    assert assay.targets(load_drug()) == ("nmda", "hcn1")
    first = assay.rows[0]
    assert (first.line, first.concentration_uM, first.mg_mM, first.holding_mV) == (4, 0.1, 0.0, -66.0)
    assert (first.preparation, first.temperature_C, first.block) == ("cell 1", 22.0, pytest.approx(0.217))
    assert len(assay.sha256) == 64


def test_spreadsheets_of_other_countries_read_the_same(tmp_path):
    plain = read_assay(written(tmp_path, f"{HEADER}\nketamine,0.3,uM,nav,12.5\n")).rows
    text = "﻿Drug;Concentration;Unit;Target;Block_Percent;note;\r\n;;;;;;\r\n\r\nKetamine;0,3;µM;NAV;12,5 %;x;\r\n"
    (other,) = read_assay(written(tmp_path, text)).rows
    assert other.line == 4
    assert {**vars(other), "line": 2} == vars(plain[0])
    tabs = HEADER.replace(",", "\t") + "\nketamine\t300\tnM\tnav\t12,5\n"
    assert vars(read_assay(written(tmp_path, tabs)).rows[0]) == vars(plain[0])
    quoted = f'{HEADER}\n"ketamine","0.3","uM","nav","12.5"\n'
    assert read_assay(written(tmp_path, quoted)).rows == plain


def test_mass_concentrations_use_the_molar_mass_of_what_was_weighed(tmp_path):
    path = written(tmp_path, f"{HEADER}\nketamine,1,mg/ml,nav,50\n")
    assert read_assay(path).rows[0].concentration_uM == pytest.approx(1e6 / 274.19)
    assert read_assay(path, as_base=True).rows[0].concentration_uM == pytest.approx(1e6 / 237.73)
    named = load_drug().model_copy(update={"name": "mine"})
    path = written(tmp_path, f"{HEADER}\nmine,1,mg/ml,nav,50\n")
    assert read_assay(path, named).rows[0].concentration_uM == pytest.approx(1e6 / 274.19)
    with pytest.raises(InputError, match=r"assay.csv:2: concentration and unit .*no molar mass"):
        read_assay(path)


def test_noise_below_zero_and_controls_without_drug_are_accepted(tmp_path):
    rows = read_assay(written(tmp_path, f"{HEADER}\nketamine,0,uM,nav,-19\nketamine,9,uM,nav,100\n")).rows
    assert [row.block for row in rows] == [pytest.approx(-0.19), 1.0]


def test_a_synonym_is_the_drug(tmp_path):
    path = written(tmp_path, f"{HEADER}\nRacemic Ketamine,9,uM,nav,40\nother,1,uM,nav,10\n")
    assert len(read_assay(path).select(load_drug(), "nav")) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty; it needs a header line with drug, concentration, unit, target, block_percent"),
        (HEADER, "no rows after the header"),
        ("drug,concentration,unit,target\nketamine,1,uM,nav", ":1: missing column block_percent"),
        (f"{HEADER},drug\nketamine,1,uM,nav,50,x", ":1: column drug appears twice"),
        (f"{HEADER}\nketamine,1,uM,nav,150", ":2: block_percent is 150; block lies between 0 and 100 %"),
        (f"{HEADER}\nketamine,1,uM,nav,-30", ":2: block_percent is -30; block lies"),
        (f"{HEADER}\nketamine,-1,uM,nav,50", ":2: concentration is -1; a concentration is zero or more"),
        (
            f"{HEADER}\nketamine,1,furlong,nav,50",
            ":2: concentration and unit '1.0 furlong': 'furlong' is not",
        ),
        (f"{HEADER}\nketamine,1,uMM,nav,50", ":2: concentration and unit '1.0 uMM': unknown unit 'uMM'"),
        (f"{HEADER}\nketamine,1,mg/kg,nav,50", "is not a concentration"),
        (f"{HEADER}\nketamine,1,uM,nmdar,50", ":2: unknown target 'nmdar'; known: nmda, nmda_2A"),
        (f"{HEADER}\nketamine,many,uM,nav,50", ":2: concentration is 'many', not a number"),
        (f"{HEADER}\nketamine,nan,uM,nav,50", ":2: concentration is 'nan', not a number"),
        (f"{HEADER}\nketamine,1,uM,nav,", ":2: block_percent is empty; fill it in, or remove the row"),
        (f"{HEADER}\nketamine,0,3,uM,nav,50", ":2: 6 fields where the header has 5; .*semicolons"),
        (
            HEADER.replace(",", ";") + "\nketamine;1,250;nM;nav;50",
            ":2: concentration is '1,250', which may be 1.250 or 1250",
        ),
        (f"{HEADER}\nketamine,1,uM,nav,0.5\nketamine,9,uM,nav,0.9", "looks like a fraction; write percent"),
        (f"{HEADER}\nketamine,1,uM,nmda,50", ":2: missing column mg_mM, needed for nmda .*16-fold"),
        (f"{HEADER},mg_mM\nketamine,1,uM,nmda_2B,50,", ":2: mg_mM is empty, needed for nmda_2B .*Mg-free"),
        (f"{HEADER},mg_mM\nketamine,1,uM,nmda,50,0", ":2: missing column holding_mV, needed for nmda"),
        (
            f"{HEADER},holding_mV\nketamine,1,uM,nav,50,-0.066",
            ":2: holding_mV is -0.066, which looks like volts",
        ),
        (f"{HEADER},mg_mM\nketamine,1,uM,nav,50,1000", ":2: mg_mM is 1000; give the free Mg outside in mM"),
        (
            f"{HEADER},temperature_C\nketamine,1,uM,nav,50,310",
            ":2: temperature_C is 310; give degrees Celsius",
        ),
        (f"{HEADER},preparation\nketamine,1,uM,nav,50,", ":2: preparation is empty; name it in every row"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_file_row_and_column(tmp_path, text, says):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=says) as caught:
        read_assay(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text_or_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_assay(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"save the table as CSV \(UTF-8\)"):
        read_assay(written(tmp_path, f"{HEADER}\nketamine,1,µM,nav,50\n", encoding="latin-1"))


def test_a_drug_or_target_without_rows_says_what_there_is():
    with pytest.raises(
        InputError, match="no rows of ketamine on nav; it has ketamine on nmda, ketamine on hcn1"
    ):
        read_assay(EXAMPLE).select(load_drug(), "nav")

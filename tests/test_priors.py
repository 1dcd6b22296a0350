"""How much prior.csv counts: by region, by month, and never more than a strong photo."""

from __future__ import annotations

import re

import pytest

from plant_classification.taxonomy import label_of
from plant_classification.taxonomy.priors import FLOOR, Prior, read_prior
from plant_classification.taxonomy.species_lists import NameIndex

LABELS = [label_of("Bellis perennis"), label_of("Galanthus nivalis"), label_of("Rosa sp.")]
TABLE = """species,weight,region,month
Bellis perennis,60,north,
Bellis perennis,20,south,
Bellis perennis,3,,
Galanthus nivalis,20,north,2
Galanthus nivalis,40,south,2
Rosa canina,10,north,6
Rosa rugosa,10,north,6
Quercus robur,999,north,
"""


def read(text: str) -> Prior:
    return read_prior(text, "prior.csv", NameIndex.of(LABELS), len(LABELS))


def factors(prior: Prior, region: str | None, month: int | None) -> list[float]:
    found = prior.factors(region, month)
    return [] if found is None else list(found)


@pytest.mark.parametrize(
    ("region", "month", "weights"),
    [
        (None, None, [3, 0, 0]),
        ("north", None, [63, 20, 20]),
        ("south", None, [23, 40, 0]),
        ("north", 2, [63, 20, 0]),
        ("south", 6, [23, 0, 0]),
        (None, 6, [3, 0, 0]),
    ],
)
def test_the_weights_of_rows_that_fit_are_added_and_regions_count_where_they_are_asked_for(
    region: str | None, month: int | None, weights: list[float]
) -> None:
    expected = [max(weight / max(weights), FLOOR) for weight in weights]
    assert factors(read(TABLE), region, month) == pytest.approx(expected)


def test_the_regions_are_those_that_rows_name() -> None:
    assert read(TABLE).regions == ["north", "south"]


def test_a_table_of_species_and_weights_alone_counts_everywhere_and_always() -> None:
    prior = read("species,weight\nBellis perennis,1\nRosa,0.5\n")
    assert factors(prior, None, 7) == pytest.approx([1, FLOOR, 0.5])


def test_no_row_that_fits_is_no_prior() -> None:
    assert read("species,weight\nQuercus robur,3\n").factors(None, None) is None
    assert read("species,weight,month\nBellis perennis,3,1\n").factors(None, 2) is None


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("Bellis perennis,many,,", "weight must be a number from 0 to 1e+15, not 'many'"),
        ("Bellis perennis,-1,,", "weight must be a number from 0 to 1e+15, not '-1'"),
        ("Bellis perennis,nan,,", "weight must be a number from 0 to 1e+15, not 'nan'"),
        ("Bellis perennis,1,,13", "month must be 1 to 12, or empty, not '13'"),
        ("Bellis perennis,1e300,,", "weight must be a number from 0 to 1e+15, not '1e300'"),
    ],
)
def test_a_fault_is_told_with_its_line(row: str, fault: str) -> None:
    with pytest.raises(ValueError, match=rf"^prior\.csv, line 3: .*{re.escape(fault)}"):
        read(f"species,weight,region,month\nBellis perennis,1,,\n{row}\n")


def test_names_that_cannot_be_read_or_are_unknown_take_no_memory_and_do_no_harm() -> None:
    rows = "".join(f"Quercus robur,1,region {place},\n" for place in range(1000))
    prior = read(f"species,weight,region,month\n{rows},1,,\n? x,1,,\n12 foo,1,,\n")
    assert prior.weights == {}

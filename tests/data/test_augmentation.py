"""What a person may set of the augmentation, and what is told of a value that cannot be used."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from plant_classification.data.augmentation import Augmentation


def test_what_is_left_out_is_none() -> None:
    changed = Augmentation.from_dict({"h_flip": 1, "rot_lim": 30})
    assert changed == Augmentation(h_flip=1.0, rot_lim=30.0)
    assert Augmentation.from_dict({}) == Augmentation()
    assert all(
        value == (1.0 if name == "crop" else 0.0)
        for name, value in dataclasses.asdict(Augmentation()).items()
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"hflip": 0.5}, "'hflip' is no augmentation; there are: aspect, blur, crop, cutout"),
        ({"h_flip": 1.1}, "h_flip must be a number from 0 to 1, not 1.1"),
        ({"h_flip": "often"}, "h_flip must be a number from 0 to 1, not 'often'"),
        ({"h_flip": True}, "h_flip must be a number from 0 to 1, not True"),
        ({"h_flip": float("nan")}, "h_flip must be a number from 0 to 1, not nan"),
        ({"rot_lim": 181}, "rot_lim must be a number from 0 to 180, not 181"),
        ({"zoom_out": 1}, "zoom_out must be a number from 0 to 0.9, not 1"),
        ({"aspect": -0.1}, "aspect must be a number from 0 to 0.9, not -0.1"),
        ({"crop": 0.5, "zoom": 0.5}, "crop must be larger than zoom; 0.5 and 0.5 came"),
        ({"crop": 0}, "crop must be larger than zoom; 0 and 0 came"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        Augmentation.from_dict(values)

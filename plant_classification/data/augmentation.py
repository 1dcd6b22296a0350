"""How training photos are changed: names and meanings are those of the old service."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

MOST = {"rot_lim": 180, "zoom_out": 0.9, "aspect": 0.9}
"""The largest values; of all others it is 1."""


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Changes of a training photo; all probabilities and fractions are in [0, 1].

    Attributes:
        h_flip: Probability of a mirror image.
        v_flip: Probability of turning upside down, mirrored.
        rot: Probability of a rotation.
        rot_lim: Largest angle of it in degrees, to either side.
        stretch: Probability of another perspective.
        crop: Side of the largest random square crop, as a fraction of the shorter side.
        zoom: By how much the crop's side may be less, as a fraction of the shorter side.
        blur: Probability of a blur.
        pixel_noise: Probability of another brightness, contrast, sharpness, gamma or colour cast.
        pixel_sat: Probability of another hue, saturation and value.
        cutout: Probability of eight black squares, each of 5 to 25 % of the side.
        zoom_out: By how much smaller the photo may be shown, as a fraction; around it is more of
            the photo where there is some, else its mirror image.
        aspect: By how much one side of the crop may be shorter than the other, as a fraction.
        grey: Probability of losing all colour.
    """

    h_flip: float = 0.0
    v_flip: float = 0.0
    rot: float = 0.0
    rot_lim: float = 0.0
    stretch: float = 0.0
    crop: float = 1.0
    zoom: float = 0.0
    blur: float = 0.0
    pixel_noise: float = 0.0
    pixel_sat: float = 0.0
    cutout: float = 0.0
    zoom_out: float = 0.0
    aspect: float = 0.0
    grey: float = 0.0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Augmentation:
        """Read it from a configuration; what is left out is none.

        Raises:
            ValueError: An unknown key, or a value out of its range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for key, value in values.items():
            if key not in known:
                raise ValueError(
                    f"{key!r} is no augmentation; there are: {', '.join(sorted(known))}"
                )
            most = MOST.get(key, 1)
            if type(value) not in (int, float) or not 0 <= value <= most:
                raise ValueError(f"{key} must be a number from 0 to {most}, not {value!r}")
        changed = cls(**{key: float(value) for key, value in values.items()})
        if changed.crop <= changed.zoom:
            raise ValueError(
                f"crop must be larger than zoom; {changed.crop:g} and {changed.zoom:g} came"
            )
        return changed

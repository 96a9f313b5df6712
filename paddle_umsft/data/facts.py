"""What a file says of its numbers beside the numbers: carried from reading to the result's own file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np

from paddle_umsft.data.ground import Georeference


@dataclass(frozen=True)
class BandFacts:
    """What is known of the bands of a file, one entry a band, in the file's order.

    Attributes:
        count: C, the number of bands in the file; 0: not known.
        wavelengths_nm: (C,) centres in nm, NaN where a band has none; None: none has.
        fwhm_nm: (C,) full widths at half maximum in nm; None: not known.
        names: Of each band its name in the file; empty: no names.
        good: (C,) bool, False where the file's bad-band list (`bbl`) marks a band as bad; None: there is no list.
        scale: (C,) factor of the stored number; None: 1.
        offset: (C,) what is added to it after that; None: 0.
    """

    count: int = 0
    wavelengths_nm: Optional[np.ndarray] = None
    fwhm_nm: Optional[np.ndarray] = None
    names: tuple[str, ...] = ()
    good: Optional[np.ndarray] = None
    scale: Optional[np.ndarray] = None
    offset: Optional[np.ndarray] = None


@dataclass(frozen=True)
class FileFacts:
    """What a file says of its image: place, bands, validity, units.

    A reader fills in what the file knows and leaves all else as it is here. `Scene.facts`, `Observation.hsi_facts`
    and `Observation.msi_facts` hold them. A simulated pair has the scene's facts twice: the HSI's with the coarser
    ground, the MSI's with the scene's own and without bands. A result lies on `msi_facts.ground`; its bands, units
    and type are those of `hsi_facts`.

    From a fused cube back to the file's numbers: multiply by the divisor of the HSI (`meta["divisor"]`); where
    `is_scaled`, take the offset off and divide by the scale; `in_file_order`; round to `dtype` if that is an integer.

    Attributes:
        ground: Where the image lies; of the image as it was cut, not of the whole file.
        bands: All bands of the file in its order, also those that were left out.
        order: Of each band of the cube its place in `bands`, where bands were sorted or left out; None: as in the file.
        no_data: The stored number that means "no value here" (may be NaN); None: the file names none.
        units: Of the values, as the file names them; "" if it does not.
        dtype: Type of the stored numbers as numpy names it ("uint16"); "" if unknown.
        is_scaled: The cube holds stored * scale + offset. False: it holds the stored numbers, and scale and offset
            are only carried. They are applied where they differ from band to band or where an offset is not zero.
        acquired: Time of acquisition, ISO 8601 where the file's text allows it; "" if unknown.
        sensor: What took the image, as the file names it; "" if it does not.
    """

    ground: Georeference = field(default_factory=Georeference)
    bands: BandFacts = field(default_factory=BandFacts)
    order: Optional[tuple[int, ...]] = None
    no_data: Optional[float] = None
    units: str = ""
    dtype: str = ""
    is_scaled: bool = False
    acquired: str = ""
    sensor: str = ""

    def left_out(self) -> list[int]:
        """Return the file's bands that the cube has not, counted from 0."""
        # Without an order every band of the file is in the cube.
        if self.order is None:
            return []
        kept = set(self.order)
        return [band for band in range(self.bands.count) if band not in kept]

    def in_file_order(
        self,
        cube: np.ndarray,
        fill: float,
    ) -> np.ndarray:
        """Put the bands of a cube where they were in the file, and a fill value where a band was left out.

        Args:
            cube: (H, W, C), bands as in the scene or observation that has these facts.
            fill: What stands in the bands that were left out.

        Returns:
            (H, W, bands of the file), or the cube itself where nothing was sorted or left out.
        """
        if self.order is None:
            return cube
        whole = np.full(
            (*cube.shape[:2], self.bands.count),
            fill,
            cube.dtype,
        )
        whole[:, :, list(self.order)] = cube  # (H, W, C) -> (H, W, bands of the file)
        return whole

    def with_ground(self, ground: Georeference) -> FileFacts:
        """Return the same facts of an image that lies elsewhere."""
        return replace(self, ground=ground)

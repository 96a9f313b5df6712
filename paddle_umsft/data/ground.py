"""Where an image lies on the ground: its coordinate system, and the six numbers from pixels to coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Optional

# a, b, c, d, e, f: x = a * column + b * row + c, y = d * column + e * row + f. GDAL has them as c, a, b, f, d, e.
Affine = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Georeference:
    """Where an image lies on the ground. All of it may be unknown.

    Columns and rows are counted so that (0, 0) is the *outer corner* of the first pixel and (0.5, 0.5) its centre,
    whatever the file's own convention (AREA, POINT, ENVI's reference pixel): readers move what they find there.

    Attributes:
        transform: The six numbers a, b, c, d, e, f in rasterio's order; None: not known.
        crs_wkt: Coordinate system as WKT, "" if unknown or known by its number alone.
        epsg: Its number with EPSG, if known. One of `crs_wkt` and `epsg` is enough for a writer.
        map_info: ENVI's `map info` as it stands in the header, without braces; "" if there is none.
    """

    transform: Optional[Affine] = None
    crs_wkt: str = ""
    epsg: Optional[int] = None
    map_info: str = ""

    @property
    def is_known(self) -> bool:
        """Return whether pixels have coordinates."""
        return self.transform is not None

    @property
    def geotransform(self) -> Optional[Affine]:
        """Return the six numbers in GDAL's order: x of the corner, x a column, x a row, then the same of y."""
        if self.transform is None:
            return None
        a, b, c, d, e, f = self.transform
        return c, a, b, f, d, e

    @property
    def pixel_size(self) -> Optional[tuple[float, float]]:
        """Return width and height of a pixel in the units of the coordinate system, both positive."""
        if self.transform is None:
            return None
        a, b, _, d, e, _ = self.transform
        return math.hypot(a, d), math.hypot(b, e)

    def at(
        self,
        column: float,
        row: float,
    ) -> tuple[float, float]:
        """Return the coordinates of a place in the image.

        Args:
            column: To the right, 0 at the left edge of the first pixel.
            row: Downwards, 0 at the upper edge of the first pixel.

        Raises:
            ValueError: The transform is not known.
        """
        if self.transform is None:
            raise ValueError("an image without a transform has no coordinates")
        a, b, c, d, e, f = self.transform
        return a * column + b * row + c, d * column + e * row + f

    def cut(
        self,
        top: float,
        left: float,
    ) -> Georeference:
        """Return the georeference of a crop that begins at this row and column."""
        if self.transform is None:
            return self
        a, b, _, d, e, _ = self.transform
        # Only the corner moves, the pixels stay as they are.
        x, y = self.at(left, top)
        # ENVI's text names the first pixel: it is no longer true.
        return replace(
            self,
            transform=(a, b, x, d, e, y),
            map_info="",
        )

    def coarser(self, scale: float) -> Georeference:
        """Return the georeference of the same ground in pixels `scale` times as long; below 1: finer ones."""
        if self.transform is None:
            return self
        a, b, c, d, e, f = self.transform
        return replace(
            self,
            transform=(a * scale, b * scale, c, d * scale, e * scale, f),
            map_info="",
        )

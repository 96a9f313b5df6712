"""What two files say of where their images lie: pixel sizes, coordinate systems, the area they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddle_umsft.data.ground import Georeference
    from paddle_umsft.data.scene import Observation

# Letters of a coordinate system's text that stand in a line.
SHOWN_SYSTEM = 40


@dataclass(frozen=True)
class Box:
    """An image's extent in its coordinate system."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def area(self) -> float:
        """The area, zero where left and right, or bottom and top, have changed places."""
        width = max(self.right - self.left, 0.0)
        height = max(self.top - self.bottom, 0.0)
        return width * height

    def common(self, other: Box) -> Box:
        """Return what two boxes share."""
        return Box(
            left=max(self.left, other.left),
            bottom=max(self.bottom, other.bottom),
            right=min(self.right, other.right),
            top=min(self.top, other.top),
        )


def box_of(ground: Georeference, shape: tuple[int, ...]) -> Box:
    """Return the extent of an image.

    Args:
        ground: Where it lies.
        shape: (H, W, ...).
    """
    height, width = shape[:2]
    corners = [
        ground.at(0, 0),
        ground.at(width, 0),
        ground.at(0, height),
        ground.at(width, height),
    ]
    xs = [x for x, _ in corners]
    ys = [y for _, y in corners]
    return Box(
        left=min(xs),
        bottom=min(ys),
        right=max(xs),
        top=max(ys),
    )


def ground_lines(seen: Observation) -> Iterator[str]:
    """Yield what the two files of a pair say of where the images lie."""
    if seen.hsi_facts is None or seen.msi_facts is None:
        yield "ground     not known: taken as the same area, corner on corner"
        return
    low = seen.hsi_facts.ground
    high = seen.msi_facts.ground
    coarse = low.pixel_size
    fine = high.pixel_size
    if coarse is None or fine is None:
        yield "ground     not known of both: taken as the same area, corner on corner"
        return
    ratio = coarse[0] / fine[0]
    yield f"ground     pixels {coarse[0]:.6g} and {fine[0]:.6g}, ratio {ratio:.4g}"
    if not is_same_system(low, high):
        yield f"systems    differ: {system_text(low)} and {system_text(high)}"
        return
    hsi = box_of(low, seen.lr_hsi.shape)
    msi = box_of(high, seen.hr_msi.shape)
    common = hsi.common(msi).area
    yield f"overlap    {common / hsi.area:.0%} of the HSI and {common / msi.area:.0%} of the MSI"


def is_same_system(low: Georeference, high: Georeference) -> bool:
    """Return whether both lie in one coordinate system, as far as their files tell."""
    if low.epsg is not None and high.epsg is not None:
        return low.epsg == high.epsg
    return low.crs_wkt == high.crs_wkt


def system_text(ground: Georeference) -> str:
    """Return a coordinate system in a word."""
    if ground.epsg is not None:
        return f"EPSG:{ground.epsg}"
    # WKT begins with the kind of system and its name in quotes.
    name = ground.crs_wkt.partition('"')[2].partition('"')[0]
    return name[:SHOWN_SYSTEM] or "an unnamed coordinate system"

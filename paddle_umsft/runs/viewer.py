"""The part of a scene's page that one can look into: band by band, LR, fused and truth over each other, spectra."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.figures.composites import RgbView
from paddle_umsft.runs.page import embedded
from paddle_umsft.runs.thinned import ThinCube, ThinCubes, sampled, thin_cubes
from paddle_umsft.runs.words import Text, Words

# The colour pictures have no more pixels than this: a page is read on a screen.
COLOUR_PIXELS = 512 * 512
# Digits of the ranges of bands: more than a byte a value can tell.
_DIGITS = 6

LR = "LR"
FUSED = "fused"
TRUTH = "truth"
_NAMES: dict[str, Text] = {
    LR: Words("LR-HSI, enlarged", "LR-HSI（放大）"),
    FUSED: Words("fused", "融合结果"),
    TRUTH: Words("truth", "真值"),
}
# What lies to the left and to the right of the divider at first.
_LEFT_FIRST = LR
_RIGHT_FIRST = FUSED


@dataclass(frozen=True)
class ViewedCube:
    """One cube of the viewer.

    Attributes:
        key: Short name, the same in the page's script.
        name: What it is called.
        picture: In colour, as a data URI.
        cube: Its values.
    """

    key: str
    name: Text
    picture: str
    cube: ThinCube


@dataclass(frozen=True)
class Viewer:
    """All that the template asks for.

    Attributes:
        cubes: From the coarsest to the truest.
        left: Key of what lies to the left of the divider at first.
        right: The same to the right.
        layout: What the script has to know, as JSON; it stands in an attribute.
        bands: How many there are to be chosen from.
        axis: What the bands are counted in.
        colours: What the colours of the pictures are.
        thinned: A sentence on what was left out.
    """

    cubes: list[ViewedCube]
    left: str
    right: str
    layout: str
    bands: int
    axis: Words
    colours: str
    thinned: Words


def make_viewer(
    seen: Observation,
    result: FusionResult,
    truth: Optional[np.ndarray],
    truth_mask: Optional[np.ndarray] = None,
) -> Viewer:
    """Return the viewer of a scene.

    Args:
        seen: The pair, as it lies under the result.
        result: What the method returned.
        truth: (H, W, C); None: there is none.
        truth_mask: (H, W) bool, True where there is a truth; None: everywhere.
    """
    shape = result.fused.shape
    coarse = {LR: _where(seen.mask_hsi, seen.lr_hsi)}
    fine = {FUSED: _where(result.valid, result.fused)}
    if truth is not None:
        fine[TRUTH] = _where(truth_mask, truth)
    thin = thin_cubes(coarse, fine, seen.wavelengths_nm)
    small = {}
    for name, cube in {**coarse, **fine}.items():
        small[name] = np.nan_to_num(sampled(cube, COLOUR_PIXELS))
    # The truth, or else the result, decides on colours and brightness of all.
    view = RgbView.fit(list(small.values())[-1], seen.wavelengths_nm, srf=result.srf)
    cubes = []
    for key, cube in small.items():
        viewed = ViewedCube(
            key=key,
            name=_NAMES[key],
            picture=embedded(view.render(cube)),
            cube=thin.cubes[key],
        )
        cubes.append(viewed)
    return Viewer(
        cubes=cubes,
        left=_LEFT_FIRST,
        right=_RIGHT_FIRST,
        layout=json.dumps(_layout(thin, shape)),
        bands=len(thin.bands),
        axis=_axis(thin.label),
        colours=view.label,
        thinned=_thinned_words(thin, shape),
    )


def _where(mask: Optional[np.ndarray], cube: np.ndarray) -> np.ndarray:
    """Return a cube with NaN where a mask says that nothing was seen."""
    if mask is None:
        return cube
    return np.where(mask[:, :, None], cube, np.float32(np.nan))


def _layout(thin: ThinCubes, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return what the script has to know beside the codes."""
    unit = ""
    if thin.label != "band":
        unit = "nm"
    return {
        "height": shape[0],
        "width": shape[1],
        "unit": unit,
        "positions": _rounded(thin.positions),
        "low": _rounded(thin.low),
        "span": _rounded(thin.span),
    }


def _rounded(values: np.ndarray) -> list[float]:
    """Return numbers as short as they may be."""
    return [float(f"{value:.{_DIGITS}g}") for value in values]


def _axis(label: str) -> Words:
    """Return what the bands are counted in."""
    chinese: Mapping[str, str] = {
        "band": "波段",
        "wavelength (nm)": "波长（nm）",
    }
    return Words(label, chinese[label])


def _thinned_words(thin: ThinCubes, shape: tuple[int, ...]) -> Words:
    """Say how much of the cube is in the page."""
    height, width, bands = shape
    cube = thin.cubes[FUSED]
    pixels = f"{cube.rows}×{cube.columns}"
    of_pixels = f"{height}×{width}"
    kept = len(thin.bands)
    if pixels == of_pixels and kept == bands:
        return Words(
            "All pixels and bands are in this page, one byte a value; the cube itself lies in a file beside it.",
            "全部像素和波段都在此网页中，每个数值占一个字节；原始精度的数据在同一文件夹的结果文件中。",
        )
    return Words(
        f"Thinned for this page: {pixels} of {of_pixels} pixels, {kept} of {bands} bands, one byte a value; "
        "the whole cube lies in a file beside it.",
        f"为控制网页大小，这里只保留部分数据：{of_pixels} 个像素中的 {pixels} 个，{bands} 个波段中的 {kept} 个，"
        "每个数值占一个字节；完整数据在同一文件夹的结果文件中。",
    )

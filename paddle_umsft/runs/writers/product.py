"""A fused cube as the HSI's file would have held it: its units, type, bands, no-data, on the MSI's ground."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.scene import FusionResult, Observation

NM_PER_MICROMETRE = 1000.0
# What stands for "no value" where the HSI's file names nothing: NaN in floating point, and of integers the number
# that the agencies take: 0 of unsigned ones, the lowest of signed ones.
NO_DATA_UNSIGNED = 0.0
# Types that every format here can hold; anything else goes into the next wider one.
TYPES = ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
WIDER = {"int8": "int16", "bool": "uint8", "float16": "float32", "int64": "float64", "uint64": "float64"}


@dataclass(frozen=True)
class Product:
    """A cube with everything that a file can say of it.

    Attributes:
        values: (H, W, C) in the type that is stored, no-data in place.
        ground: Where it lies.
        bands: Its C bands.
        no_data: The number that means "no value here" (may be NaN); None: all are values.
        units: Of the values, "" if unknown.
        acquired: Time of acquisition, "" if unknown.
        sensor: What took the image, "" if unknown.
        history: How it was made, in a line.
    """

    values: np.ndarray
    ground: Georeference = field(default_factory=Georeference)
    bands: BandFacts = field(default_factory=BandFacts)
    no_data: Optional[float] = None
    units: str = ""
    acquired: str = ""
    sensor: str = ""
    history: str = ""

    def band_facts(self) -> Iterator[dict[str, Any]]:
        """Yield what is known of each band: `name`, `wavelength_nm`, `fwhm_nm`, `good`, `scale`, `offset`."""
        bands = self.bands
        for place in range(self.values.shape[2]):
            # Most files name their bands, some none of them.
            name = ""
            if place < len(bands.names):
                name = bands.names[place]
            good = None
            if bands.good is not None:
                good = bool(bands.good[place])
            yield {
                "name": name,
                "wavelength_nm": _finite(bands.wavelengths_nm, place),
                "fwhm_nm": _finite(bands.fwhm_nm, place),
                "scale": _finite(bands.scale, place),
                "offset": _finite(bands.offset, place),
                "good": good,
            }


def _finite(values: Optional[np.ndarray], place: int) -> Optional[float]:
    """Return a band's number, or None where there is none."""
    if values is None or not np.isfinite(values[place]):
        return None
    return float(values[place])


def ground_of_result(observation: Observation) -> Georeference:
    """Return where a result lies: where the MSI does."""
    if observation.msi_facts is None:
        return Georeference()
    return observation.msi_facts.ground


def pair_under(result: FusionResult, observation: Observation) -> Observation:
    """Return the pair that lies under a result: the given one, or the part of it that both images see.

    Args:
        result: What the method returned.
        observation: What was fused.
    """
    if result.area is not None and result.pair is not None:
        return result.pair
    return observation


def make_product(
    fused: np.ndarray,
    observation: Observation,
    history: str = "",
    valid: Optional[np.ndarray] = None,
    *,
    is_difference: bool = False,
) -> Product:
    """Undo to a fused cube what reading did to the HSI: normalisation, scale and offset, order of the bands.

    Args:
        fused: (H, W, C), not a number where there is no value.
        observation: What it was fused from; its facts and the divisor in `meta` count.
        history: How it was made, in a line.
        valid: (H, W), False where the cube means nothing; None: it means something everywhere.
        is_difference: Not values but what they may be off by: an offset is none of it, and no type rounds it.

    Returns:
        The cube in the HSI's units and type, on the MSI's ground.
    """
    facts = observation.hsi_facts or FileFacts()
    values = fused.astype(np.float64) * float(observation.meta.get("divisor", 1.0))
    if valid is not None:
        values[~valid] = np.nan
    if facts.is_scaled:
        values = _unscaled(values, facts, is_difference=is_difference)
    values = facts.in_file_order(values, np.nan)
    bands = facts.bands
    if bands.count != values.shape[2]:
        # The file's bands are not known: those of the observation are.
        bands = BandFacts(count=values.shape[2], wavelengths_nm=observation.wavelengths_nm)
    kind = np.dtype(_stored_type(facts.dtype))
    if is_difference:
        kind = np.dtype(np.float32)
    stored, no_data = _stored(values, kind, facts.no_data)
    return Product(
        values=stored,
        ground=ground_of_result(observation),
        bands=bands,
        no_data=no_data,
        units=facts.units,
        acquired=facts.acquired,
        sensor=facts.sensor,
        history=history,
    )


def with_no_data(observation: Observation) -> Observation:
    """An observation whose results have a number for "no value here", whether this part of them needs one or not."""
    facts = observation.hsi_facts or FileFacts()
    if facts.no_data is not None:
        return observation
    kind = np.dtype(_stored_type(facts.dtype))
    return replace(observation, hsi_facts=replace(facts, no_data=_usual_no_data(kind)))


def _unscaled(
    values: np.ndarray,
    facts: FileFacts,
    *,
    is_difference: bool,
) -> np.ndarray:
    """Take the offset off and divide by the scale, which the file names for its bands in its own order."""
    order: Any = slice(None)
    if facts.order is not None:
        order = list(facts.order)
    if facts.bands.offset is not None and not is_difference:
        values = values - facts.bands.offset[order]
    if facts.bands.scale is not None:
        values = values / facts.bands.scale[order]
    return values


def _stored_type(named: str) -> str:
    """Return the type that is written for the type of the HSI's file."""
    name = WIDER.get(named, named)
    if name in TYPES:
        return name
    return "float32"


def _stored(
    values: np.ndarray,
    kind: np.dtype,
    no_data: Optional[float],
) -> tuple[np.ndarray, Optional[float]]:
    """Round to the stored type; what has no value gets the number that says so, and nothing else has it.

    Args:
        values: (H, W, C) float64, not a number where there is no value.
        kind: What is stored.
        no_data: What the HSI's file names, or None.

    Returns:
        The stored numbers, and the number for "no value here", or None where all are values.
    """
    missing = ~np.isfinite(values)
    if no_data is None and missing.any():
        no_data = _usual_no_data(kind)
    if kind.kind == "f":
        stored = values.astype(kind)
        if no_data is not None:
            stored[missing] = no_data
        return stored, no_data
    limits = np.iinfo(kind)
    known = np.where(missing, 0.0, values)
    rounded = np.rint(known)
    # Beyond the type's limits an integer would begin again at the other end.
    within = np.clip(rounded, limits.min, limits.max)
    stored = within.astype(kind)
    if no_data is None:
        return stored, None
    if not limits.min <= no_data <= limits.max:
        # A number that the type cannot hold marks nothing.
        no_data = _usual_no_data(kind)
    mark = kind.type(no_data)
    # A value that happens to be the mark would be lost: its neighbour is the nearest that is none.
    beside = no_data + 1
    if beside > limits.max:
        beside = no_data - 1
    stored[stored == mark] = kind.type(beside)
    stored[missing] = mark
    return stored, no_data


def _usual_no_data(kind: np.dtype) -> float:
    """Return the number for "no value here" where the file names none."""
    if kind.kind == "f":
        return float("nan")
    if kind.kind == "u":
        return NO_DATA_UNSIGNED
    return float(np.iinfo(kind).min)

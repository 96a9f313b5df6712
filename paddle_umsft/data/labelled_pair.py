"""A pair of labelled arrays as `fuse` works on them: upright, divided by their largest value, bands ascending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.labelled import Labelled, is_labelled, read_labelled, to_labelled
from paddle_umsft.data.layout import divisor_of
from paddle_umsft.errors import ConfigError, DataError


@dataclass(frozen=True)
class LabelledPair:
    """Two labelled images.

    Attributes:
        hsi: The HSI as it came.
        msi: The MSI as it came.
        lr_hsi: (h, w, C), divided, bands in ascending order of wavelength where those are known.
        hr_msi: (H, W, M), divided.
        divisor: What the HSI was divided by.
        divisor_msi: What the MSI was divided by.
        order: Of each band its place in the HSI.
        wavelengths_nm: (C,) ascending, if known.
    """

    hsi: Labelled
    msi: Labelled
    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    divisor: float
    divisor_msi: float
    order: np.ndarray
    wavelengths_nm: Optional[np.ndarray]

    def known(self, name: str, given: Any, own: Any) -> Any:
        """Return what was given, or what the labels say.

        Raises:
            ConfigError: Both say something.
        """
        if given is None:
            return own
        if own is not None:
            raise ConfigError("not beside labels", where=name, hint="the DataArray says it already")
        # In the order of the HSI's own bands, as all that is given.
        if name == "wavelengths_nm":
            return np.asarray(given)[self.order]
        return given

    def srf(self, given: Optional[np.ndarray]) -> Optional[np.ndarray]:
        """Return a known SRF for the divided images and their order of bands; given, it relates the labelled ones."""
        if given is None:
            return None
        found = np.asarray(given, np.float64)
        if found.ndim != 2 or found.shape[1] != self.order.size:
            # What is wrong with it is said where every SRF is checked.
            return found
        return np.asarray(found[:, self.order] * (self.divisor / self.divisor_msi))

    def labelled(self, fused: np.ndarray, valid: Optional[np.ndarray]) -> Any:
        """Return a fused cube with labels, in the HSI's units and order of bands."""
        values = np.empty_like(fused)
        values[:, :, self.order] = fused * self.divisor
        return to_labelled(values, valid, self.hsi, self.msi)


def labelled_pair(lr_hsi: Any, hr_msi: Any) -> Optional[LabelledPair]:
    """Take a pair of labelled arrays apart.

    Args:
        lr_hsi: Anything.
        hr_msi: Anything.

    Returns:
        The pair, or None where neither is labelled.

    Raises:
        DataError: Only one of them is, or their axes are not known.
    """
    if not is_labelled(lr_hsi) and not is_labelled(hr_msi):
        return None
    if not (is_labelled(lr_hsi) and is_labelled(hr_msi)):
        raise DataError(
            "one labelled array and one without labels",
            where="lr_hsi, hr_msi",
            expected="both xarray.DataArray, or neither",
            hint="give .values of the labelled one, as (rows, columns, bands)",
        )
    hsi = read_labelled(lr_hsi, "lr_hsi")
    msi = read_labelled(hr_msi, "hr_msi")
    wavelengths = hsi.wavelengths_nm
    order = np.arange(hsi.values.shape[2])
    if wavelengths is not None:
        order = np.argsort(wavelengths, kind="stable")
        wavelengths = wavelengths[order]
    low, divisor = _divided(hsi, "lr_hsi")
    high, divisor_msi = _divided(msi, "hr_msi")
    return LabelledPair(
        hsi=hsi,
        msi=msi,
        lr_hsi=low[:, :, order],
        hr_msi=high,
        divisor=divisor,
        divisor_msi=divisor_msi,
        order=order,
        wavelengths_nm=wavelengths,
    )


def _divided(image: Labelled, where: str) -> tuple[np.ndarray, float]:
    """Return the values divided by the largest one that is data, and that."""
    values = image.values
    data = values
    if image.mask is not None:
        data = values[image.mask]
    if data.size == 0:
        raise DataError("no value at all", where=where)
    divisor = divisor_of(data, "max", where)
    return values.astype(np.float64) / divisor, divisor

"""`fuse` takes and gives xarray's labelled arrays; bands that come first are named with the call that mends it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from paddle_umsft import UmsftError, fuse

xarray = pytest.importorskip("xarray")
# Made of random numbers, of which no band tells anything of another.
pytestmark = pytest.mark.filterwarnings("ignore:use with care")

RNG = np.random.RandomState(0)
TRUTH = RNG.uniform(0.1, 1, (32, 48, 5))
LOW = TRUTH.reshape(8, 4, 12, 4, 5).mean(axis=(1, 3))
HIGH = TRUTH[:, :, :2]
NM = np.array([450.0, 500, 550, 600, 650])
WKT = 'GEOGCS["WGS 84"]'


def grid(pixel: float, height: int, width: int) -> dict[str, Any]:
    """Coordinates of the pixels' centres of an image whose corner is (600000, 5800000), as rioxarray gives them."""
    return {
        "x": 600000 + pixel * (np.arange(width) + 0.5),
        "y": 5800000 - pixel * (np.arange(height) + 0.5),
        "spatial_ref": ((), 0, {"crs_wkt": WKT}),
    }


def hsi(order: tuple[int, ...] = (0, 1, 2, 3, 4), **more: Any) -> Any:
    coords = {**grid(40, 8, 12), "wavelength": ("band", NM[list(order)], {"units": "nm"})}
    values = 10000 * LOW[:, :, list(order)]
    return xarray.DataArray(values, dims=("y", "x", "band"), coords=coords, attrs={"units": "counts"}, **more)


def msi() -> Any:
    return xarray.DataArray(255 * HIGH, dims=("y", "x", "band"), coords=grid(10, 32, 48))


def plain() -> np.ndarray:
    """What two arrays without labels give, divided by their maxima by hand."""
    result = fuse(LOW / LOW.max(), HIGH / HIGH.max(), method="subspace", wavelengths_nm=NM)
    return result.fused * LOW.max() * 10000


def test_labels_go_in_and_come_out() -> None:
    fused = fuse(hsi(), msi(), method="subspace").fused
    assert isinstance(fused, xarray.DataArray)
    assert fused.dims == ("y", "x", "band")
    np.testing.assert_allclose(fused.values, plain(), rtol=1e-4)
    np.testing.assert_array_equal(fused.x, msi().x)
    np.testing.assert_array_equal(fused.y, msi().y)
    np.testing.assert_array_equal(fused.wavelength, NM)
    assert fused.attrs == {"units": "counts"}
    assert fused.spatial_ref.attrs == {"crs_wkt": WKT}


@pytest.mark.parametrize("dims", [("band", "y", "x"), ("x", "band", "y")])
def test_axes_are_told_by_their_names(dims: tuple[str, ...]) -> None:
    fused = fuse(hsi().transpose(*dims), msi().transpose("band", "y", "x"), method="bicubic").fused
    assert fused.dims == dims
    np.testing.assert_allclose(
        fused.transpose("y", "x", "band").values, fuse(hsi(), msi(), method="bicubic").fused.values
    )


def test_bands_out_of_order_come_back_as_they_were() -> None:
    order = (3, 0, 4, 1, 2)
    fused = fuse(hsi(order), msi(), method="subspace").fused
    np.testing.assert_array_equal(fused.wavelength, NM[list(order)])
    np.testing.assert_allclose(fused.values, plain()[:, :, list(order)], rtol=1e-4)


def test_a_known_srf_relates_the_labelled_values() -> None:
    """Rows of the SRF are in the order of the HSI's own bands; both images have units of their own."""
    order = [3, 0, 4, 1, 2]
    srf = np.zeros((2, 5))
    srf[[0, 1], [order.index(0), order.index(1)]] = 255 / 10000
    result = fuse(hsi(tuple(order)), msi(), method="subspace", srf=srf)
    expected = np.zeros((2, 5))
    expected[[0, 1], [0, 1]] = LOW.max() / HIGH.max()
    np.testing.assert_allclose(result.srf, expected, rtol=1e-6)


def test_no_data_is_nan_in_the_result() -> None:
    low, high = hsi(), msi()
    low[0:2, 0:2, 1] = np.nan
    high.attrs["_FillValue"] = 0
    high[0:8, 0:8] = 0
    with warnings.catch_warnings():
        # That pixels are masked is said; what becomes of them is what is looked at here.
        warnings.simplefilter("ignore", UserWarning)
        result = fuse(low, high, method="subspace")
    assert result.valid is not None
    assert not result.valid[:8, :8].any()
    np.testing.assert_array_equal(np.isnan(result.fused.values).any(axis=2), ~result.valid)
    assert result.valid[20:].all()


def test_micrometres_and_names_of_bands() -> None:
    named = hsi().drop_vars("wavelength")
    named.attrs["long_name"] = tuple(f"band ({nm / 1000:g} Micrometers)" for nm in NM)
    np.testing.assert_allclose(fuse(named, msi(), method="bicubic").fused.wavelength, NM)


def test_what_labels_do_not_tell_is_asked_for() -> None:
    odd = xarray.DataArray(LOW, dims=("dim_0", "dim_1", "dim_2"))
    with pytest.raises(UmsftError, match=r"which axis is which.*lr_hsi\.rename\(\{'dim_0': 'y', 'dim_1': 'x'"):
        fuse(odd, msi(), method="bicubic")
    with pytest.raises(UmsftError, match="one labelled array and one without"):
        fuse(hsi(), HIGH, method="bicubic")
    with pytest.raises(UmsftError, match="wavelengths_nm: not beside labels"):
        fuse(hsi(), msi(), method="bicubic", wavelengths_nm=NM)
    rest = xarray.DataArray(255 * HIGH, dims=("y", "x", "colour"))
    assert fuse(hsi(), rest, method="bicubic").fused.shape == (32, 48, 5)


@pytest.mark.parametrize("first", [("lr_hsi", "hr_msi"), ("lr_hsi",), ("hr_msi",)])
def test_bands_first_is_refused_with_the_call_that_mends_it(first: tuple[str, ...]) -> None:
    images = {"lr_hsi": LOW, "hr_msi": HIGH}
    for name in first:
        images[name] = np.moveaxis(images[name], -1, 0)
    with pytest.raises(UmsftError, match="the bands come first") as caught:
        fuse(images["lr_hsi"], images["hr_msi"], method="bicubic")
    names = {"np": np, **images}
    exec(str(caught.value).split("; ")[1].replace(", hr_msi =", "; hr_msi ="), names)
    assert fuse(names["lr_hsi"], names["hr_msi"], method="bicubic").fused.shape == (32, 48, 5)

"""What lies under a mask reaches no pixel outside it: whatever stands there, every method gives the same to the bit."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pytest
from made_up_pairs import HEIGHT, SCALE, WIDTH, made_pair
from scipy.io import savemat

from paddle_umsft import fuse, read_pair, read_scene, simulate
from paddle_umsft.config.load import load_config
from paddle_umsft.data.masks import check_mask, filled
from paddle_umsft.data.reading import read_pair as read_pair_of
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.table import input_of
from paddle_umsft.runs.pairs import read_back, write_pair

# Rows and columns of the two masks overlap in part, so that some pixels are seen by neither camera.
LR_HOLE = (slice(3, 8), slice(10, 15))
HR_HOLE = (slice(20, 44), slice(48, 80))


def masks() -> tuple[np.ndarray, np.ndarray]:
    mask_hsi = np.ones((HEIGHT // SCALE, WIDTH // SCALE), dtype=bool)
    mask_msi = np.ones((HEIGHT, WIDTH), dtype=bool)
    mask_hsi[LR_HOLE] = False
    mask_msi[HR_HOLE] = False
    return mask_hsi, mask_msi


def quietly(*images: np.ndarray, **settings: object) -> FusionResult:
    """A fusion whose notes are not at issue."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fuse(*images, **settings)


def spoilt(rubbish: float) -> tuple[np.ndarray, np.ndarray]:
    """LR-HSI and HR-MSI with rubbish under both masks."""
    pair = made_pair()
    mask_hsi, mask_msi = masks()
    lr_hsi, hr_msi = pair.lr_hsi.copy(), pair.hr_msi.copy()
    lr_hsi[~mask_hsi] = rubbish
    hr_msi[~mask_msi] = -3 * rubbish
    return lr_hsi, hr_msi


@lru_cache(maxsize=4)
def fused_with(rubbish: float, method: str, *overrides: str) -> FusionResult:
    mask_hsi, mask_msi = masks()
    return quietly(*spoilt(rubbish), mask_hsi=mask_hsi, mask_msi=mask_msi, method=method, overrides=overrides)


FEW = ("ensemble.members=2", "ensemble.features=64")
AS_IT_IS = ("preparation.for_all=false",)


@pytest.mark.parametrize(
    "method",
    [
        ("subspace",),
        ("ensemble", *FEW),
        ("gsa",),
        ("gsa", *AS_IT_IS),
        ("sfim", *AS_IT_IS),
        ("cnmf", *AS_IT_IS),
        ("bicubic", *AS_IT_IS),
    ],
)
def test_what_is_masked_reaches_nothing(method):
    one = fused_with(0.0, *method)
    other = fused_with(1e6, *method)
    np.testing.assert_array_equal(one.fused, other.fused)
    assert np.all(np.isfinite(one.fused))
    assert one.notes == other.notes
    np.testing.assert_array_equal(one.valid, other.valid)


@pytest.mark.parametrize("method", ["umsft", "uhntc", "sfim"])
def test_no_method_is_given_what_is_masked(method):
    mask_hsi, mask_msi = masks()
    config = load_config(None, [f"method={method}", *AS_IT_IS])
    given = []
    for rubbish in (0.0, np.nan):
        lr_hsi, hr_msi = spoilt(rubbish)
        given.append(input_of(Observation(lr_hsi, hr_msi, SCALE, mask_hsi=mask_hsi, mask_msi=mask_msi), config))
    one, other = given
    np.testing.assert_array_equal(one.observation.lr_hsi, other.observation.lr_hsi)
    np.testing.assert_array_equal(one.observation.hr_msi, other.observation.hr_msi)
    assert any("knows no masks" in note for note in one.notes)


def test_the_rest_is_as_good_as_without_holes():
    pair = made_pair()
    mask_hsi, mask_msi = masks()
    far = np.repeat(np.repeat(mask_hsi, SCALE, 0), SCALE, 1) & mask_msi
    whole = quietly(pair.lr_hsi, pair.hr_msi, method="subspace").fused
    with_holes = fused_with(0.0, "subspace").fused

    def error(fused: np.ndarray) -> float:
        return float(np.sqrt(np.mean((fused - pair.truth)[far] ** 2)))

    assert error(with_holes) < 1.15 * error(whole)


def test_only_what_neither_camera_saw_is_no_data():
    mask_hsi, mask_msi = masks()
    result = fused_with(0.0, "subspace")
    seen = np.kron(mask_hsi, np.ones((SCALE, SCALE))) + mask_msi > 0
    assert not seen.all()
    np.testing.assert_array_equal(result.valid, seen)
    assert any("neither camera" in note for note in result.notes)
    # The HSI says what the spectra under the MSI's hole are like: better than any constant.
    pair = made_pair()
    hole = np.zeros_like(mask_msi)
    hole[HR_HOLE] = True
    hole &= seen
    error = np.mean((result.fused - pair.truth)[hole] ** 2)
    assert error < 0.6 * np.mean((pair.truth[hole] - pair.truth[hole].mean(axis=0)) ** 2)


def test_without_a_mask_all_is_as_it_was():
    pair = made_pair()
    everything = np.ones((HEIGHT, WIDTH), dtype=np.uint8)
    plain = quietly(pair.lr_hsi, pair.hr_msi, method="subspace")
    masked = quietly(pair.lr_hsi, pair.hr_msi, method="subspace", mask_msi=everything)
    np.testing.assert_array_equal(plain.fused, masked.fused)
    assert plain.valid is None
    assert masked.valid.all()
    assert masked.notes == plain.notes


@pytest.mark.parametrize("shape", [(7, 9, 2), (32, 24, 1), (1, 5, 3)])
def test_a_fill_keeps_what_is_valid_and_stays_within_it(shape):
    rng = np.random.default_rng(0)
    image = rng.uniform(size=shape)
    valid = rng.uniform(size=shape[:2]) < 0.4
    valid[0, 0] = True
    out = filled(image, valid, "image")
    np.testing.assert_array_equal(out[valid], image[valid])
    low, high = image[valid].min(axis=0), image[valid].max(axis=0)
    assert np.all(out >= low - 1e-12)
    assert np.all(out <= high + 1e-12)


def test_a_fill_of_a_plane_follows_it():
    rows, columns = np.mgrid[:64, :48].astype(float)
    plane = (rows + 2 * columns)[..., None]
    valid = np.ones((64, 48), dtype=bool)
    valid[20:30, 16:24] = False
    out = filled(plane, valid, "image")
    assert np.max(np.abs(out - plane)) < 0.12 * np.ptp(plane)


def test_whole_numbers_stay_whole():
    counts = np.arange(48, dtype=np.uint16).reshape(6, 8, 1)
    valid = counts[..., 0] % 5 != 0
    out = filled(counts, valid, "image")
    assert out.dtype == np.uint16
    assert out[~valid].max() <= counts.max()


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((3, 4)), "size of a mask"),
        (np.zeros((4, 6)), "everything is masked"),
        (np.full((4, 6), np.nan), "NaN"),
        (np.full((4, 6), "a"), "type of a mask"),
    ],
)
def test_a_mask_that_does_not_fit_is_one_line(mask, words):
    with pytest.raises(DataError, match=words) as refusal:
        check_mask(mask, (4, 6, 3), "mask_hsi")
    assert "\n" not in str(refusal.value)


def test_outside_a_mask_nothing_else_is_forgiven():
    pair = made_pair()
    lr_hsi = pair.lr_hsi.copy()
    lr_hsi[2, 3, 4] = np.nan
    mask_hsi, _ = masks()
    with pytest.raises(DataError, match=r"NaN or infinite of \d+, the first \(nan\) at index \(2, 3, 4\)"):
        fuse(lr_hsi, pair.hr_msi, mask_hsi=mask_hsi, method="gsa")


def test_masks_from_files(tmp_path):
    pair = made_pair()
    mask_hsi, mask_msi = masks()
    lr_hsi = pair.lr_hsi.copy()
    lr_hsi[~mask_hsi] = 1e9  # nor does the divisor see it
    np.save(tmp_path / "low.npy", lr_hsi)
    np.save(tmp_path / "high.npy", pair.hr_msi)
    savemat(tmp_path / "mask.mat", {"good": mask_hsi.astype(np.uint8)})
    from PIL import Image

    Image.fromarray(255 * mask_msi.astype(np.uint8)).convert("RGB").save(tmp_path / "mask.png")
    case = read_pair(
        tmp_path / "low.npy",
        tmp_path / "high.npy",
        layout="hwc",
        mask_hsi=str(tmp_path / "mask.mat"),
        mask_msi=str(tmp_path / "mask.png"),
    )
    seen = case.observation
    np.testing.assert_array_equal(seen.mask_hsi, mask_hsi)
    np.testing.assert_array_equal(seen.mask_msi, mask_msi)
    assert seen.lr_hsi.max() <= 1.0
    assert seen.meta["divisor"] == pytest.approx(pair.lr_hsi[mask_hsi].max())


def test_a_masked_scene_is_observed_through_its_mask(tmp_path):
    mask = np.ones((64, 96), dtype=bool)
    mask[10:20, 30:40] = False
    np.save(tmp_path / "mask.npy", mask)
    scene = read_scene("demo://dead_leaves", mask_hsi=str(tmp_path / "mask.npy"), demo={"height": 64, "width": 96})
    np.testing.assert_array_equal(scene.mask_hsi, mask)
    case = simulate(scene, scale=8, srf="uniform", psf={"type": "box"})
    # A box sees its own pixels only: an LR pixel is masked if one of its pixels is.
    cells = mask.reshape(8, 8, 12, 8).all(axis=(1, 3))
    np.testing.assert_array_equal(case.observation.mask_hsi, cells)
    np.testing.assert_array_equal(case.observation.mask_msi, mask)
    np.testing.assert_array_equal(case.mask, mask)


def test_a_masked_pair_goes_through_files_with_its_masks(tmp_path):
    mask = np.ones((64, 96), dtype=bool)
    mask[10:20, 30:40] = False
    np.save(tmp_path / "mask.npy", mask)
    overrides = [
        "data.path=demo://dead_leaves",
        "data.demo.height=64",
        "data.demo.width=96",
        f"data.mask_hsi={tmp_path / 'mask.npy'}",
        "observe.srf=uniform",
    ]
    config = load_config(None, overrides)
    case = simulate(read_scene(config), config)
    write_pair(case, config, tmp_path)
    again = load_config(None, read_back(tmp_path))
    images = read_pair_of(again.data)
    np.testing.assert_array_equal(images.mask_hsi, case.observation.mask_hsi)
    np.testing.assert_array_equal(images.mask_msi, mask)
    valid = case.observation.mask_hsi
    np.testing.assert_array_equal(images.lr_hsi[valid], case.observation.lr_hsi[valid])

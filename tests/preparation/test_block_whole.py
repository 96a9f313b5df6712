"""What is wrong with a very large pair beside the block in its middle; here a small one, half of which is the block."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Optional

import numpy as np
import pytest
from made_up_pairs import HEIGHT, LR_SHAPE, SCALE, WIDTH, made_pair

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.preparation import block, block_gains, block_parts, block_strangers, drowned
from paddle_umsft.preparation.block import block_of, data_at_lr_pixels, examine_block
from paddle_umsft.preparation.examine import examine
from paddle_umsft.preparation.prepared import Prepared, untouched
from paddle_umsft.preparation.strangers import Strangers
from paddle_umsft.preparation.told_strangers import name_strangers

# LR pixels: dead ones beside the block and in it, and an object beside it.
DEAD = ((1, 25), (18, 3), (9, 12))
OBJECT = np.s_[6:10, 23:27]


def observation(
    lr_hsi: Optional[np.ndarray] = None,
    hr_msi: Optional[np.ndarray] = None,
) -> Observation:
    """A clean pair, or one of whose images something is wrong with."""
    made = made_pair()
    if lr_hsi is None:
        lr_hsi = made.lr_hsi
    if hr_msi is None:
        hr_msi = made.hr_msi
    return Observation(lr_hsi.astype(np.float32), hr_msi.astype(np.float32), SCALE)


def of_a_block(
    pair: Observation,
    monkeypatch: pytest.MonkeyPatch,
    *,
    share: float = 0.5,
) -> Prepared:
    """What is made of a pair of which a part, half mostly, is the block, the whole looked at a few rows at a time."""
    monkeypatch.setattr(block, "MOST_EXAMINED", share * HEIGHT * WIDTH)
    for room in (block_strangers, block_gains, drowned):
        monkeypatch.setattr(room, "AT_ONCE", 3 * pair.lr_hsi.shape[1] * pair.bands)
    monkeypatch.setattr(block_parts, "AT_ONCE", HEIGHT // 2 * WIDTH)
    return examine_block(pair, SubspaceSettings(), PreparationSettings())[0]


def uncut(pair: Observation) -> Prepared:
    """What is made of the same pair as a whole."""
    return examine_block(pair, SubspaceSettings(), PreparationSettings())[0]


def with_strangers() -> Observation:
    made = made_pair()
    lr_hsi, hr_msi = made.lr_hsi.copy(), made.hr_msi.copy()
    for place in DEAD:
        lr_hsi[place] = 0.0
    rows, columns = (slice(SCALE * part.start, SCALE * part.stop) for part in OBJECT)
    # A thing of two colours stands there in the MSI alone.
    hr_msi[rows, columns] = hr_msi.max(axis=(0, 1)) * np.array([1.0, 0.2, 0.6])
    return observation(lr_hsi, hr_msi)


def test_strangers_are_found_in_all_of_a_very_large_pair(monkeypatch: pytest.MonkeyPatch):
    pair = with_strangers()
    whole = uncut(pair)
    prepared = of_a_block(pair, monkeypatch)
    rows, columns = block_of(LR_SHAPE, SCALE)
    assert not rows.start <= DEAD[0][0] < rows.stop
    assert columns.stop <= OBJECT[1].start
    for trust in (prepared.use_trust, prepared.own_trust, prepared.fit_trust):
        for place in DEAD:
            assert not trust[place]
        assert not trust[OBJECT].any()
    # Hardly another one than where the pair is examined as a whole: one at the rim of the object.
    assert np.count_nonzero(prepared.own_trust != whole.own_trust) <= 2
    assert prepared.found["dead HSI pixels"] == whole.found["dead HSI pixels"] == len(DEAD)
    # Images are left as they are, and places are told in the whole picture's coordinates.
    assert prepared.observation.lr_hsi is pair.lr_hsi
    assert prepared.observation.hr_msi is pair.hr_msi
    assert prepared.notes == [note for note in whole.notes if "dead?" in note or "do not show the same" in note]
    # The object and what LR pixels beside it see of it.
    assert prepared.found["moved"] == whole.found["moved"] == ["rows 20-44, columns 88-108"]


@pytest.mark.parametrize("image", ["hsi", "msi", "noughts"])
def test_where_the_middle_holds_no_data_the_block_lies_where_there_is_some(
    image: str,
    monkeypatch: pytest.MonkeyPatch,
):
    pair = observation()
    has_data = np.ones(LR_SHAPE, dtype=bool)
    # Between two swaths.
    has_data[:, 5:20] = False
    if image == "hsi":
        pair = replace(pair, mask_hsi=has_data)
    elif image == "noughts":
        # Nothing says that they are no data.
        lr_hsi = pair.lr_hsi * has_data[:, :, None]
        hr_msi = pair.hr_msi * np.kron(has_data, np.ones((SCALE, SCALE), dtype=bool))[:, :, None]
        pair = replace(pair, lr_hsi=lr_hsi, hr_msi=hr_msi)
    else:
        pair = replace(pair, mask_msi=np.kron(has_data, np.ones((SCALE, SCALE), dtype=bool)))
    monkeypatch.setattr(block, "MOST_EXAMINED", 0.1 * HEIGHT * WIDTH)
    assert not has_data[block_of(LR_SHAPE, SCALE)].any()
    assert has_data[block_of(LR_SHAPE, SCALE, has_data)].all()
    prepared, degradations = examine_block(pair, SubspaceSettings(), PreparationSettings())
    if image != "noughts":
        # Beside these LR pixels are darker in the MSI than in the HSI.
        assert not prepared.found
    _, whole = examine(observation(), SubspaceSettings(), PreparationSettings())
    assert degradations.agreement > 0.9
    np.testing.assert_allclose(np.sum(degradations.psf**2), np.sum(whole.psf**2), rtol=0.2)


def test_a_block_lies_where_an_upside_down_hsi_holds_data():
    lr_shape = (12, 20)
    lr_hsi: np.ndarray = np.ones((*lr_shape, 3), dtype=np.float32)
    lr_hsi[:5] = 0.0
    upside_down = HsiGrid(np.diag([-4.0, 4.0]), np.array([48.0, 0.0]))
    pair = Observation(lr_hsi, np.ones((48, 80, 2), dtype=np.float32), 4, grid=upside_down)
    has_data = data_at_lr_pixels(pair)
    assert has_data.shape == lr_shape
    assert has_data[:7].all()
    assert not has_data[7:].any()


def test_of_many_places_the_largest_are_told():
    prepared = untouched(observation())
    mask = np.zeros(LR_SHAPE, dtype=bool)
    groups = []
    for number in range(25):
        top, left = divmod(number, 5)
        group = (4 * top, 5 * left, 4 * top + 2, 5 * left + 2 + number % 3)
        groups.append(group)
        mask[group[0] : group[2], group[1] : group[3]] = True
    name_strangers(prepared, Strangers(mask, groups, singles=0), np.zeros_like(mask))
    (note,) = prepared.notes
    assert note.endswith("and 5 smaller places: only the MSI is used there")
    # Every third is as wide as four, and these are all told.
    assert note.count("rows") == 20
    for _, left, _, right in groups[2::3]:
        assert f"columns {left * SCALE}-{right * SCALE}" in note
    assert len(prepared.found["moved"]) == 25


def test_a_clean_pair_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    pair = observation()
    prepared = of_a_block(pair, monkeypatch)
    assert prepared.observation is pair
    assert prepared.own_trust.all()
    assert not prepared.found
    assert not prepared.notes


@pytest.mark.slow
def test_a_shadow_beside_the_block_is_lit_anew(monkeypatch: pytest.MonkeyPatch):
    clean = made_pair().hr_msi
    dark = np.s_[4:36, 92:]
    hr_msi = clean.copy()
    hr_msi[dark] *= 0.5
    pair = observation(hr_msi=hr_msi)
    whole = uncut(pair)
    prepared = of_a_block(pair, monkeypatch)
    assert "light" in prepared.found
    assert "moved" not in prepared.found
    assert np.count_nonzero(prepared.fit_trust != whole.fit_trust) <= 4
    assert "the light differs between the images at rows" in prepared.notes[0]
    inner = np.s_[12:28, 100:]
    left = prepared.observation.hr_msi - clean
    assert np.abs(left[inner]).mean() < 0.15 * np.abs(hr_msi - clean)[inner].mean()
    # Far from it nothing is touched.
    np.testing.assert_array_equal(prepared.observation.hr_msi[:, :60], pair.hr_msi[:, :60])
    assert prepared.unsure_light is not None
    assert prepared.unsure_light[dark].max() > 0.05
    assert not prepared.unsure_light[:, :60].any()


@pytest.mark.slow
def test_saturated_pixels_are_raised_in_the_whole(monkeypatch: pytest.MonkeyPatch):
    clean = made_pair().hr_msi
    limit = np.quantile(clean, 0.93, axis=(0, 1))
    lr_hsi = made_pair().lr_hsi.copy()
    for place in DEAD:
        lr_hsi[place] = 0.0
    pair = observation(lr_hsi, np.minimum(clean, limit))
    whole = uncut(pair)
    prepared = of_a_block(pair, monkeypatch)
    np.testing.assert_array_equal(prepared.fit_trust, whole.fit_trust)
    # Plateaus themselves are no strangers, and not named as such; two of the dead pixels see some.
    assert prepared.found == whole.found
    assert list(prepared.found) == ["saturation", "dead HSI pixels"]
    assert prepared.notes == whole.notes
    np.testing.assert_array_equal(prepared.msi_trust, whole.msi_trust)
    cut = clean - pair.hr_msi
    left = np.abs(clean - prepared.observation.hr_msi)[cut > 0].mean()
    assert left < 1.1 * np.abs(clean - whole.observation.hr_msi)[cut > 0].mean()
    assert left < 0.8 * cut[cut > 0].mean()


@pytest.mark.slow
def test_bands_of_noise_are_rebuilt_in_the_whole(monkeypatch: pytest.MonkeyPatch):
    made = made_pair()
    lr_hsi = made.lr_hsi.copy()
    rng = np.random.default_rng(5)
    for band in (4, 11):
        lr_hsi[..., band] += rng.normal(scale=2.0, size=LR_SHAPE)
    prepared = of_a_block(observation(lr_hsi), monkeypatch)
    assert prepared.found["drowned bands"] == [4, 11]
    rebuilt = prepared.observation.lr_hsi
    assert rebuilt.dtype == np.float32
    for band in range(lr_hsi.shape[2]):
        apart = np.sqrt(np.mean((rebuilt[..., band] - made.lr_hsi[..., band]) ** 2))
        # Of the noise next to nothing is left, all other bands are as they were.
        assert apart < (0.03 if band in (4, 11) else 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("turn", [np.flipud, lambda cube: cube[::-1, ::-1]], ids=["mirrored", "turned"])
def test_a_whole_that_is_mirrored_or_turned_is_turned_back(
    turn: Callable[[np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    clean = made_pair().lr_hsi
    # An odd number of lines beside the block: mirrored, its rows are not its own.
    prepared = of_a_block(observation(np.ascontiguousarray(turn(clean))), monkeypatch)
    np.testing.assert_array_equal(prepared.observation.lr_hsi, clean.astype(np.float32))
    assert list(prepared.found) == ["orientation"]
    assert prepared.notes == [prepared.found["orientation"]]


@pytest.mark.slow
@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_are_taken_off_the_whole(axis: int, monkeypatch: pytest.MonkeyPatch):
    clean = made_pair().lr_hsi
    gains = 1.0 + 0.1 * np.random.default_rng(6).standard_normal(LR_SHAPE[axis])
    lr_hsi = clean * np.expand_dims(gains, (1 - axis, 2))
    prepared = of_a_block(observation(lr_hsi), monkeypatch)
    left = np.median(prepared.observation.lr_hsi / clean, axis=(1 - axis, 2))  # a gain for every line
    # A common factor is the SRF's; along the border little is seen of a line across.
    assert np.std(left[1:-1]) / np.mean(left[1:-1]) < 0.02
    told = [note for note in prepared.notes if "gains of their own" in note]
    assert len(told) == 1
    assert prepared.found["stripes"] == pytest.approx(np.std(gains), rel=0.15)


@pytest.mark.slow
def test_stripes_of_the_block_alone_are_refused(monkeypatch: pytest.MonkeyPatch):
    gains = 0.1 * np.random.default_rng(6).standard_normal((1, LR_SHAPE[1], 1))
    lr_hsi = made_pair().lr_hsi * (1.0 - gains)
    # In half of the rows, and these are the block's, columns have the opposite gains.
    rows = slice(5, 15)
    lr_hsi[rows] = made_pair().lr_hsi[rows] * (1.0 + gains)
    with pytest.raises(DataError, match="got stripes"):
        of_a_block(observation(lr_hsi), monkeypatch, share=0.25)


@pytest.mark.slow
def test_a_shading_is_taken_off_the_whole(monkeypatch: pytest.MonkeyPatch):
    clean = made_pair().hr_msi
    gain = np.linspace(0.7, 1.3, WIDTH)[None, :] * np.ones((HEIGHT, 1))
    prepared = of_a_block(observation(hr_msi=clean * gain[..., None]), monkeypatch)
    bright = clean > np.median(clean)
    left = prepared.observation.hr_msi[bright] / clean[bright]
    assert left.std() / left.mean() < 0.02
    # Of 0.3 to either side a block half as large sees 0.2.
    assert prepared.found["shading"] == pytest.approx((1.3 / 0.7 - 1.0) / 2, rel=0.15)
    assert len([note for note in prepared.notes if "is shaded" in note]) == 1


def test_what_can_only_be_undone_in_small_pairs_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch):
    pair = replace(observation(made_pair().lr_hsi[::-1]), mask_hsi=np.ones(LR_SHAPE, dtype=bool))
    with pytest.raises(DataError, match=r"got orientation.*preparation\.geometry=none"):
        of_a_block(pair, monkeypatch)

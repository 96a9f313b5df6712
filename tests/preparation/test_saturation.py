"""What saturated pixels lack: more inside a plateau than at its rim, where light passes the limit."""

from __future__ import annotations

import numpy as np
from made_up_pairs import BANDS, HEIGHT, MARGIN, SCALE, SIGMA, WIDTH, made_pair, response
from scipy.ndimage import gaussian_filter

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.prepare import prepare_pair
from paddle_umsft.preparation.saturation import domes


def test_domes_rise_from_the_rim_and_not_from_the_border() -> None:
    censored = np.zeros((30, 40, 2), dtype=bool)
    censored[:, 10:21, 0] = True  # eleven columns wide, from border to border
    heights = domes(censored, 4)
    depth = np.array([1, 2, 3, 4, 4, 4, 4, 4, 3, 2, 1.0])
    np.testing.assert_allclose(heights[:, 10:21, 0], np.tile(depth**0.7, (30, 1)))
    assert not heights[~censored].any()


def test_highlights_that_were_cut_off_are_raised_as_highlights_are() -> None:
    """Lamps shine on the scene; the MSI cuts them off. Spread evenly, light is not as near to them."""
    pair = made_pair()
    rows, columns = np.mgrid[-MARGIN : HEIGHT + MARGIN, -MARGIN : WIDTH + MARGIN]
    lamps = np.zeros(rows.shape)
    for row, column, size in ((20, 30, 5.0), (52, 78, 8.0), (60, 24, 6.0)):
        lamps += np.exp(-0.5 * ((rows - row) ** 2 + (columns - column) ** 2) / size**2)
    # LR pixels lie between HR pixels: the mean of the four around their middle.
    soft = gaussian_filter(lamps, SIGMA)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    half = SCALE // 2
    middles = [soft[half - 1 + down :: SCALE, half - 1 + right :: SCALE] for down in (0, 1) for right in (0, 1)]
    lr_lamps = np.mean(middles, axis=0)
    color = np.linspace(0.8, 1.2, BANDS)
    lr_hsi = pair.lr_hsi + lr_lamps[:, :, None] * color
    msi = pair.hr_msi + lamps[MARGIN:-MARGIN, MARGIN:-MARGIN, None] * (color @ response().T)
    limit = np.quantile(msi, 0.95, axis=(0, 1))
    cut = np.minimum(msi, limit)
    prepared = prepare_pair(
        Observation(lr_hsi.astype(np.float32), cut.astype(np.float32), SCALE),
        PreparationSettings(),
    )
    assert "saturation" in prepared.found
    raised = prepared.observation.hr_msi
    assert np.all(raised >= cut - 1e-6)
    parts = []
    for band in range(msi.shape[2]):
        is_cut = msi[..., band] > limit[band]
        lack = msi[is_cut, band] - limit[band]
        missed = raised[is_cut, band] - msi[is_cut, band]
        parts.append(np.sqrt(np.mean(missed**2)) / lack.std())
    # Spread as evenly as the HSI lets it be, what is lacking comes to 0.42.
    assert np.mean(parts) < 0.39

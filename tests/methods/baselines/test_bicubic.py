"""Bicubic interpolation against PyTorch, closed forms and its properties."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.baselines.bicubic import fuse_bicubic


@pytest.mark.parametrize("scale", [2, 3, 4, 8, 32])
def test_equals_pytorch(scale: int) -> None:
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(scale).uniform(size=(5, 7, 3))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(image.transpose(2, 0, 1)[None]), scale_factor=scale, mode="bicubic", align_corners=False
    )
    expected = expected[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(bicubic_upsample(image, scale), expected, atol=1e-6)


def test_keeps_a_ramp_away_from_the_border() -> None:
    # Keys' kernel reproduces straight lines; a = -0.5 also parabolas.
    x = np.arange(12.0)
    image = np.tile((x**2)[:, None, None], (1, 3, 1))
    up = bicubic_upsample(image, 4, a=-0.5)[:, 0, 0]
    position = (np.arange(48) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(up[12:-12], position[12:-12] ** 2, rtol=1e-6)


def test_non_square_stays_upright() -> None:
    image = np.zeros((4, 9, 2), np.float32)
    image[0, 8] = 1.0  # top right
    result = fuse_bicubic(Observation(lr_hsi=image, hr_msi=np.zeros((16, 36, 3), np.float32), scale=4))
    assert result.fused.shape == (16, 36, 2)
    assert result.fused.dtype == np.float32
    row, column, _ = np.unravel_index(int(result.fused.argmax()), result.fused.shape)
    assert row < 4
    assert column >= 32
    assert result.method == "bicubic"

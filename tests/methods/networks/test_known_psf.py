"""A known PSF as a layer sees beyond the image what the border says: against sums written out, pixel by pixel."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddle_umsft.cameras.given import pair
from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.data import ObserveConfig, PsfConfig
from paddle_umsft.data.scene import Scene
from paddle_umsft.methods.networks.model import ModelSizes, build_cameras
from paddle_umsft.methods.networks.psf_layers import KnownPsf

SCALE = 4


@pytest.mark.parametrize(("border", "numpy_mode"), [("wrap", "wrap"), ("reflect", "symmetric")])
@pytest.mark.parametrize("size", [3, 4, 9, 14])
def test_what_lies_beyond_is_what_the_border_says(border, numpy_mode, size):
    rng = np.random.default_rng(size)
    image = rng.uniform(size=(16, 24))
    psf = rng.uniform(size=(size, size))
    margin = 16
    around = np.pad(image, margin, mode=numpy_mode)
    first = margin + (SCALE - size) // 2
    wanted = np.zeros((4, 6))
    for i in range(4):
        for j in range(6):
            top, left = first + i * SCALE, first + j * SCALE
            wanted[i, j] = np.sum(psf * around[top : top + size, left : left + size])
    x = paddle.to_tensor(image[None, None].astype("float32"), stop_gradient=False)
    seen = KnownPsf(psf, scale=SCALE, border=border)(x)
    np.testing.assert_allclose(seen.numpy()[0, 0], wanted, rtol=1e-5)
    # The transpose of the same sums: every image pixel gets back what was made of it.
    seen.sum().backward()
    assert float((x.grad * x).sum()) == pytest.approx(wanted.sum(), rel=1e-5)


@pytest.mark.parametrize(("border", "expected"), [("wrap", "wrap"), ("reflect", "reflect"), ("valid", "reflect")])
def test_the_layer_follows_the_pair(border, expected):
    rng = np.random.default_rng(0)
    scene = Scene(rng.uniform(size=(48, 64, 6)).astype(np.float32), "made")
    observe = ObserveConfig(
        scale=SCALE,
        border=border,
        psf=PsfConfig(type="gaussian", size=12, sigma=2.0),
        srf="uniform",
        msi_bands=2,
        known_psf=True,
    )
    seen = simulate(scene, observe).observation
    spatial, _ = build_cameras(ModelSizes.of(seen))
    assert isinstance(spatial, KnownPsf)
    assert spatial.border == expected


def test_given_pairs_have_real_borders_unless_it_is_said():
    rng = np.random.default_rng(1)
    images = (rng.uniform(size=(8, 8, 5)), rng.uniform(size=(32, 32, 2)))
    for observe, expected in ((ObserveConfig(), "reflect"), (ObserveConfig(border="wrap"), "wrap")):
        assert ModelSizes.of(pair(*images, observe).observation).border == expected

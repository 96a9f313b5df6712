"""The learned degradations and their fits (steps 1-3) against the twin, float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the other side of these comparisons is PyTorch (an extra)")

import torch_twin as twin  # noqa: E402
from pairs import arrays, difference, load, make_images  # noqa: E402

from paddle_umsft.config.umsft import WarmUpConfig  # noqa: E402
from paddle_umsft.methods.networks.psf_layers import LearnedPsf  # noqa: E402
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace  # noqa: E402
from paddle_umsft.methods.networks.srf_layers import LearnedSrf  # noqa: E402
from paddle_umsft.methods.networks.warm_up import Images, warm_up_stages  # noqa: E402
from paddle_umsft.weights.mapping import ours_to_published, published_to_ours  # noqa: E402

pytestmark = pytest.mark.usefixtures("double")
NIKON = [(20, 31), (10, 23), (0, 12)]


class Both:
    """PSF and SRF of the twin, drawn at random, and ours with the same weights."""

    def __init__(self, bands: int, scale: int, supports: Any, seed: int) -> None:
        torch.manual_seed(seed)
        self.their_psf, self.their_srf = twin.PsfNet(scale).double(), twin.SrfNet(supports).double()
        for conv in self.their_srf.conv_lst:  # a start below the ReLU would leave nothing to compare
            conv.weight.data.abs_()
            conv.bias.data.abs_()
        self.psf, self.srf = LearnedPsf(scale=scale), LearnedSrf(bands=bands, supports=supports)
        for layer, net in ((self.psf, self.their_psf), (self.srf, self.their_srf)):
            published = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
            ours, left = published_to_ours(published)
            assert not left
            load(layer, {name.split(".", 1)[1]: array for name, array in ours.items()})

    def differences(self) -> dict[str, float]:
        found = {}
        for layer, net, prefix in ((self.psf, self.their_psf, ""), (self.srf, self.their_srf, "rm.srf.")):
            ours = ours_to_published(arrays(layer))
            for name, tensor in net.state_dict().items():
                found[name] = difference(ours[prefix + name], tensor.detach().numpy())
        return found


@st.composite
def supports_of(draw: Any, bands: int) -> list[tuple[int, int]]:
    supports = []
    for _ in range(draw(st.integers(1, 13))):
        a = draw(st.integers(0, bands - 1))
        supports.append((a, draw(st.integers(a + 1, bands))))
    return supports


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_degradations_of_any_shape(data: Any) -> None:
    bands, scale = data.draw(st.integers(4, 224)), data.draw(st.integers(2, 32))
    size = (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5)))
    supports = data.draw(supports_of(bands))
    both = Both(bands, scale, supports, seed=bands)
    random = np.random.RandomState(scale)
    image = random.standard_normal((1, bands, size[0] * scale, size[1] * scale))
    for layer, net in ((both.psf, both.their_psf), (both.srf, both.their_srf)):
        ours, theirs = paddle.to_tensor(image, stop_gradient=False), torch.from_numpy(image).requires_grad_()
        seen, their_seen = layer(ours), net(theirs)
        assert difference(seen.numpy(), their_seen.detach().numpy()) <= 1e-12
        slope = random.standard_normal(tuple(their_seen.shape))
        (seen * paddle.to_tensor(slope)).sum().backward()
        (their_seen * torch.from_numpy(slope)).sum().backward()
        assert difference(ours.grad.numpy(), theirs.grad.numpy()) <= 1e-12
    kernel = both.their_psf.net.down.weight.grad.numpy()
    assert difference(both.psf.kernel.grad.numpy(), kernel) <= 1e-12
    for band, conv, raw in zip(both.srf.responses, both.their_srf.conv_lst, both.their_srf.srf_list):
        for ours, theirs in ((band.weight, conv.weight), (band.bias, conv.bias), (band.start, raw)):
            gradient = theirs.grad.numpy().reshape(ours.shape)
            scale_of_all = max(float(np.abs(image).sum()), 1.0)
            assert np.abs(ours.grad.numpy() - gradient).max() <= 1e-12 * scale_of_all


@pytest.mark.parametrize(
    ("bands", "scale", "size", "supports"),
    [(31, 8, (9, 12), NIKON), (5, 3, (14, 11), [(0, 5)]), (40, 32, (4, 5), [(0, 13), (9, 22), (20, 40), (3, 6)])],
)
def test_fits_follow_the_twin(bands: int, scale: int, size: tuple[int, int], supports: Any) -> None:
    """Steps 1, 2 and 3, twenty steps each, one after the other."""
    steps = 20
    both = Both(bands, scale, supports, seed=scale)
    lr_hsi, hr_msi = make_images(bands, scale, size, supports, seed=bands)
    basis, coeffs = spectral_subspace(lr_hsi[0], 3)
    tensors = [paddle.to_tensor(array) for array in (lr_hsi, hr_msi, basis, coeffs)]
    stages = warm_up_stages(Images(*tensors, scale), both.psf, both.srf, WarmUpConfig(iterations=steps))
    assert [stage.name for stage in stages] == ["srf", "psf", "degradation"]
    low, high = torch.from_numpy(lr_hsi), torch.from_numpy(hr_msi)
    fits = (
        lambda: twin.fit_srf(both.their_srf, low, high, scale, steps=steps),
        lambda: twin.fit_psf(both.their_psf, both.their_srf, low, high, steps=steps),
        lambda: twin.fit_both(both.their_psf, both.their_srf, low, high, rank=3, steps=steps),
    )
    for stage, fit in zip(stages, fits):
        losses = [stage.step(step)["loss"] for step in range(steps)]
        np.testing.assert_allclose(losses, fit(), rtol=1e-6, err_msg=stage.name)
        assert losses[-1] < losses[0], stage.name
        for name, found in both.differences().items():
            assert found <= 1e-6, (stage.name, name)


@pytest.mark.slow
def test_fits_follow_the_twin_past_their_schedules() -> None:
    """120 steps each: the rates have fallen twice."""
    both = Both(31, 8, NIKON, seed=1)
    lr_hsi, hr_msi = make_images(31, 8, (9, 12), NIKON, seed=2)
    basis, coeffs = spectral_subspace(lr_hsi[0], 3)
    tensors = [paddle.to_tensor(array) for array in (lr_hsi, hr_msi, basis, coeffs)]
    stages = warm_up_stages(Images(*tensors, 8), both.psf, both.srf, WarmUpConfig(iterations=120))
    low, high = torch.from_numpy(lr_hsi), torch.from_numpy(hr_msi)
    their = twin.fit_srf(both.their_srf, low, high, 8, steps=120)
    np.testing.assert_allclose([stages[0].step(i)["loss"] for i in range(120)], their, rtol=1e-4)
    their = twin.fit_psf(both.their_psf, both.their_srf, low, high, steps=120)
    np.testing.assert_allclose([stages[1].step(i)["loss"] for i in range(120)], their, rtol=1e-4)

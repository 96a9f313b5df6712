"""The same model twice: the twin in PyTorch with random weights, and this package's with those weights converted.

`thin()` cuts the channels inside both networks to an eighth, so that a comparison takes seconds; layers, names and
data flow stay as they are. The full width is what the golden cases are for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import paddle
import torch
import torch_twin as twin

from paddle_umsft.config.umsft import NetworkConfig
from paddle_umsft.methods.networks import vgg
from paddle_umsft.methods.networks.model import ModelSizes
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace
from paddle_umsft.methods.networks.warm_up import Images
from paddle_umsft.methods.umsft import network as umsft
from paddle_umsft.methods.umsft.model import FusionModel, build_model
from paddle_umsft.weights.mapping import ours_to_published, published_to_ours

WIDTH, SKIP, CUT = 24, 5, 8


@dataclass
class Pair:
    """Both models, double precision, the same weights and images."""

    net: Any
    psf: Any
    lr_hsi: Any
    hr_msi: Any
    model: FusionModel
    images: Images

    def published(self) -> dict[str, np.ndarray]:
        """The twin's tensors by published name."""
        state = {**self.net.state_dict(), **self.psf.state_dict()}
        return {name: tensor.detach().numpy() for name, tensor in state.items()}

    def differences(self) -> dict[str, float]:
        """Per tensor how far ours is from the twin's now, relative to its largest value (1e-3 at least)."""
        ours = ours_to_published(arrays(self.model))
        theirs = self.published()
        # Tensors that start at zero and get no gradient but rounding noise have no size of their own.
        sizes = {name: max(float(np.abs(array).max()), 1e-3) for name, array in theirs.items()}
        tensors = [name for name in ours if "running" not in name]
        return {name: float(np.abs(ours[name] - theirs[name]).max()) / sizes[name] for name in tensors}


def arrays(layer: Any) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in layer.state_dict().items()}


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted).max() / max(float(np.abs(wanted).max()), 1e-30))


def load(layer: Any, weights: dict[str, np.ndarray]) -> None:
    """Fill a layer; unlike Paddle's own `set_state_dict` it minds names and shapes."""
    state = layer.state_dict()
    assert set(state) == set(weights)
    for name, tensor in state.items():
        assert tuple(tensor.shape) == weights[name].shape, name
        tensor.set_value(np.ascontiguousarray(weights[name]))


@contextmanager
def thin(bands: int) -> Iterator[None]:
    """Both networks with an eighth of the channels; below 5 bands the twin gets as many heads as bands (P11)."""
    attention, whole = twin.SpectralCrossAttention, twin.merge
    cut = tuple((i, c if i == 0 else c // CUT, o // CUT) for i, c, o in vgg.CONVOLUTIONS)
    patches = (
        patch.object(vgg, "CONVOLUTIONS", cut),
        patch.object(umsft, "TAP_CHANNELS", tuple(c // CUT for c in umsft.TAP_CHANNELS)),
        patch.object(twin, "VGG16", tuple(c if c == "M" else int(c) // CUT for c in twin.VGG16)),
        patch.object(twin, "merge", lambda inside, outside, kernel=1: whole(inside // CUT, outside, kernel)),
        patch.object(twin, "hourglass", functools.partial(twin.hourglass, width=WIDTH, skip=SKIP)),
        patch.object(twin, "SpectralCrossAttention", functools.partial(attention, heads=min(5, bands))),
    )
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield


def make_images(bands: int, scale: int, size: tuple[int, int], supports: Any, seed: int) -> tuple[Any, Any]:
    """Random LR-HSI (1, C, h, w) and HR-MSI (1, M, H, W), smooth enough to be fused, float64."""
    random = np.random.RandomState(seed)
    fine = random.uniform(0.0, 1.0, (1, bands, size[0] * scale, size[1] * scale))
    coarse = random.uniform(0.0, 1.0, (1, bands, *size))
    scene = 0.3 * fine + 0.7 * np.repeat(np.repeat(coarse, scale, axis=2), scale, axis=3)
    lr_hsi = scene.reshape(1, bands, size[0], scale, size[1], scale).mean(axis=(3, 5))
    return lr_hsi, np.stack([scene[0, a:b].mean(axis=0) for a, b in supports])[None]


def _draw_norms(net: Any, seed: int) -> None:
    """Batch normalisation off its start, by as much as the golden cases have it.

    At the start, weight 1 and bias 0, a factor on the weight passes through the LeakyReLU and is taken away by the next
    batch normalisation: such gradients are zero but for epsilon, a difference of numbers 1e5 times their size. PyTorch
    against itself, weights disturbed by 1e-15, is off by 1.5e-10 of their norm there, and by 9e-12 here.
    """
    random = np.random.RandomState(seed)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            channels = layer.num_features
            layer.weight.data.add_(torch.from_numpy(0.1 * random.standard_normal(channels)))
            layer.bias.data.add_(torch.from_numpy(0.05 * random.standard_normal(channels)))


def make_pair(
    bands: int, scale: int, size: tuple[int, int], supports: Any, *, seed: int = 0, narrow: bool = True
) -> Pair:
    """Draw weights in PyTorch, convert them, and build both; call with Paddle's default type float64.

    Args:
        bands: C.
        scale: s.
        size: (h, w) of the LR-HSI.
        supports: Per MSI band its range of HSI bands.
        seed: Of weights and images.
        narrow: Thin networks, or the published widths.
    """
    torch.manual_seed(seed)
    lr_hsi, hr_msi = make_images(bands, scale, size, supports, seed)
    theirs = torch.from_numpy(lr_hsi), torch.from_numpy(hr_msi)
    psf, srf = twin.PsfNet(scale).double(), twin.SrfNet(supports)
    for conv in srf.conv_lst:  # else the start may put a whole band below the ReLU, and nothing is compared
        conv.weight.data.abs_()
        conv.bias.data.abs_()
    sizes = {"bands": bands, "msi_bands": len(supports), "scale": scale, "supports": supports}
    if narrow:
        with thin(bands):
            net = twin.Umsft(*theirs, srf).double()
            model = build_model(ModelSizes(**sizes), network=NetworkConfig(width=WIDTH, skip=SKIP))
    else:
        net, model = twin.Umsft(*theirs, srf).double(), build_model(ModelSizes(**sizes))
    _draw_norms(net, seed)
    model.train()
    basis, coeffs = spectral_subspace(lr_hsi[0], 3)
    ours = [paddle.to_tensor(array) for array in (lr_hsi, hr_msi, basis, coeffs)]
    pair = Pair(net, psf, *theirs, model, Images(*ours, scale))
    converted, _ = published_to_ours(pair.published())
    load(model, converted)
    return pair

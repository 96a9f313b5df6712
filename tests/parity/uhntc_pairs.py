"""uHNTC twice: the twin in PyTorch with random weights, and this package's with those weights converted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import paddle
import torch
import torch_twin
import torch_twin_uhntc as twin
from pairs import CUT, load, make_images

from paddle_umsft.methods.networks import vgg
from paddle_umsft.methods.networks.model import FusionModel, ModelSizes
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace
from paddle_umsft.methods.networks.warm_up import Images
from paddle_umsft.methods.uhntc import network
from paddle_umsft.methods.uhntc.model import build_uhntc
from paddle_umsft.weights.mapping import ours_to_published, published_to_ours


@dataclass
class UhntcPair:
    """Both models, double precision, the same weights and images."""

    net: Any
    psf: Any
    srf: Any
    lr_hsi: Any
    hr_msi: Any
    model: FusionModel
    images: Images

    def published(self) -> dict[str, np.ndarray]:
        """The twin's tensors by published name."""
        state = {**self.net.state_dict(), **self.psf.state_dict(), **self.srf.state_dict()}
        return {name: tensor.detach().numpy() for name, tensor in state.items()}

    def gradients(self) -> dict[str, Any]:
        """The twin's gradients by published name; None where a parameter has none."""
        nets = (self.net, self.psf, self.srf)
        return {name: p.grad for net in nets for name, p in net.named_parameters()}

    def differences(self) -> dict[str, float]:
        """Per tensor how far ours is from the twin's now, relative to its largest value (1e-3 at least)."""
        ours = ours_to_published({name: tensor.numpy() for name, tensor in self.model.state_dict().items()})
        theirs = self.published()
        found = {}
        for name, array in ours.items():
            if "running" not in name:
                wanted = theirs[name.removeprefix("rm.srf.")]
                found[name] = float(np.abs(array - wanted).max()) / max(float(np.abs(wanted).max()), 1e-3)
        return found


@contextmanager
def thin() -> Iterator[None]:
    """Both encoders with an eighth of the channels."""
    cut = tuple((i, c if i == 0 else c // CUT, o // CUT) for i, c, o in vgg.CONVOLUTIONS)
    patches = (
        patch.object(vgg, "CONVOLUTIONS", cut),
        patch.object(network, "TAP_CHANNELS", tuple(c // CUT for c in network.TAP_CHANNELS)),
        patch.object(twin, "VGG16", tuple(c if c == "M" else int(c) // CUT for c in twin.VGG16)),
    )
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield


def make_uhntc_pair(
    bands: int, scale: int, size: tuple[int, int], supports: Any, *, seed: int = 0, narrow: bool = True, rank: int = 3
) -> UhntcPair:
    """Draw weights in PyTorch, convert them, and build both; call with Paddle's default type float64.

    Args:
        bands: C.
        scale: s.
        size: (h, w) of the LR-HSI.
        supports: Per MSI band its range of HSI bands.
        seed: Of weights and images.
        narrow: Thin encoders, or the published widths.
        rank: K of the subspace.
    """
    torch.manual_seed(seed)
    lr_hsi, hr_msi = make_images(bands, scale, size, supports, seed)
    theirs = torch.from_numpy(lr_hsi), torch.from_numpy(hr_msi)
    psf, srf = torch_twin.PsfNet(scale).double(), torch_twin.SrfNet(supports)
    for conv in srf.conv_lst:  # else the start may put a whole band below the ReLU, and nothing is compared
        conv.weight.data.abs_()
        conv.bias.data.abs_()
    sizes = {"bands": bands, "msi_bands": len(supports), "scale": scale, "supports": supports}
    with ExitStack() as stack:
        if narrow:
            stack.enter_context(thin())
        net, model = twin.Uhntc(*theirs).double(), build_uhntc(ModelSizes(**sizes))
    model.train()
    basis, coeffs = spectral_subspace(lr_hsi[0], rank)
    ours = [paddle.to_tensor(array) for array in (lr_hsi, hr_msi, basis, coeffs)]
    pair = UhntcPair(net, psf, srf.double(), *theirs, model, Images(*ours, scale))
    converted, _ = published_to_ours(pair.published())
    load(model, converted)
    return pair

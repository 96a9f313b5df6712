"""Where the published code starts under a seed: python tests/parity/published_start.py --vgg VGG.pth START.pth.

Draws with PyTorch's generator what PyTorch draws, layer by layer in the order of the published state_dict, and writes
it with the published names; `-o network.weights=START.pth` starts the port from there. What that order does not say
is assumed: PSF and SRF are made before the network, the hourglass as deep-image-prior makes it, the encoders as
torchvision makes a VGG16-BN (three bands and the classifier first). Needs torch, and nothing of Paddle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

import torch_twin as twin  # noqa: E402

from paddle_umsft.errors import UmsftError  # noqa: E402
from paddle_umsft.weights import load_vgg_features  # noqa: E402

CLASSIFIER = ((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000))
CAVE = ((20, 31), (10, 23), (0, 12))


class DrawnVgg(twin.Vgg):
    """The encoder as torchvision draws it, filled with given weights; a first layer of its own for other bands."""

    weights: Mapping[str, np.ndarray] = {}

    def __init__(self, bands: int, dead_layers: bool = True) -> None:
        super().__init__(3, dead_layers)
        for inside, outside in CLASSIFIER:
            nn.Linear(inside, outside)
        state = {f"extractor.{name.partition('.')[2]}": torch.from_numpy(a) for name, a in self.weights.items()}
        self.load_state_dict(state, strict=False)
        if bands != 3:
            self.extractor[0] = nn.Conv2d(bands, 64, 3, padding=1)


def published_start(
    seed: int,
    scale: int,
    bands: int,
    supports: Sequence[tuple[int, int]],
    vgg: Mapping[str, np.ndarray],
    *,
    srf_first: bool = False,
) -> tuple[twin.Umsft, twin.PsfNet]:
    """Network (the SRF in it) and PSF as PyTorch starts them under a seed.

    Args:
        seed: Of PyTorch's generator.
        scale: s.
        bands: C.
        supports: Per MSI band its range of HSI bands.
        vgg: `features.N.…` of VGG16-BN, or nothing.
        srf_first: Make the SRF before the PSF; which of them comes first is not known.
    """
    torch.manual_seed(seed)
    if srf_first:
        srf, psf = twin.SrfNet(supports), twin.PsfNet(scale)
    else:
        psf, srf = twin.PsfNet(scale), twin.SrfNet(supports)
    images = torch.zeros(1, bands, 128 // scale, 128 // scale), torch.zeros(1, len(supports), 128, 128)
    with patch.object(DrawnVgg, "weights", vgg), patch.object(twin, "Vgg", DrawnVgg):
        return twin.Umsft(*images, srf), psf


def parts(net: twin.Umsft, psf: twin.PsfNet, only: Optional[str] = None) -> dict[str, Any]:
    """The state_dict of all, or of the SRF or the PSF alone."""
    alone = {"srf": net.rm.srf, "psf": psf}
    return dict(alone[only].state_dict()) if only else {**net.state_dict(), **psf.state_dict()}


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", type=Path, help="a .pth")
    parser.add_argument("--vgg", type=Path, help="VGG16-BN weights; without them the encoders start at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=int, default=8)
    parser.add_argument("--bands", type=int, default=31)
    parser.add_argument("--srf-first", action="store_true", help="make the SRF before the PSF")
    parser.add_argument("--only", choices=("srf", "psf"), help="write one of the degradations alone")
    args = parser.parse_args(argv)
    try:
        vgg = load_vgg_features(args.vgg) if args.vgg else {}
        net, psf = published_start(args.seed, args.scale, args.bands, CAVE, vgg, srf_first=args.srf_first)
        torch.save(parts(net, psf, args.only), args.target)
    except (UmsftError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

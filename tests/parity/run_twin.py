"""The PyTorch twin on a whole scene: python tests/parity/run_twin.py START.pth -o data.path=SCENE observe.scale=8 ...

Steps 1-4 as published, from a start that `published_start.py` wrote, on the observation that `tools/train.py -c
published.yml` would make with the same overrides. Prints the figures that it ends with. Needs torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

import torch_twin as twin  # noqa: E402

from paddle_umsft.config.load import load_config  # noqa: E402
from paddle_umsft.config.run import Config  # noqa: E402
from paddle_umsft.data.readers import list_scenes  # noqa: E402
from paddle_umsft.data.scene import Case  # noqa: E402
from paddle_umsft.errors import UmsftError  # noqa: E402
from paddle_umsft.metrics import evaluate  # noqa: E402
from paddle_umsft.runs.run import make_case  # noqa: E402


def fuse(case: Case, config: Config, start: dict[str, Any]) -> np.ndarray:
    """Steps 1-4 from given tensors; returns (H, W, C)."""
    seen = case.observation
    lr_hsi, hr_msi = (
        torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)[None])
        for image in (seen.lr_hsi, seen.hr_msi)
    )
    psf, srf = twin.PsfNet(seen.scale), twin.SrfNet(seen.supports or ())
    net = twin.Umsft(lr_hsi, hr_msi, srf)
    psf_names = psf.state_dict()
    psf.load_state_dict({name: start[name] for name in psf_names})
    net.load_state_dict({name: tensor for name, tensor in start.items() if name not in psf_names})
    steps, rank = config.warm_up.iterations, config.warm_up.rank
    twin.fit_srf(srf, lr_hsi, hr_msi, seen.scale, steps)
    twin.fit_psf(psf, srf, lr_hsi, hr_msi, steps)
    twin.fit_both(psf, srf, lr_hsi, hr_msi, rank, steps)
    fusion = twin.Fusion(net, psf, lr_hsi, hr_msi, config.solver.iterations, rank)
    for _ in range(config.solver.iterations):
        _, fused = fusion.step()
    return np.asarray(fused[0].permute(1, 2, 0))


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("start", type=Path)
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="key.sub=value")
    args = parser.parse_args(argv)
    try:
        config = load_config("published.yml", args.override)
        case = make_case(list_scenes(config.data)[0], config)
        start = torch.load(args.start, weights_only=True)
    except (UmsftError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    torch.set_num_threads(config.runtime.threads or torch.get_num_threads())
    values = evaluate(case.reference, fuse(case, config, start), scale=case.observation.scale)
    print(case.observation.name, *(f"{name} {value:.4f}" for name, value in values.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

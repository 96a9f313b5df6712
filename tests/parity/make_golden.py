"""Write a golden pair with the twin: python tests/parity/make_golden.py STEM (needs torch)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_twin as twin

from paddle_umsft.parity.fill import every_kth, fill, make_scene, observe

Sizes = dict[str, Any]
# A scale that is no power of two, sizes that are no multiple of 8, supports that leave bands out and overlap.
EXAMPLE = {
    "odd_130x145_sf5": {
        "bands": 13,
        "height": 130,
        "width": 145,
        "scale_factor": 5,
        "spans": [[1, 6], [4, 12]],
        "scene_seed": 11,
    }
}


def compute(sizes: Sizes, steps: int = 5) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, list[int]]]:
    """One case: its figures, its arrays, and the shapes of the state_dict."""
    scale, spans = sizes["scale_factor"], sizes["spans"]
    scene = make_scene(sizes["bands"], sizes["height"], sizes["width"], sizes["scene_seed"])
    lr_hsi, hr_msi = (torch.from_numpy(image) for image in observe(scene, scale, spans))
    srf, psf = twin.SrfNet(spans), twin.PsfNet(scale)
    arrays = {f"initial_srf_{j}": start.detach().numpy().copy() for j, start in enumerate(srf.srf_list)}
    arrays["initial_psf"] = psf.net.down.weight.detach().numpy()[0, 0].astype(np.float64)
    net = twin.Umsft(lr_hsi, hr_msi, srf).double()
    psf.double().net.down.weight.data = torch.from_numpy(fill("psf", psf.net.down.weight.shape))
    shapes = {name: list(tensor.shape) for name, tensor in net.state_dict().items()}
    net.load_state_dict({name: torch.from_numpy(fill(name, shape)) for name, shape in shapes.items()})
    figures: dict[str, Any] = {**sizes, "stats": {}}
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3)
    losses = []
    for step in range(steps):
        seams: dict[str, torch.Tensor] = {}
        fused = net(seams)
        seams["recon_hsi"], seams["recon_msi"] = psf(fused), srf(fused)
        loss = sum(twin.fusion_losses(fused, psf, srf, lr_hsi, hr_msi))
        net.zero_grad()
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            _record(figures, arrays, seams, net, psf)
        optimiser.step()
    return {**figures, "loss": losses[0], "adamw_losses": losses}, arrays, shapes


def _record(figures: dict[str, Any], arrays: dict[str, np.ndarray], seams: Any, net: Any, psf: Any) -> None:
    for seam, tensor in seams.items():
        x = tensor.detach()
        arrays[seam] = every_kth(x.numpy(), 6000 if seam == "output" else 1500).copy()
        numbers = {"mean": x.mean(), "std": x.std(), "absmax": x.abs().max()}
        figures["stats"][seam] = {"shape": list(x.shape), **{key: value.item() for key, value in numbers.items()}}
    gradients = {name: p.grad for name, p in net.named_parameters()}
    figures["params_without_grad"] = [name for name, gradient in gradients.items() if gradient is None]
    there = {name: gradient.numpy() for name, gradient in gradients.items() if gradient is not None}
    figures["grad_l2"] = {name: float(np.linalg.norm(gradient)) for name, gradient in there.items()}
    figures["grad_samples"] = {name: every_kth(gradient, 4).tolist() for name, gradient in there.items()}
    figures["psf_grad_l2"] = psf.net.down.weight.grad.norm().item()


def write(stem: Path, cases: dict[str, Sizes]) -> None:
    """Compute the cases and write STEM.json and STEM.npz."""
    content: dict[str, Any] = {"reference": "paddle_umsft's PyTorch twin", "torch": torch.__version__}
    content.update(dtype="float64", cases={}, state_dict_shapes={})
    arrays: dict[str, np.ndarray] = {}
    for name, sizes in cases.items():
        content["cases"][name], own, shapes = compute(sizes)
        arrays.update({f"{name}/{seam}": array for seam, array in own.items()})
        content["state_dict_shapes"][f"{sizes['bands']}x{len(sizes['spans'])}"] = shapes
    stem.with_name(stem.name + ".json").write_text(json.dumps(content, indent=1))
    np.savez_compressed(stem.with_name(stem.name + ".npz"), **arrays)


if __name__ == "__main__":
    write(Path(sys.argv[1]), EXAMPLE)

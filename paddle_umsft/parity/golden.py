"""One golden case: build the network, fill it by names, run it in float64, and compare at every seam."""

from __future__ import annotations

import time
from typing import Callable, Optional

import numpy as np
import paddle

from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.config.umsft import SolverConfig
from paddle_umsft.methods.networks.losses import observation_terms, total
from paddle_umsft.methods.networks.model import FusionModel
from paddle_umsft.methods.networks.runtime import computing_in
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace
from paddle_umsft.methods.networks.warm_up import Images
from paddle_umsft.methods.umsft.model import build_model
from paddle_umsft.methods.umsft.network import UMSFT
from paddle_umsft.methods.umsft.solver import UmsftFusion
from paddle_umsft.parity import golden_uhntc
from paddle_umsft.parity.fill import make_scene, observe
from paddle_umsft.parity.fill_model import fill_by_name
from paddle_umsft.parity.reference import SEAMS, GoldenCase
from paddle_umsft.parity.rows import (
    Outcome,
    Row,
    compare_gradients,
    compare_number,
    compare_seam,
    compare_single,
    compared,
)
from paddle_umsft.parity.tolerances import TOLERANCES, adamw
from paddle_umsft.weights import names
from paddle_umsft.weights.mapping import to_published_layout


def check_case(case: GoldenCase, *, steps: int = 5, single: bool = True) -> Outcome:
    """Compare one case.

    Args:
        case: From `read_golden`.
        steps: AdamW steps to follow, as far as the file has them; the gradients are compared in any case.
        single: Whether the float32 forward pass is compared too, on the path that runs in use.

    Raises:
        ConfigError: If the case is too small for the network.
    """
    started = time.perf_counter()
    outcome = Outcome(case)
    double, in_single = CHECKS[case.network]
    with computing_in(RuntimeConfig(dtype="float64")):
        double(outcome, steps)
    if single:
        with computing_in(RuntimeConfig(dtype="float32")):
            in_single(outcome)
    outcome.seconds = time.perf_counter() - started
    return outcome


def _check_double(outcome: Outcome, steps: int) -> None:
    model, images = _build(outcome.case)
    _compare_start(outcome, model)
    _compare_names(outcome, model)
    fill_by_name(model)
    _compare_training(outcome, model, images, steps)


def _build(case: GoldenCase) -> tuple[FusionModel, Images]:
    """Model and images in Paddle's default type."""
    model = build_model(bands=case.bands, msi_bands=len(case.supports), scale=case.scale, supports=case.supports)
    model.train()
    dtype = paddle.get_default_dtype()
    scene = make_scene(case.bands, case.height, case.width, case.seed)
    lr_hsi, hr_msi = (image.astype(dtype) for image in observe(scene, case.scale, case.supports))
    basis, coeffs = spectral_subspace(lr_hsi[0], 3)
    to_tensor = paddle.to_tensor
    return model, Images(to_tensor(lr_hsi), to_tensor(hr_msi), to_tensor(basis), to_tensor(coeffs), case.scale)


def _compare_start(outcome: Outcome, model: FusionModel) -> None:
    """The degradations as they begin, before anything is filled in."""
    found = {"initial_psf": model.spatial.kernel.numpy()}
    for j, band in enumerate(model.spectral.responses):
        found[f"initial_srf_{j}"] = band.start.numpy()
    for seam, array in found.items():
        wanted = outcome.case.arrays.get(seam)
        if wanted is None:
            outcome.absent.append(seam)
        else:
            outcome.rows.append(compared("start", seam, array.reshape(-1), wanted.reshape(-1), TOLERANCES["start"]))


def _compare_names(outcome: Outcome, model: FusionModel) -> None:
    """Our tensors under their published names against the published list, if the file has one for these bands."""
    listed = outcome.case.shapes
    if listed is None:
        outcome.absent.append("state_dict_shapes")
        return
    wrong = []
    for name, tensor in [*model.network.state_dict().items(), *model.spectral.state_dict().items()]:
        key = names.published_key(name)
        shape = to_published_layout(key, np.empty(tensor.shape, np.int8)).shape
        # How long a response is depends on the case's supports, not on the number of bands.
        if key not in listed or (shape != listed[key] and not key.startswith("rm.srf.srf_list.")):
            wrong.append(key)
    ours = {names.published_key(name) for name in [*model.network.state_dict(), *model.spectral.state_dict()]}
    left_out = [key for key in listed if not key.endswith(".num_batches_tracked") and not names.is_dead(key)]
    wrong += [key for key in left_out if key not in ours]
    note = ", ".join(wrong[:3]) or f"{len(ours)} of {len(listed)}; the others are counters and layers without effect"
    outcome.rows.append(Row("names", "state_dict", float(len(wrong)), 0.0, note))


def _compare_training(outcome: Outcome, model: FusionModel, images: Images, steps: int) -> None:
    """Forward pass, gradients, and the AdamW steps of the fusion with the package's own optimiser."""
    stage = UmsftFusion(images, model, SolverConfig())
    seams: dict[str, paddle.Tensor] = {}
    fused = model.network(stage.inputs, model.spectral, seams)
    seams.update(output=fused, recon_hsi=model.spatial(fused), recon_msi=model.spectral(fused))
    loss = total(observation_terms(seams["recon_hsi"], images.lr_hsi, seams["recon_msi"], images.hr_msi))
    for seam in SEAMS["umsft"]:
        compare_seam(outcome, seam, seams[seam].numpy())
    seams.clear()
    compare_number(outcome, "forward", "loss", float(loss), outcome.case.figures.get("loss"), TOLERANCES["loss"])
    loss.backward()
    compare_gradients(outcome, _gradients(model))
    wanted = outcome.case.figures.get("adamw_losses")
    if not isinstance(wanted, list) or not wanted:
        outcome.absent.append("adamw_losses")
        return
    losses = [float(loss)]
    if min(steps, len(wanted)) > 1:
        stage.moves["network"].step()
        for move in stage.moves.values():
            move.optimizer.clear_grad()
        losses += [stage.step(done)["loss"] for done in range(1, min(steps, len(wanted)))]
    for step, value in enumerate(losses[: max(steps, 0)], start=1):
        compare_number(outcome, "AdamW", f"step {step}", value, wanted[step - 1], adamw(step))


def _gradients(model: FusionModel) -> dict[str, Optional[np.ndarray]]:
    """By published name and in the published layout; the PSF's kernel is called ``psf``."""
    found: dict[str, Optional[np.ndarray]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient:
            key = names.published_key(name)
            gradient = None if parameter.grad is None else to_published_layout(key, parameter.grad.numpy())
            found["psf" if key in names.PSF_KEYS else key] = gradient
    return found


def _compare_single(outcome: Outcome) -> None:
    """The float32 output, by the layers' fast path where the machine has one."""
    if "output" not in outcome.case.arrays:
        return
    model, images = _build(outcome.case)
    fill_by_name(model)
    with paddle.no_grad():
        fused = model.network(UMSFT.prepare(images.lr_hsi, images.hr_msi), model.spectral).numpy()
    compare_single(outcome, fused)


CHECKS: dict[str, tuple[Callable[[Outcome, int], None], Callable[[Outcome], None]]] = {
    "umsft": (_check_double, _compare_single),
    "uhntc": (golden_uhntc.check_double, golden_uhntc.check_single),
}

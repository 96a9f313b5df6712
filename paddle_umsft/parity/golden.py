"""One golden case: build the network, fill it by names, run it in float64, and compare at every seam."""

from __future__ import annotations

import time
from typing import Callable, Optional

import numpy as np
import paddle

from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.config.umsft import SolverConfig
from paddle_umsft.methods.networks.losses import observation_terms, total
from paddle_umsft.methods.networks.model import FusionModel, ModelSizes
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
    adamw_losses,
    compare_gradients,
    compare_names,
    compare_number,
    compare_seam,
    compare_single,
    compare_steps,
    compared,
)
from paddle_umsft.parity.tolerances import TOLERANCES
from paddle_umsft.weights import names
from paddle_umsft.weights.mapping import to_published_layout

RANK = 3  # of the spectral subspace, as published; the compared losses do without it


def check_case(
    case: GoldenCase,
    *,
    steps: int = 5,
    single: bool = True,
) -> Outcome:
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
    sizes = ModelSizes(
        bands=case.bands,
        msi_bands=len(case.supports),
        scale=case.scale,
        supports=case.supports,
    )
    model = build_model(sizes)
    model.train()
    dtype = paddle.get_default_dtype()
    scene = make_scene(
        case.bands,
        height=case.height,
        width=case.width,
        seed=case.seed,
    )
    lr_hsi, hr_msi = observe(scene, case.scale, case.supports)
    lr_hsi = lr_hsi.astype(dtype)
    hr_msi = hr_msi.astype(dtype)
    basis, coeffs = spectral_subspace(lr_hsi[0], RANK)
    images = Images(
        lr_hsi=paddle.to_tensor(lr_hsi),
        hr_msi=paddle.to_tensor(hr_msi),
        basis=paddle.to_tensor(basis),
        coeffs=paddle.to_tensor(coeffs),
        scale=case.scale,
    )
    return model, images


def _compare_start(outcome: Outcome, model: FusionModel) -> None:
    """The degradations as they begin, before anything is filled in."""
    found = {"initial_psf": model.spatial.kernel.numpy()}
    for j, band in enumerate(model.spectral.responses):
        found[f"initial_srf_{j}"] = band.start.numpy()
    for seam, array in found.items():
        wanted = outcome.case.arrays.get(seam)
        if wanted is None:
            outcome.absent.append(seam)
            continue
        row = compared(
            "start",
            seam,
            found=array.reshape(-1),
            wanted=wanted.reshape(-1),
            tolerance=TOLERANCES["start"],
        )
        outcome.rows.append(row)


def _compare_names(outcome: Outcome, model: FusionModel) -> None:
    """Our tensors under their published names against the published list, if the file has one for these bands."""
    listed = outcome.case.shapes
    if listed is None:
        outcome.absent.append("state_dict_shapes")
        return
    ours: dict[str, tuple[int, ...]] = {}
    for layer in (model.network, model.spectral):
        for name, tensor in layer.state_dict().items():
            key = names.published_key(name)
            stand_in = np.empty(tensor.shape, np.int8)  # only its shape counts
            ours[key] = to_published_layout(key, stand_in).shape
    wrong = []
    for key, shape in ours.items():
        # How long a response is depends on the case's supports, not on the number of bands.
        any_length = key.startswith("rm.srf.srf_list.")
        fits = key in listed and (any_length or shape == listed[key])
        if not fits:
            wrong.append(key)
    for key in listed:
        without_effect = key.endswith(".num_batches_tracked") or names.is_dead(key)
        if key not in ours and not without_effect:
            wrong.append(key)
    compare_names(outcome, wrong, len(ours), "counters and layers without effect")


def _compare_training(
    outcome: Outcome,
    model: FusionModel,
    images: Images,
    steps: int,
) -> None:
    """Forward pass, gradients, and the AdamW steps of the fusion with the package's own optimiser."""
    stage = UmsftFusion(images, model, SolverConfig())
    seams: dict[str, paddle.Tensor] = {}
    fused = model.network(stage.inputs, model.spectral, seams)
    seen_hsi = model.spatial(fused)
    seen_msi = model.spectral(fused)
    seams.update(
        output=fused,
        recon_hsi=seen_hsi,
        recon_msi=seen_msi,
    )
    terms = observation_terms(
        seen_hsi=seen_hsi,
        lr_hsi=images.lr_hsi,
        seen_msi=seen_msi,
        hr_msi=images.hr_msi,
    )
    loss = total(terms)
    for seam in SEAMS["umsft"]:
        found = seams[seam].numpy()
        compare_seam(outcome, seam, found)
    seams.clear()  # the maps are large, and autograd keeps what it needs itself
    compare_number(
        outcome,
        "forward",
        "loss",
        found=float(loss),
        wanted=outcome.case.figures.get("loss"),
        tolerance=TOLERANCES["loss"],
    )
    loss.backward()
    compare_gradients(outcome, _gradients(model))

    wanted = adamw_losses(outcome)
    losses = [float(loss)]
    last = min(steps, len(wanted))
    if last > 1:
        # The first step's gradients are there already.
        stage.moves["network"].step()
        for move in stage.moves.values():
            move.optimizer.clear_grad()
    for done in range(1, last):
        values = stage.step(done)
        losses.append(values["loss"])
    compare_steps(outcome, losses, wanted, steps)


def _gradients(model: FusionModel) -> dict[str, Optional[np.ndarray]]:
    """By published name and in the published layout; the PSF's kernel is called ``psf``."""
    found: dict[str, Optional[np.ndarray]] = {}
    for name, parameter in model.named_parameters():
        if parameter.stop_gradient:
            continue
        key = names.published_key(name)
        gradient = None
        if parameter.grad is not None:
            gradient = to_published_layout(key, parameter.grad.numpy())
        if key in names.PSF_KEYS:
            key = "psf"
        found[key] = gradient
    return found


def _compare_single(outcome: Outcome) -> None:
    """The float32 output, by the layers' fast path where the machine has one."""
    if "output" not in outcome.case.arrays:
        return
    model, images = _build(outcome.case)
    fill_by_name(model)
    inputs = UMSFT.prepare(images.lr_hsi, images.hr_msi)
    with paddle.no_grad():
        fused = model.network(inputs, model.spectral)
    compare_single(outcome, fused.numpy())


CHECKS: dict[str, tuple[Callable[[Outcome, int], None], Callable[[Outcome], None]]] = {
    "umsft": (_check_double, _compare_single),
    "uhntc": (golden_uhntc.check_double, golden_uhntc.check_single),
}

"""uHNTC's part of a golden case: the network alone, its loss the mean |output - scene|."""

from __future__ import annotations

from typing import Callable, Optional

import numpy as np
import paddle
from paddle.optimizer import AdamW

from paddle_umsft.config.uhntc import UhntcSettings
from paddle_umsft.methods.uhntc.network import UHNTC
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
)
from paddle_umsft.parity.tolerances import TOLERANCES
from paddle_umsft.weights import names, names_uhntc


def check_double(outcome: Outcome, steps: int) -> None:
    """Names, every seam, the loss, all gradients, and AdamW's steps as far as the file has them."""
    case = outcome.case
    network = _network(case)
    scene, lr_hsi, hr_msi = _images(case)
    _compare_names(outcome, network)
    inputs = network.prepare(lr_hsi, hr_msi)
    seams: dict[str, paddle.Tensor] = {}
    fused = network(inputs, seams)
    for seam in SEAMS["uhntc"]:
        found = seams[seam].numpy()
        compare_seam(outcome, seam, found)
    seams.clear()  # the maps are large, and autograd keeps what it needs itself
    loss = _distance(fused, scene)
    compare_number(
        outcome,
        "forward",
        "loss",
        found=float(loss),
        wanted=case.figures.get("loss_l1_to_scene"),
        tolerance=TOLERANCES["loss"],
    )
    loss.backward()
    gradients = _gradients(case, network)
    compare_gradients(outcome, gradients)

    def loss_now() -> paddle.Tensor:
        fused = network(inputs)
        return _distance(fused, scene)

    _compare_steps(
        outcome,
        network,
        loss_now,
        first=float(loss),
        steps=steps,
    )


def _distance(fused: paddle.Tensor, scene: paddle.Tensor) -> paddle.Tensor:
    """The loss: mean |output - scene|."""
    difference = fused - scene
    return difference.abs().mean()


def check_single(outcome: Outcome) -> None:
    """The float32 output, by the layers' fast path where the machine has one."""
    if "output" not in outcome.case.arrays:
        return
    network = _network(outcome.case)
    _, lr_hsi, hr_msi = _images(outcome.case)
    inputs = network.prepare(lr_hsi, hr_msi)
    with paddle.no_grad():
        fused = network(inputs)
    compare_single(outcome, fused.numpy())


def _network(case: GoldenCase) -> UHNTC:
    """The network in Paddle's default type, filled by names."""
    network = UHNTC(
        bands=case.bands,
        msi_bands=len(case.supports),
    )
    network.train()
    fill_by_name(network)
    return network


def _images(case: GoldenCase) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
    """Scene, LR-HSI and HR-MSI in Paddle's default type."""
    dtype = paddle.get_default_dtype()
    scene = make_scene(
        case.bands,
        height=case.height,
        width=case.width,
        seed=case.seed,
    )
    lr_hsi, hr_msi = observe(scene, case.scale, case.supports)
    truth = scene[None]  # (1, C, H, W)
    return tuple(paddle.to_tensor(image.astype(dtype)) for image in (truth, lr_hsi, hr_msi))


def _compare_names(outcome: Outcome, network: UHNTC) -> None:
    """Our tensors under their published names against the published list."""
    listed = outcome.case.shapes
    if listed is None:
        outcome.absent.append("state_dict_shapes")
        return
    ours = {}
    for name, tensor in network.state_dict().items():
        key = names.published_key(name)
        ours[key] = tuple(tensor.shape)
    # The query convolution is ours alone (P12).
    published = {key: shape for key, shape in ours.items() if key not in names_uhntc.QUERY_KEYS}
    wrong = [key for key, shape in published.items() if listed.get(key) != shape]
    for key in listed:
        without_effect = key.endswith(".num_batches_tracked") or names_uhntc.is_unused(key)
        if key not in ours and not without_effect:
            wrong.append(key)
    compare_names(outcome, wrong, len(published), "counters and attentions without effect")


def _gradients(case: GoldenCase, network: UHNTC) -> dict[str, Optional[np.ndarray]]:
    """By published name. The query convolution was no parameter where the published code made the file (P12)."""
    listed = case.figures.get("grad_l2")
    found: dict[str, Optional[np.ndarray]] = {}
    for name, parameter in network.named_parameters():
        key = names.published_key(name)
        unlisted = isinstance(listed, dict) and key not in listed
        no_parameter_there = key in names_uhntc.QUERY_KEYS and unlisted
        if parameter.stop_gradient or no_parameter_there:
            continue
        gradient = None
        if parameter.grad is not None:
            gradient = parameter.grad.numpy()
        found[key] = gradient
    return found


def _compare_steps(
    outcome: Outcome,
    network: UHNTC,
    loss_now: Callable[[], paddle.Tensor],
    first: float,
    steps: int,
) -> None:
    """The loss of each AdamW step; the gradients of the first are there already."""
    wanted = adamw_losses(outcome)
    rate = UhntcSettings().rate
    optimizer = AdamW(
        rate.lr,
        parameters=network.parameters(),
        weight_decay=rate.weight_decay,
    )
    losses = [first]
    count = min(steps, len(wanted))
    while len(losses) < count:
        optimizer.step()
        optimizer.clear_grad()
        loss = loss_now()
        losses.append(float(loss))
        loss.backward()
    compare_steps(outcome, losses, wanted, steps)

"""One golden case: build the model, fill it by names, run it in float64, and compare at every seam."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
import paddle

from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.config.umsft import SolverConfig
from paddle_umsft.methods.networks.losses import observation_terms, total
from paddle_umsft.methods.networks.runtime import computing_in
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace
from paddle_umsft.methods.networks.warm_up import Images
from paddle_umsft.methods.umsft.model import FusionModel, build_model
from paddle_umsft.methods.umsft.network import UMSFT
from paddle_umsft.methods.umsft.solver import FusionStage
from paddle_umsft.parity.fill import every_kth, fill, make_scene, observe
from paddle_umsft.parity.reference import SEAMS, GoldenCase
from paddle_umsft.parity.tolerances import TOLERANCES, ZERO_NORM, Tolerance, adamw
from paddle_umsft.weights import names
from paddle_umsft.weights.mapping import to_our_layout, to_published_layout

SEAM_SAMPLES, OUTPUT_SAMPLES, GRADIENT_SAMPLES = 1500, 6000, 4


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        group: What kind: "start", "forward", "gradients", "AdamW", "float32" or "names".
        name: What was compared.
        difference: Largest difference found; NaN where nothing can be compared.
        limit: Largest one allowed.
        note: Which tensor it was, or what is wrong.
    """

    group: str
    name: str
    difference: float
    limit: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether it holds; NaN does not."""
        return bool(self.difference <= self.limit)


@dataclass
class Outcome:
    """All comparisons of one case.

    Attributes:
        case: The case.
        rows: The comparisons.
        absent: What the golden files do not say, so that it was not compared.
        seconds: How long it took.
    """

    case: GoldenCase
    rows: list[Row] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether something was compared and every row holds."""
        return bool(self.rows) and all(row.ok for row in self.rows)


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
    with computing_in(RuntimeConfig(dtype="float64")):
        model, images = _build(case)
        _compare_start(outcome, model)
        _compare_names(outcome, model)
        fill_by_name(model)
        _compare_training(outcome, model, images, steps)
    if single:
        with computing_in(RuntimeConfig(dtype="float32")):
            _compare_single(outcome)
    outcome.seconds = time.perf_counter() - started
    return outcome


def fill_by_name(model: FusionModel) -> None:
    """Fill every tensor of a model by its published name."""
    for name, tensor in model.state_dict().items():
        key = names.published_key(name)
        shape = to_published_layout(key, np.empty(tensor.shape, np.int8)).shape
        values = fill("psf" if key in names.PSF_KEYS else key, shape)
        tensor.set_value(to_our_layout(key, values).astype(tensor.numpy().dtype))


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
            outcome.rows.append(_row("start", seam, array.reshape(-1), wanted.reshape(-1), TOLERANCES["start"]))


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
    stage = FusionStage(images, model, SolverConfig())
    seams: dict[str, paddle.Tensor] = {}
    fused = model.network(stage.inputs, model.spectral, seams)
    seams.update(output=fused, recon_hsi=model.spatial(fused), recon_msi=model.spectral(fused))
    loss = total(observation_terms(seams["recon_hsi"], images.lr_hsi, seams["recon_msi"], images.hr_msi))
    for seam in SEAMS:
        _compare_seam(outcome, seam, seams[seam].numpy())
    seams.clear()
    _compare_number(outcome, "forward", "loss", float(loss), outcome.case.figures.get("loss"), TOLERANCES["loss"])
    loss.backward()
    _compare_gradients(outcome, model)
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
        _compare_number(outcome, "AdamW", f"step {step}", value, wanted[step - 1], adamw(step))


def _compare_seam(outcome: Outcome, seam: str, found: np.ndarray) -> None:
    """Samples and, over the whole tensor, mean, standard deviation and largest absolute value."""
    scale = float(np.abs(found).max())
    limit = TOLERANCES["seam"]
    wanted = outcome.case.arrays.get(seam)
    stats = _section(outcome.case, "stats").get(seam)
    if wanted is None and not isinstance(stats, dict):
        outcome.absent.append(seam)
        return
    row = Row("forward", seam, 0.0, limit.limit)
    if wanted is not None:
        most = OUTPUT_SAMPLES if seam == "output" else SEAM_SAMPLES
        row = _row("forward", seam, every_kth(found, most), wanted.reshape(-1), limit, scale)
    if isinstance(stats, dict):
        have = {"mean": found.mean(), "std": found.std(ddof=1), "absmax": scale}
        differences = [abs(float(have[key]) - stats[key]) / scale for key in have if key in stats]
        note = row.note
        if "shape" in stats and list(stats["shape"]) != list(found.shape):
            note, differences = f"shape {list(found.shape)} instead of {stats['shape']}", [float("nan")]
        row = Row("forward", seam, _largest([row.difference, *differences]), row.limit, note)
    outcome.rows.append(row)


def _compare_gradients(outcome: Outcome, model: FusionModel) -> None:
    """Norm and samples of every parameter's gradient, in the published layout."""
    found: dict[str, Optional[np.ndarray]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient:
            key = names.published_key(name)
            gradient = None if parameter.grad is None else to_published_layout(key, parameter.grad.numpy())
            found["psf" if key in names.PSF_KEYS else key] = gradient
    norms, samples = dict(_section(outcome.case, "grad_l2")), _section(outcome.case, "grad_samples")
    if outcome.case.figures.get("psf_grad_l2") is not None:
        norms["psf"] = outcome.case.figures["psf_grad_l2"]
    outcome.absent += [
        name
        for name in ("grad_l2", "grad_samples", "psf_grad_l2", "params_without_grad")
        if name not in outcome.case.figures
    ]
    worst: dict[str, Row] = {}
    for key in {**norms, **samples}:
        for row in _gradient_rows(key, found.get(key), norms.get(key), samples.get(key)):
            before = worst.get(row.name)
            if before is None or not row.difference <= before.difference:  # NaN is the worst of all
                worst[row.name] = row
    outcome.rows += [worst[name] for name in sorted(worst)]
    without = outcome.case.figures.get("params_without_grad")
    have = sorted(key for key, gradient in found.items() if gradient is not None)
    if isinstance(without, list):
        wrong = sorted(set(have) & set(without))
        if norms:
            wrong += sorted(set(norms) ^ set(have) - ({"psf"} - set(norms)))
        note = ", ".join(wrong[:3]) or f"{len(have)} have one, {len(without)} have none"
        outcome.rows.append(Row("gradients", "which parameters have one", float(len(wrong)), 0.0, note))


def _gradient_rows(
    key: str, found: Optional[np.ndarray], norm: Optional[float], samples: Optional[list[float]]
) -> list[Row]:
    if found is None:
        return [Row("gradients", "missing", float("nan"), 0.0, key)]
    own = float(np.sqrt((found**2).sum()))
    wanted = own if norm is None else float(norm)
    if wanted <= ZERO_NORM:
        return [Row("gradients", "zero but for rounding", own, TOLERANCES["zero_gradient"].limit, key)]
    limit = TOLERANCES["gradient"]
    rows = [] if norm is None else [Row("gradients", "norm", abs(own - wanted) / wanted, limit.limit, key)]
    if samples is not None:
        taken = every_kth(found, GRADIENT_SAMPLES)
        row = _row("gradients", "samples", taken, np.asarray(samples, dtype=np.float64).reshape(-1), limit, wanted)
        rows.append(Row(row.group, row.name, row.difference, row.limit, f"{key} {row.note}".strip()))
    return rows


def _compare_single(outcome: Outcome) -> None:
    """The float32 output, by the layers' fast path where the machine has one."""
    wanted = outcome.case.arrays.get("output")
    if wanted is None:
        return
    model, images = _build(outcome.case)
    fill_by_name(model)
    with paddle.no_grad():
        fused = model.network(UMSFT.prepare(images.lr_hsi, images.hr_msi), model.spectral).numpy()
    found = every_kth(fused, OUTPUT_SAMPLES).astype(np.float64)
    if found.shape != wanted.reshape(-1).shape:
        return  # the seam's own row says so
    strays = _section(outcome.case, "float32_vs_float64")
    for name, value in (("max", np.abs(found - wanted).max()), ("mean", np.abs(found - wanted).mean())):
        limit = max(TOLERANCES[f"float32_{name}"].limit, 2.0 * float(strays.get(name, 0.0)))
        note = f"PyTorch's own: {strays[name]:.1e}" if name in strays else ""
        outcome.rows.append(Row("float32", f"output, {name}", float(value), limit, note))


def _compare_number(outcome: Outcome, group: str, name: str, found: float, wanted: Any, tolerance: Tolerance) -> None:
    if wanted is None:
        outcome.absent.append(name)
    else:
        difference = abs(found - float(wanted)) / max(abs(float(wanted)), 1e-300)
        outcome.rows.append(Row(group, name, difference, tolerance.limit))


def _row(
    group: str, name: str, found: np.ndarray, wanted: np.ndarray, tolerance: Tolerance, scale: Optional[float] = None
) -> Row:
    """Compare two flat arrays; another length is a difference that no limit allows."""
    if found.shape != wanted.shape:
        note = f"{found.size} values instead of {wanted.size}"
        return Row(group, name, float("nan"), tolerance.limit, note)
    scale = float(np.abs(wanted).max()) if scale is None else scale
    return Row(group, name, float(np.abs(found - wanted).max()) / max(scale, 1e-300), tolerance.limit)


def _largest(values: list[float]) -> float:
    return float(np.max(values))  # NaN wins, unlike with max()


def _section(case: GoldenCase, name: str) -> Mapping[str, Any]:
    value = case.figures.get(name)
    return value if isinstance(value, dict) else {}

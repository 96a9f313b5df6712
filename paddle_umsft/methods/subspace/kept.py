"""What was learned of a pair, on the disk: arrays in plain .npy and .npz files, numbers in JSON; nothing is pickled.

Every process that works on strips of a scene reads the same, the one that has learned it, too: their strips fit
together to the last bit, today or after a kill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.config.ensemble import EnsembleInput
from paddle_umsft.config.subspace import SubspaceInput
from paddle_umsft.data.scene import Observation
from paddle_umsft.machine.files import write_sealed
from paddle_umsft.machine.plain_files import digest_of, open_plain, read_sealed
from paddle_umsft.machine.stored_rows import StoredRows
from paddle_umsft.methods.subspace.blend import Blend
from paddle_umsft.methods.subspace.fitting import SpectralMap
from paddle_umsft.methods.subspace.ground import Ground, over_level
from paddle_umsft.methods.subspace.map_features import Features, Kernel, PixelInputs, Spread
from paddle_umsft.methods.subspace.outcome import notes_on, plain_notes
from paddle_umsft.methods.subspace.stack import Plain
from paddle_umsft.methods.subspace.stages import Refinement, Round
from paddle_umsft.methods.subspace.steps import Step
from paddle_umsft.methods.subspace.strips import StripSolver
from paddle_umsft.methods.subspace.whole_picture import Statistics
from paddle_umsft.preparation.estimate import Degradations, operator_of
from paddle_umsft.preparation.prepared import Prepared

SMALL = "learned.npz"
FACTS = "learned.json"
# Images that are written some rows after the others.
RECORDED = "recorded.npy"
LEFT = "left.npy"
ROWS_AT_ONCE = 32
NUMBERS = ("level", "msi_noise", "clash")
OF_DEGRADATIONS = ("psf_family", "supports", "residual", "agreement", "noise_bound", "border", "doubt")


def keep(solver: StripSolver, folder: Path) -> None:
    """Write all of it; the facts come last, and say that it is whole.

    Args:
        solver: What was learned.
        folder: Where it goes; it is there.

    Raises:
        OSError: It cannot be written.
    """
    ground = solver.ground
    statistics = solver.statistics
    images = {
        "hr_msi": ground.hr_msi,
        "lr_hsi": ground.lr_hsi,
    }
    arrays: dict[str, Any] = {
        "psf": ground.degradations.psf,
        "srf": ground.degradations.srf,
        "basis": ground.basis,
        "band_noise": ground.band_noise,
        "lift": ground.lift,
        "inside": ground.inside,
        "use_trust": ground.prepared.use_trust,
        "lowest": statistics.lowest,
        "share": solver.share,
        "left_out": solver.left_out,
        "fitted": solver.fitted,
        "area": np.array(solver.area),
    }
    if not np.all(ground.prepared.msi_trust == 1):
        arrays["msi_trust"] = ground.prepared.msi_trust
    if ground.prepared.unsure_light is not None:
        arrays["unsure_light"] = ground.prepared.unsure_light
    for number, spectral in enumerate(solver.maps):
        arrays[f"map{number}_weights"] = spectral.weights
        for place, features in enumerate(spectral.features):
            arrays.update(_of_features(features, f"map{number}_{place}"))
    for number, own in enumerate(solver.rounds):
        arrays[f"round{number}_weights"] = np.array(own.image_weights)
        arrays[f"round{number}_keeps"] = np.array([step.keep for step in own.steps], dtype=np.float32)
        arrays[f"round{number}_lengths"] = np.array([step.length for step in own.steps], dtype=np.float32)
    arrays.update(_of_placement(ground.prepared.placement))
    if solver.refinement is not None:
        arrays["refine_centre"] = solver.refinement.centre
    if solver.blend is not None:
        arrays["blend_share"] = solver.blend.share
        arrays["blend_slopes"] = solver.blend.slopes
        arrays["blend_offsets"] = solver.blend.offsets
    if solver.plain is not None:
        arrays["plain_slopes"] = solver.plain.slopes
        arrays["plain_constants"] = solver.plain.constants
    names = [SMALL, RECORDED, *(f"{name}.npy" for name in images)]
    for name, image in images.items():
        np.save(folder / f"{name}.npy", image)
    as_read = ground.prepared.observation.lr_hsi
    _save_by_rows(folder / RECORDED, as_read.shape, lambda rows: over_level(as_read[rows], ground.level))
    if solver.plain is not None:
        names.append(LEFT)
        _save_by_rows(folder / LEFT, solver.plain.left.shape, solver.plain.left.__getitem__)
    np.savez(folder / SMALL, **arrays)
    facts: dict[str, Any] = {
        "scale": ground.operator.scale,
        "numbers": {name: float(getattr(ground, name)) for name in NUMBERS},
        "degradations": {name: getattr(ground.degradations, name) for name in OF_DEGRADATIONS},
        "statistics": {
            "height": statistics.height,
            "level": statistics.level,
            "magnitude": statistics.magnitude,
            # Infinity is no JSON.
            "floor": repr(float(statistics.floor)),
        },
        "method": solver.method,
        "kernels": [[_numbers_of(features.kernel) for features in spectral.features] for spectral in solver.maps],
        "surround": solver.surround,
        "rounds": len(solver.rounds),
        "refinement": _told(solver.refinement),
        "extras": solver.extras,
        "history": solver.history,
        "notes": [*notes_on(ground), *plain_notes(solver.extras["plain_share"]), *_left_out(solver)],
    }
    # Doubles survive JSON to the last bit; infinity and the like do not, and no fact here is one but the two above.
    facts["degradations"]["noise_bound"] = repr(float(ground.degradations.noise_bound))
    facts["sha256"] = {name: digest_of(folder / name) for name in names}
    write_sealed(folder / FACTS, facts)


def _save_by_rows(
    path: Path,
    shape: tuple[int, ...],
    rows_of: Callable[[slice], np.ndarray],
) -> None:
    """Write a .npy of float32, some rows after the others: all of them are not held at once.

    Args:
        path: The file.
        shape: (h, w, C).
        rows_of: Makes some rows.
    """
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for top in range(0, shape[0], ROWS_AT_ONCE):
            rows = rows_of(slice(top, min(top + ROWS_AT_ONCE, shape[0])))
            file.write(rows.astype("<f4").tobytes())


def _of_placement(placement: Optional[Placement]) -> dict[str, np.ndarray]:
    """Arrays of where LR pixels lie, if not where the grids say."""
    if placement is None:
        return {}
    arrays = {
        "placement_shift": placement.shift,
        "placement_matrix": placement.matrix,
    }
    if placement.frame is not None:
        arrays["placement_frame"] = np.array(placement.frame)
    return arrays


def _of_features(features: Features, name: str) -> dict[str, np.ndarray]:
    """Arrays of one kernel's features, by names that begin alike."""
    assert features.spreads is not None
    arrays = {
        f"{name}_frequencies": features.frequencies,
        f"{name}_phases": features.phases,
        f"{name}_deviations": np.array([spread.deviation for spread in features.spreads]),
    }
    for place, spread in enumerate(features.spreads):
        arrays[f"{name}_mean{place}"] = spread.mean
    return arrays


def _numbers_of(kernel: Kernel) -> dict[str, str]:
    """Length scales as text: infinity is no JSON."""
    return {name: repr(float(value)) for name, value in asdict(kernel).items()}


def _told(refinement: Optional[Refinement]) -> Optional[dict[str, Any]]:
    """Numbers of a refinement."""
    if refinement is None:
        return None
    return {"radius": refinement.radius, "ridge": refinement.ridge}


def _left_out(solver: StripSolver) -> list[str]:
    """What is not done strip by strip."""
    if solver.ground.band_operators is None:
        return []
    return ["what the bands' own PSFs make of the LR-HSI is told by the MSI alone: the scene is fused in strips"]


def is_kept(folder: Path) -> bool:
    """Whether a folder holds all of it, as it was written."""
    try:
        sums = read_sealed(folder / FACTS)["sha256"]
        return all(digest_of(folder / name) == found for name, found in sums.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def taken_up(folder: Path, settings: Union[SubspaceInput, EnsembleInput]) -> StripSolver:
    """Read what `keep` wrote.

    Args:
        folder: Where it is.
        settings: The sections that it was learned with.

    Raises:
        OSError: A file is missing.
        ValueError: A file is not what was written.
    """
    facts = read_sealed(folder / FACTS)
    with open_plain(folder / SMALL) as file, np.load(file, allow_pickle=False) as content:
        small = {name: content[name] for name in content.files}
    # Strips ask for rows of them: both images stay in their files.
    hr_msi: Any = StoredRows(folder / "hr_msi.npy")
    lr_hsi: Any = StoredRows(folder / "lr_hsi.npy")
    told = dict(facts["degradations"])
    told["noise_bound"] = float(told["noise_bound"])
    degradations = Degradations(psf=small["psf"], srf=small["srf"], **told)
    scale = int(facts["scale"])
    msi_trust = small.get("msi_trust")
    if msi_trust is None:
        msi_trust = np.ones(hr_msi.shape[:2], dtype=np.float32)
    trusted = small["use_trust"]
    prepared = Prepared(
        observation=Observation(lr_hsi=lr_hsi, hr_msi=hr_msi, scale=scale),
        placement=_placement(small, scale),
        fit_trust=trusted,
        use_trust=trusted,
        own_trust=trusted,
        msi_trust=msi_trust,
        unsure_light=small.get("unsure_light"),
    )
    ground = Ground(
        lr_hsi=lr_hsi,
        hr_msi=hr_msi,
        degradations=degradations,
        operator=operator_of(small["psf"], prepared, degradations.border),
        rank=small["basis"].shape[1],
        basis=small["basis"],
        band_noise=small["band_noise"],
        lift=small["lift"],
        inputs=PixelInputs.none_of(hr_msi.shape),
        # Only what is said of the pair needs it: see `recorded_rows`.
        recorded=lr_hsi,
        inside=small["inside"],
        prepared=prepared,
        **facts["numbers"],
    )
    top, left, height, width = small["area"].tolist()
    return StripSolver(
        ground=ground,
        statistics=_statistics(small, facts["statistics"]),
        settings=settings.subspace,
        method=facts["method"],
        maps=_maps(small, facts["kernels"]),
        surround=facts["surround"],
        rounds=[_round(small, f"round{number}") for number in range(facts["rounds"])],
        refinement=_refinement(small, facts["refinement"]),
        blend=_blend(small),
        share=small["share"],
        plain=_plain(small, folder),
        left_out=small["left_out"],
        fitted=small["fitted"],
        area=(top, left, height, width),
        extras=facts["extras"],
        history=facts["history"],
        notes=tuple(facts["notes"]),
    )


def recorded_rows(folder: Path, rows: np.ndarray) -> np.ndarray:
    """(n, w, C) some rows of the LR-HSI as it was recorded, over its level."""
    whole = StoredRows(folder / RECORDED)
    try:
        return whole[rows]
    finally:
        whole.close()


def _placement(small: dict[str, np.ndarray], scale: int) -> Optional[Placement]:
    if "placement_shift" not in small:
        return None
    frame = small.get("placement_frame")
    spans: Optional[tuple[tuple[int, int], tuple[int, int]]] = None
    if frame is not None:
        (top, bottom), (left, right) = frame.tolist()
        spans = ((top, bottom), (left, right))
    return Placement(
        scale=scale,
        shift=small["placement_shift"],
        matrix=small["placement_matrix"],
        frame=spans,
    )


def _statistics(small: dict[str, np.ndarray], told: dict[str, Any]) -> Statistics:
    return Statistics(
        height=int(told["height"]),
        lowest=small["lowest"],
        level=float(told["level"]),
        magnitude=float(told["magnitude"]),
        floor=float(told["floor"]),
    )


def _maps(small: dict[str, np.ndarray], kernels: list[list[dict[str, str]]]) -> list[SpectralMap]:
    maps = []
    for number, of_map in enumerate(kernels):
        features = []
        for place, told in enumerate(of_map):
            kernel = Kernel(**{name: float(value) for name, value in told.items()})
            features.append(_features(small, f"map{number}_{place}", kernel))
        maps.append(SpectralMap(features, small[f"map{number}_weights"]))
    return maps


def _features(small: dict[str, np.ndarray], name: str, kernel: Kernel) -> Features:
    spreads = []
    for place, deviation in enumerate(small[f"{name}_deviations"]):
        spreads.append(Spread(mean=small[f"{name}_mean{place}"], deviation=float(deviation)))
    return Features.kept(kernel, small[f"{name}_frequencies"], small[f"{name}_phases"], spreads)


def _round(small: dict[str, np.ndarray], name: str) -> Round:
    lr_weight, msi_weight = small[f"{name}_weights"]
    steps = []
    for keep, length in zip(small[f"{name}_keeps"], small[f"{name}_lengths"]):
        steps.append(Step(keep=keep, length=length))
    return Round((float(lr_weight), float(msi_weight)), steps)


def _refinement(small: dict[str, np.ndarray], told: Optional[dict[str, Any]]) -> Optional[Refinement]:
    if told is None:
        return None
    return Refinement(
        radius=int(told["radius"]),
        ridge=float(told["ridge"]),
        centre=small["refine_centre"],
    )


def _blend(small: dict[str, np.ndarray]) -> Optional[Blend]:
    if "blend_share" not in small:
        return None
    return Blend(
        share=small["blend_share"],
        slopes=small["blend_slopes"],
        offsets=small["blend_offsets"],
    )


def _plain(small: dict[str, np.ndarray], folder: Path) -> Optional[Plain]:
    if "plain_slopes" not in small:
        return None
    left: Any = StoredRows(folder / LEFT)
    return Plain(
        slopes=small["plain_slopes"],
        constants=small["plain_constants"],
        left=left,
    )

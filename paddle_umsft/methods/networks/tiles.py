"""A scene trained tile by tile: cameras learned once on the whole pair, a network of its own for each tile, blended.

An approximation: what a network learns in one place it does not know in another one. PSF and SRF are the cameras', the
same all over the scene, and are held in every tile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.observe import border_of
from paddle_umsft.data.records import OnRecord, Record
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.machine.files import write_sealed, write_whole
from paddle_umsft.machine.plain_files import digest_of, read_sealed
from paddle_umsft.methods.networks.blend_tiles import blended_whole
from paddle_umsft.methods.networks.solver import SceneSolver, run_all
from paddle_umsft.methods.networks.tile_grid import Tile
from paddle_umsft.methods.networks.tile_plan import TilePlan

# Class of a trained method: (observation, settings, *, seed, weights, cameras) -> its solver.
Build = Callable[..., SceneSolver]
# HR pixels that the cameras are learned on at most; of a larger scene, a block in its middle.
MOST_LEARNED = 2**22
ARRAYS = "cameras.npz"
RECORD = "cameras.json"
OF_MODEL = "model/"


@dataclass(frozen=True)
class Cameras:
    """What is learned once of a pair.

    Attributes:
        state: Tensors of PSF and SRF by name.
        psf: (k, k).
        srf: (M, C).
        history: Records of the warm-up.
    """

    state: Mapping[str, np.ndarray]
    psf: np.ndarray
    srf: np.ndarray
    history: Sequence[Record]

    def keep(self, folder: Path) -> None:
        """Write it down; the record with its sum comes last."""
        arrays = {f"{OF_MODEL}{name}": values for name, values in self.state.items()}
        write_whole(folder / ARRAYS, lambda path: _save_arrays(path, {**arrays, "psf": self.psf, "srf": self.srf}))
        write_sealed(folder / RECORD, {"sha256": digest_of(folder / ARRAYS), "history": list(self.history)})


def _save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    # Given a name, `savez` would add an ending to it.
    with path.open("wb") as file:
        np.savez(file, **arrays)


def kept_cameras(folder: Path) -> Optional[Cameras]:
    """Return what was written down; None: nothing, or it is no longer what was written."""
    try:
        record = read_sealed(folder / RECORD)
        if digest_of(folder / ARRAYS) != record["sha256"]:
            return None
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        state = {name[len(OF_MODEL) :]: values for name, values in found.items() if name.startswith(OF_MODEL)}
        return Cameras(
            state=state,
            psf=found["psf"],
            srf=found["srf"],
            history=record["history"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def learn_cameras(
    observation: Observation,
    build: Build,
    settings: Any,
    *,
    seed: int,
    on_record: Optional[OnRecord] = None,
) -> Cameras:
    """Learn PSF and SRF on the whole pair: the method's own warm-up, and none of its fusion.

    Args:
        observation: The pair.
        build: The method.
        settings: The method's.
        seed: Of its start.
        on_record: Called with every record of the warm-up.
    """
    solver = build(_middle(observation), settings, seed=seed)
    steps = sum(stage.iterations for stage in solver.stages if not stage.is_main)
    history = []
    for record in islice(solver.run(), steps):
        history.append(record)
        if on_record is not None:
            on_record(record)
    model = solver.model
    return Cameras(
        state=model.cameras(),
        psf=model.spatial.effective_psf(),
        srf=model.spectral.effective_srf(),
        history=history,
    )


def _middle(observation: Observation) -> Observation:
    """The pair, or a block in its middle that is as large as may be learned on, and of its proportions."""
    height, width = observation.shape
    share = (MOST_LEARNED / (height * width)) ** 0.5
    if share >= 1:
        return observation
    lr_height, lr_width = observation.lr_hsi.shape[:2]
    rows = int(share * lr_height)
    columns = int(share * lr_width)
    top = (lr_height - rows) // 2
    left = (lr_width - columns) // 2
    block = Tile(
        top=top,
        bottom=top + rows,
        left=left,
        right=left + columns,
    )
    return cut(observation, block)


def cut(observation: Observation, tile: Tile) -> Observation:
    """Cut a pair to a tile.

    Args:
        observation: The pair, on plain grids.
        tile: Where.
    """
    high = tile.high(observation.scale)
    masks: dict[str, Any] = {}
    if observation.mask_hsi is not None:
        masks["mask_hsi"] = observation.mask_hsi[tile.low]
    if observation.mask_msi is not None:
        masks["mask_msi"] = observation.mask_msi[high]
    part = replace(
        observation,
        lr_hsi=np.ascontiguousarray(observation.lr_hsi[tile.low]),
        hr_msi=np.ascontiguousarray(observation.hr_msi[high]),
        meta=_meta_of_tile(observation),
        hsi_facts=None,
        msi_facts=None,
        **masks,
    )
    return part


def _meta_of_tile(observation: Observation) -> dict[str, Any]:
    """A picture that wraps around does so at its own border; beyond a tile its mirror image is nearer to the truth."""
    if border_of(observation) != "wrap":
        return observation.meta
    observe = {**observation.meta.get("observe", {}), "border": "reflect"}
    return {**observation.meta, "observe": observe}


def fit_tile(
    observation: Observation,
    plan: TilePlan,
    number: int,
    build: Build,
    settings: Any,
    cameras: Cameras,
    *,
    seed: int,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Train a network on a tile, from the start that every tile has.

    Args:
        observation: The whole pair.
        plan: The tiles.
        number: Of the tile.
        build: The method.
        settings: The method's.
        cameras: Learned on the whole.
        seed: Of the start.
        on_record: Called with every record.
    """
    part = cut(observation, plan.grid.tile(number))
    part = replace(part, name=f"{observation.name}, tile {number + 1} of {plan.count}")
    solver = build(part, settings, seed=seed, cameras=cameras.state)
    return run_all(solver, on_record)


def told_of_tile(result: FusionResult, number: int) -> dict[str, Any]:
    """What is kept of a tile's result beside its cube, as JSON can hold it."""
    last: Record = {}
    if result.history:
        last = {**result.history[-1], "tile": number}
    told = {
        "seconds": result.seconds,
        "last": last,
        "extras": result.extras,
        "notes": list(result.notes),
    }
    # As it will be read again: with or without a disk in between the result is the same.
    content: dict[str, Any] = json.loads(json.dumps(told))
    return content


def put_together(
    fused: np.ndarray,
    observation: Observation,
    plan: TilePlan,
    cameras: Cameras,
    told: Sequence[Mapping[str, Any]],
    method: str,
) -> FusionResult:
    """Make one result of all tiles'.

    Args:
        fused: (H, W, C) blended.
        observation: The whole pair.
        plan: The tiles.
        cameras: Learned on the whole.
        told: What `told_of_tile` kept, tile by tile.
        method: Its name.
    """
    history = [*cameras.history]
    notes: dict[str, None] = {}
    seconds = 0.0
    for of_tile in told:
        seconds += of_tile["seconds"]
        if of_tile["last"]:
            history.append(of_tile["last"])
        notes.update(dict.fromkeys(of_tile["notes"]))
    if cameras.history:
        seconds += cameras.history[-1]["seconds"]
    extras = {**told[0]["extras"], "tiles": plan.count}
    if "border" in extras:
        # Tiles have another one than the picture that they are cut from.
        extras["border"] = border_of(observation)
    approximation = (
        f"trained in {plan.count} tiles of {plan.rows * plan.scale}x{plan.columns * plan.scale} pixels, blended: "
        "an approximation of the whole (docs/scaling.md)"
    )
    return FusionResult(
        fused=fused,
        psf=cameras.psf,
        srf=cameras.srf,
        history=history,
        method=method,
        seconds=seconds,
        extras=extras,
        notes=(*notes, approximation),
    )


def fuse_in_tiles(
    observation: Observation,
    settings: Any,
    *,
    plan: TilePlan,
    build: Build,
    method: str,
    seed: int,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Fuse tile by tile, all in memory.

    Args:
        observation: The pair.
        settings: The method's.
        plan: The tiles.
        build: The method.
        method: Its name.
        seed: Of every tile's start.
        on_record: Called with every record, those of the warm-up first, then tile by tile.

    Raises:
        DataError: The cube does not fit.
    """
    if plan.by_rows:
        raise DataError(
            "the cube does not fit into memory",
            where=observation.name,
            hint="umsft train (tools/train.py) trains tile by tile and writes row by row; or a larger runtime.memory",
        )
    cameras = learn_cameras(observation, build, settings, seed=seed, on_record=on_record)
    cubes = []
    told = []
    for number in range(plan.count):
        result = fit_tile(
            observation,
            plan,
            number,
            build,
            settings,
            cameras,
            seed=seed,
            on_record=on_record,
        )
        cubes.append(result.fused)
        told.append(told_of_tile(result, number))
    fused = blended_whole(plan.grid, cubes.__getitem__)
    return put_together(fused, observation, plan, cameras, told, method)

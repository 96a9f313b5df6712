"""Baselines for scenes worked on row by row: statistics of the whole pair once, then any rows of the cube on their own.

What is learned is small. Both images lie in files beside it, and are read where rows are made: no strip has to be
solved in advance, so that the coefficients which `subspace` keeps of a scene have no dimension here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.psf import box_psf
from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.cameras.row_blocks import (
    degrade_blocks,
    hr_rows_on,
    pair_on_rows,
    sees_beyond,
    spread_blocks,
    windows_on,
)
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.machine.files import write_sealed, write_whole
from paddle_umsft.machine.plain_files import digest_of, read_sealed
from paddle_umsft.trust.error_rows import Read, SceneRows, cube_of_runs

IMAGES = ("lr_hsi", "hr_msi")
SMALL = "learned.npz"
FACTS = "learned.json"
# LR rows that a cubic sees on either side of an HR pixel, and one for rounding.
CUBIC_ROWS = 3
# A sample of the result is judged: blocks of rows, of so many values at most, each of which a judge needs so many bytes
# for; and of so many HR pixels, which tell as much as all of them.
MOST_VALUES = 2**25
BYTES_OF_VALUE = 80
MOST_PIXELS = 2**20


@dataclass(frozen=True)
class Learned:
    """What a baseline knows of a pair.

    Attributes:
        arrays: By name, small ones.
        psf: (k, k) in use; None: none is.
        border: What lies beyond the picture.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    psf: Optional[np.ndarray] = None
    border: Border = "wrap"


def upsampled(
    image: np.ndarray,
    scale: int,
    rows: Optional[np.ndarray] = None,
) -> np.ndarray:
    """`bicubic_upsample`, of which some neighbouring rows may be asked for: then only what they see is read.

    Args:
        image: (h, w, B).
        scale: s.
        rows: HR rows without a gap; None: all.
    """
    if rows is None:
        return bicubic_upsample(image, scale)
    first = max(0, int(rows[0]) // scale - CUBIC_ROWS)
    end = min(image.shape[0], int(rows[-1]) // scale + CUBIC_ROWS + 1)
    seen = np.asarray(image[first:end])
    return bicubic_upsample(seen, scale, rows=rows - first * scale)


# (learned, lr_hsi (h, w, C), the MSI's rows (n, W, M), scale, which rows; None: all) -> (n, W, C) float32.
MakeRows = Callable[[Learned, np.ndarray, np.ndarray, int, Optional[np.ndarray]], np.ndarray]


class RowSolver:
    """A pair of which any rows can be fused.

    Args:
        learned: Of the whole pair.
        lr_hsi: (h, w, C), possibly a file.
        hr_msi: (H, W, M), possibly a file.
        scale: s.
        make_rows: The baseline.
    """

    # Of a pixel nothing is kept in between, and there is nothing to be gone through before.
    rank = 0
    stages: tuple[str, ...] = ()

    def __init__(
        self,
        learned: Learned,
        lr_hsi: np.ndarray,
        hr_msi: np.ndarray,
        scale: int,
        make_rows: MakeRows,
    ) -> None:
        self.learned = learned
        self.lr_hsi = lr_hsi
        self.hr_msi = hr_msi
        self.scale = scale
        self.make_rows = make_rows
        self.shape = (int(hr_msi.shape[0]), int(hr_msi.shape[1]))
        self.bands = int(lr_hsi.shape[2])

    def coeffs(
        self,
        first: int,
        end: int,
        *,
        stage: int = 0,
        before: Optional[Callable[[np.ndarray], np.ndarray]] = None,
    ) -> np.ndarray:
        """What is solved in advance of some LR rows: nothing, ((end - first) * s, W, 0)."""
        return np.zeros(((end - first) * self.scale, self.shape[1], 0), dtype=np.float32)

    def know_leftover(self, read: Callable[[np.ndarray], np.ndarray], rows: int) -> None:
        """Nothing is left over that would be added."""

    def cube(self, coeffs: np.ndarray, top: int, bottom: int) -> np.ndarray:
        """(bottom - top, W, C) float32 of some HR rows.

        Args:
            coeffs: Of no dimension.
            top: First HR row.
            bottom: The one after the last.
        """
        rows = np.arange(top, bottom)
        seen = np.asarray(self.hr_msi[top:bottom])
        return self.make_rows(self.learned, self.lr_hsi, seen, self.scale, rows)


@dataclass(frozen=True)
class RowSample:
    """Blocks of rows from several places of a scene, one below the other.

    Attributes:
        pair: The pair there.
        result: The result there, not judged yet.
        share: Of the scene.
        lr_rows: Which LR rows.
    """

    pair: Observation
    result: FusionResult
    share: float
    lr_rows: np.ndarray


class ByRows:
    """A baseline for scenes worked on row by row: what a run calls, in its order.

    Args:
        name: Of the method.
        learn_of: Statistics of a pair.
        make_rows: Rows of the cube.
    """

    def __init__(
        self,
        name: str,
        learn_of: Callable[[Observation], Learned],
        make_rows: MakeRows,
    ) -> None:
        self.name = name
        self.learn_of = learn_of
        self.make_rows = make_rows

    def learn(
        self,
        observation: Observation,
        settings: None,
        *,
        seed: int = 0,
    ) -> RowSolver:
        """Find what the baseline has to know of the whole pair."""
        return RowSolver(
            self.learn_of(observation),
            observation.lr_hsi,
            observation.hr_msi,
            observation.scale,
            self.make_rows,
        )

    def keep(self, solver: RowSolver, folder: Path) -> None:
        """Write it down, the images too; the facts, with the sums of all files, come last."""
        arrays: dict[str, Any] = dict(solver.learned.arrays)
        if solver.learned.psf is not None:
            arrays["psf"] = solver.learned.psf
        write_whole(folder / f"{IMAGES[0]}.npy", lambda path: _save(path, solver.lr_hsi))
        write_whole(folder / f"{IMAGES[1]}.npy", lambda path: _save(path, solver.hr_msi))
        write_whole(folder / SMALL, lambda path: _save_all(path, arrays))
        facts = {
            "scale": solver.scale,
            "border": solver.learned.border,
            "sha256": {name: digest_of(folder / name) for name in _files()},
        }
        write_sealed(folder / FACTS, facts)

    def is_kept(self, folder: Path) -> bool:
        """Whether all of it is there as it was written."""
        try:
            sums = read_sealed(folder / FACTS)["sha256"]
            return all(digest_of(folder / name) == sums[name] for name in _files())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def taken_up(self, folder: Path, settings: None) -> RowSolver:
        """Return what was written down; the images stay in their files."""
        facts = read_sealed(folder / FACTS)
        with np.load(folder / SMALL, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        psf = arrays.pop("psf", None)
        images = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in IMAGES]
        return RowSolver(
            Learned(arrays, psf, facts["border"]),
            images[0],
            images[1],
            facts["scale"],
            self.make_rows,
        )

    def sample_of(
        self,
        solver: RowSolver,
        folder: Path,
        read: Callable[[np.ndarray], np.ndarray],
        observation: Observation,
        memory: int,
    ) -> RowSample:
        """Cut a sample out of a scene and its result; a small scene is its own sample.

        Args:
            solver: The scene.
            folder: Not asked: the images are the solver's.
            read: Not asked: nothing was solved in advance.
            observation: The pair, for its facts.
            memory: Bytes that the run may take.
        """
        scale = solver.scale
        height, width = solver.shape
        lr_height = height // scale
        values = min(MOST_VALUES, memory // BYTES_OF_VALUE)
        pixels = min(MOST_PIXELS, values // solver.bands)
        blocks = spread_blocks(lr_height, max(1, pixels // (width * scale)))
        lr_rows = np.concatenate([np.arange(*block) for block in blocks])
        hr_rows = hr_rows_on(lr_rows, scale)
        none = np.zeros(0)
        cubes = [solver.cube(none, first * scale, end * scale) for first, end in blocks]
        psf = solver.learned.psf
        if psf is None:
            psf = box_psf(scale)
        operator = SpatialDegradation(psf, scale, solver.learned.border)
        pair = pair_on_rows(
            observation,
            lr_rows,
            lr_hsi=np.array(solver.lr_hsi[lr_rows]),
            hr_msi=np.array(solver.hr_msi[hr_rows]),
        )
        degrade = None
        if len(lr_rows) < lr_height:
            windows = windows_on(blocks, scale, solver.shape)
            degrade = degrade_blocks(operator, windows)
            seen = pair.mask_hsi
            if seen is None:
                seen = np.ones((len(lr_rows), width // scale), dtype=bool)
            # Blurred again, the sample is not what the others saw.
            pair = replace(pair, mask_hsi=seen & ~sees_beyond(operator, windows)[:, None])
        result = FusionResult(
            fused=np.concatenate(cubes),
            psf=solver.learned.psf,
            method=self.name,
            pair=pair,
            degrade=degrade,
        )
        return RowSample(
            pair=pair,
            result=result,
            share=len(lr_rows) / lr_height,
            lr_rows=lr_rows,
        )

    def scene_rows(
        self,
        solver: RowSolver,
        folder: Path,
        read: Read,
        observation: Observation,
        *,
        clip: bool,
    ) -> SceneRows:
        """Return pair and result for whoever asks for rows of them.

        Args:
            solver: The scene.
            folder: Not asked, as `read` is not: see `sample_of`.
            read: Nothing was solved in advance.
            observation: The pair, for its masks.
            clip: Whether values below zero are cut off.
        """

        def fused(run: np.ndarray) -> np.ndarray:
            return solver.cube(np.zeros(0), int(run[0]), int(run[-1]) + 1)

        psf = solver.learned.psf
        if psf is None:
            psf = box_psf(solver.scale)
        trusted = np.ones(solver.lr_hsi.shape[:2], dtype=bool)
        if observation.mask_hsi is not None:
            trusted = observation.mask_hsi
        doubted = None
        if observation.mask_msi is not None:
            doubted = (~observation.mask_msi).astype(np.float32)
        return SceneRows(
            operator=SpatialDegradation(psf, solver.scale, solver.learned.border),
            shape=solver.shape,
            fused=lambda rows: cube_of_runs(fused, rows, clip=clip),
            hr_msi=lambda rows: np.asarray(solver.hr_msi[rows]),
            lr_hsi=lambda lr_rows: np.asarray(solver.lr_hsi[lr_rows]),
            held_out=None,
            trusted=trusted,
            doubted=doubted,
        )


def _files() -> tuple[str, ...]:
    return (*(f"{name}.npy" for name in IMAGES), SMALL)


def _save(path: Path, image: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(image))


def _save_all(path: Path, arrays: dict[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)

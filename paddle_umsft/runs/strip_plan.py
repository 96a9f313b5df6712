"""Before a large scene is begun: whether it fits into memory and on the disk, and in which strips."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.machine.memory import available_bytes, bytes_of, in_words, peak_bytes
from paddle_umsft.methods.table import find_method
from paddle_umsft.methods.told import StripFacts
from paddle_umsft.preparation.layout import is_turned, sizes_laid_out

# Part of what the machine leaves that "auto" takes: others are at work there, too.
SHARE_OF_AUTO = 0.7
FLOAT = 4  # bytes
# Of a scene that is fused as a whole, in float32 numbers an HR pixel: images of its bands that are there at the same
# time, and whatever does not grow with them. Measured on 512² and 2048² of 31 bands: 1.1 kB a pixel.
WHOLE_CUBES = 7
WHOLE_BESIDE = 60
# Of a strip with its halo: images of the subspace's dimensions and of the MSI's bands, and what is beside.
STRIP_SUBSPACE = 12
# Of one that is refined: as many images of the subspace's dimensions as the MSI has bands, and so many besides.
REFINED_BESIDE = 8
STRIP_MSI = 10
STRIP_BESIDE = 20
LARGEST_RANK = 12
# Of the sample that the solver's steps are found on, images of the subspace's dimensions.
LEARNED = 10
# HR pixels that a pair is examined on at most, bytes that each of them takes, and bytes of each value of the LR-HSI.
EXAMINED = 2**22
EXAMINED_MSI = 150
EXAMINED_LR = 24
# LR pixels that a map is fitted on at most, and bytes of each of their features.
FITTED = 2**16
FEATURE = 12
# LR pixels that a trial one step coarser looks at, and cubes of so many pixels that are there then.
TRIED = 2**18
TRIED_CUBES = 5
# Images of the MSI, and of the LR-HSI, that are held while a pair is learned of: as they were read, as they are
# understood, and where masks were filled without what these hide. Afterwards strips read rows of what was kept of them.
LEARNED_OF = 2
UNMASKED = 1
# Where the grids do not tile each other, the MSI as it is laid out besides.
LAID_OUT_MSI = 1
# Of each HR pixel how far it is trusted.
HELD_TRUST = 1
# While the cube is written, images of the LR-HSI: what is left of it. Before that, what plain hypersharpening misses of
# it, and if need be that is fitted.
LEFT_LR = 1
MISSED_LR = 2
# While the cube is written, part of the memory that its rows take in two forms; and cubes of so many values, of which
# LR pixels are made again.
WRITTEN = 0.2
AGAIN = 3 * 2**24
# The program itself, its libraries, and blocks of fixed size that it works on.
PROGRAM = 250 * 2**20
# HR pixels of a strip at most: of 4096 columns 512 rows, three times what their halo is. Longer ones gain little, and a
# strip is what a kill costs.
MOST_PIXELS = 2**21
# LR rows of a strip at least: shorter ones are nothing but halo.
LEAST_ROWS = 4
# PSFs reach about so many LR pixels; a strip's halo is three windows of the PSF and LR pixels on either side.
USUAL_HALO = 9


@dataclass(frozen=True)
class StripPlan:
    """In which strips a scene is worked on.

    Attributes:
        rows: LR rows of a strip.
        count: Strips.
        memory: Bytes that the run may take.
        expected: Bytes that it will take, about.
        disk: Bytes that it will write, about.
    """

    rows: int
    count: int
    memory: int
    expected: int
    disk: int

    def may_follow(self, before: StripPlan) -> bool:
        """Whether an earlier plan of the same scene fits into the memory there is now."""
        return before.expected <= self.memory

    def has_pieces_of(self, other: Optional[StripPlan]) -> bool:
        """Whether another plan, if there is one, cuts the scene into the same strips."""
        return other is not None and (self.rows, self.count) == (other.rows, other.count)

    def range_of(self, number: int, height: int) -> tuple[int, int]:
        """Half-open range of LR rows of a strip, of h in all."""
        first = number * self.rows
        return first, min(first + self.rows, height)


def memory_of(config: Config) -> Optional[int]:
    """Bytes that a run may take; None where nobody knows."""
    if config.runtime.memory != "auto":
        return bytes_of(config.runtime.memory)
    left = available_bytes()
    if left is None:
        return None
    # What the data take by now is this run's own.
    return int(SHARE_OF_AUTO * left) + (peak_bytes() or 0)


def bytes_as_whole(observation: Observation) -> int:
    """What fusing a pair as a whole takes, about."""
    height, width = sizes_laid_out(observation).shape
    numbers = WHOLE_CUBES * observation.bands + WHOLE_BESIDE
    return PROGRAM + FLOAT * numbers * height * width


def goes_by_strips(observation: Observation, config: Config) -> bool:
    """Whether a pair is too large to be fused as a whole, and its method can do it strip by strip.

    Raises:
        DataError: It is too large, and its method needs it whole.
    """
    method = find_method(config.method)
    memory = memory_of(config)
    if memory is None or method.trained is not None:
        # What networks take depends on their settings, and they have tiles of their own.
        return False
    if method.by_strips is None and config.runtime.memory == "auto":
        # Nothing else can be done with the scene: it may take all that is left.
        memory = int(memory / SHARE_OF_AUTO)
    needed = bytes_as_whole(observation)
    if needed <= memory:
        return False
    if method.by_strips is None:
        raise DataError(
            "does not fit into memory",
            where=observation.name,
            expected=f"about {in_words(needed)}",
            got=in_words(memory),
            hint="fast.yml, best.yml, gsa, sfim, bicubic go strip by strip; or runtime.memory=..., a machine with more",
        )
    return True


def plan_strips(observation: Observation, config: Config) -> StripPlan:
    """Cut a scene into strips that fit into memory.

    Raises:
        ConfigError: The method has no map, which strips begin with.
        DataError: Not even the smallest strips fit, or one grid is turned against the other.
    """
    facts = find_method(config.method).strip_facts(config)
    if facts.features == 0:
        # With a map where none is wanted, the result would be another one than that of the whole.
        raise ConfigError(
            "strips begin with a map from MSI to spectra",
            where="subspace.map_features",
            expected="1 or more, for a scene that does not fit into memory as a whole",
            got="0",
            hint="leave it out, or a larger runtime.memory",
        )
    memory = memory_of(config)
    assert memory is not None
    if is_turned(observation.grid):
        raise DataError(
            "does not fit into memory, and strips need grids that are not turned against each other",
            where=observation.name,
            expected=f"about {in_words(bytes_as_whole(observation))}",
            got=in_words(memory),
            hint="resample the MSI to the HSI's ground, cut the files, or runtime.memory=..., a machine with more",
        )
    values = results_of(observation, config)
    learned_msi = LEARNED_OF
    learned_lr = LEARNED_OF
    if observation.mask_msi is not None:
        learned_msi += UNMASKED
    if observation.mask_hsi is not None:
        learned_lr += UNMASKED
    size = "x".join(map(str, observation.shape))  # as it was given
    if observation.grid is not None:
        learned_msi += LAID_OUT_MSI
        observation = sizes_laid_out(observation)
    height, width = observation.shape
    lr_height, lr_width = observation.lr_hsi.shape[:2]
    scale = observation.scale
    lr_image = FLOAT * observation.bands * lr_height * lr_width
    msi_image = FLOAT * observation.msi_bands * height * width
    held = PROGRAM + FLOAT * HELD_TRUST * height * width
    held_learning = held + learned_msi * msi_image + learned_lr * lr_image
    rank = min(observation.bands, max(LARGEST_RANK, facts.max_rank))
    images = STRIP_SUBSPACE
    if facts.is_refined:
        images = max(images, observation.msi_bands + REFINED_BESIDE)
    numbers = images * rank + STRIP_MSI * observation.msi_bands + STRIP_BESIDE
    row = FLOAT * numbers * width * scale  # bytes of an LR row of a strip
    rows = int((memory - held) / row) - 2 * USUAL_HALO
    sample = (images - STRIP_SUBSPACE + LEARNED) * rank + STRIP_MSI * observation.msi_bands
    learning = _bytes_of_learning(observation, facts, held_learning, sample)
    cube = observation.bands * height * width
    writing = held + LEFT_LR * lr_image + min(max(FLOAT * AGAIN, WRITTEN * memory), FLOAT * cube)
    before_writing = held + MISSED_LR * lr_image + msi_image
    learning = max(learning, before_writing, writing)
    if rows < min(LEAST_ROWS, lr_height) or memory < learning:
        least = max(learning, held + row * (LEAST_ROWS + 2 * USUAL_HALO))
        raise DataError(
            "does not fit into memory, not even strip by strip",
            where=f"{observation.name}: {size}, {observation.bands} bands",
            expected=f"about {in_words(least)}",
            got=in_words(memory),
            hint=f"runtime.memory={in_words(1.05 * least).replace(' ', '')} or more, or cut the files",
        )
    rows = min(rows, max(LEAST_ROWS, MOST_PIXELS // (width * scale)), lr_height)
    count = -(-lr_height // rows)
    # Strips of one length: the last one is not to be a remnant.
    rows = -(-lr_height // count)
    return StripPlan(
        rows=rows,
        count=-(-lr_height // rows),
        memory=memory,
        expected=int(max(learning, held + row * (rows + 2 * USUAL_HALO))),
        disk=FLOAT * (values + height * width * (facts.stages * rank + observation.msi_bands)),
    )


def results_of(observation: Observation, config: Config) -> int:
    """Values that are left when all is done: the cube, and where it is asked for the expected error of each."""
    height, width = observation.shape
    cube = observation.bands * height * width
    if config.output.trust:
        return 2 * cube
    return cube


def _bytes_of_learning(
    observation: Observation,
    facts: StripFacts,
    held: float,
    sample: int,
) -> float:
    """What it takes to learn of a pair, at most.

    Args:
        observation: The pair.
        facts: Of the method.
        held: Bytes that are there all the while.
        sample: Numbers of a pixel of the sample that the solver's steps are found on.
    """
    height, width = observation.shape
    pixels = height * width
    lr_pixels = pixels // observation.scale**2
    steps = FLOAT * sample * min(pixels, facts.sampled)
    fit = FEATURE * facts.features * min(lr_pixels, FITTED)
    trial = FLOAT * TRIED_CUBES * observation.bands * min(lr_pixels, TRIED)
    examined = min(pixels, EXAMINED)
    # The pair is not understood yet.
    images = FLOAT * (observation.msi_bands * pixels + observation.bands * lr_pixels)
    look = held - images + EXAMINED_MSI * examined
    look += EXAMINED_LR * observation.bands * examined // observation.scale**2
    return max(held + max(steps, fit, trial), look)


def check_disk(folder: Path, plan: Any) -> None:
    """Check that the results fit on the disk.

    Args:
        folder: Where they go.
        plan: Of strips or tiles; its `disk` counts.

    Raises:
        DataError: They do not.
    """
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    free = shutil.disk_usage(nearest).free
    if free < plan.disk:
        raise DataError(
            "not enough space on the disk",
            where=folder,
            expected=f"about {in_words(plan.disk)} free",
            got=in_words(free),
            hint="free some, or choose another --output",
        )


def plan_lines(observation: Observation, plan: StripPlan, folder: Path) -> list[str]:
    """Say what will be done."""
    height, width = observation.shape
    whole = in_words(bytes_as_whole(observation))
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    free = in_words(shutil.disk_usage(nearest).free)
    return [
        f"plan       {height}x{width}x{observation.bands} as a whole would take about {whole}, "
        f"{in_words(plan.memory)} may be used (runtime.memory)",
        f"plan       {plan.count} strips of {plan.rows * sizes_laid_out(observation).scale} rows and their halo, "
        f"about {in_words(plan.expected)}; on the disk about {in_words(plan.disk)} of {free} free",
    ]

"""A scene that is too large for memory: learned once, solved strip by strip, written as rows arrive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import numpy as np

from paddle_umsft import __version__
from paddle_umsft.cameras.row_blocks import hr_rows_on
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.run import Config
from paddle_umsft.data.masks import valid_pixels
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.machine.memory import give_back, in_words, peak_bytes
from paddle_umsft.methods.table import Input, find_method, input_of
from paddle_umsft.preparation.layout import covered_part
from paddle_umsft.runs.handed import Handed, sizes_of
from paddle_umsft.runs.large_rows import Output, Rows, write_rows
from paddle_umsft.runs.overview import Overview
from paddle_umsft.runs.row_plan import lines_of, plan_pieces, solving_of
from paddle_umsft.runs.strip_plan import StripPlan, check_disk
from paddle_umsft.runs.strips import Coefficients, StripFolder, solve_strips
from paddle_umsft.runs.writers.by_rows import check_by_rows
from paddle_umsft.trust.error_rows import ErrorRows, SceneRows
from paddle_umsft.trust.error_rows_apart import errors_of
from paddle_umsft.trust.expected import Levels
from paddle_umsft.trust.judge import Examined, judged_with_levels

Say = Callable[[str], None]
Finished = TypeVar("Finished")
# LR rows are degraded again so many values of the cube at a time.
AGAIN_VALUES = 2**24
# Claims that a process holds while it plans, learns, and writes.
PLAN, LEARN, FINISH = "plan", "learn", "finish"
PAUSE_SECONDS = 0.2
PERCENT = 100.0


@dataclass(frozen=True)
class LargeResult:
    """What is known of a scene after all of it is written.

    Attributes:
        sample: The result on a sample of the scene, judged; its notes and extras are those of the whole.
        pair: The pair on the sample.
        whole: The pair as the result covers it, its images by their sizes.
        valid: (H, W), False where the cube means nothing; None: it means something everywhere.
        overview: Every n-th pixel of the scene and of its result.
        seconds: What it took, this process's share.
        errors: Makes rows of the expected error.
        memory: Bytes that the run may take.
    """

    sample: FusionResult
    pair: Observation
    whole: Observation
    valid: Optional[np.ndarray]
    overview: Overview
    seconds: float
    errors: ErrorRows
    memory: int


def fuse_large(
    handed: Handed,
    config: Config,
    work: Path,
    outputs: Sequence[Output],
    *,
    facts: dict[str, Any],
    history: str,
    finish: Callable[[LargeResult], Finished],
    first_share: float = 0.0,
    said: Optional[StripPlan] = None,
    say: Say,
) -> Optional[Finished]:
    """Fuse a scene strip by strip and write it.

    Args:
        handed: The pair; its images are let go of once what is learned of them is on the disk.
        config: All settings.
        work: Folder of its own for what is on the way; what a killed run left there is gone on with.
        outputs: What is asked for.
        facts: What tells the pair from another one.
        history: How the result was made, for its file.
        finish: Called once all is written, while no other process may write; after it the work folder is removed.
        first_share: Where among the strips to begin, between 0 and 1.
        said: The plan that was told before the pair was read; None: none was.
        say: Is told how far it is.

    Returns:
        What `finish` returns; None: another process has written it.

    Raises:
        DataError: It cannot be fused, or does not fit.
    """
    started = time.perf_counter()
    for output in outputs:
        check_by_rows(output.format)
    observation = handed.sizes
    plan = plan_pieces(observation, config)
    check_disk(work, plan)
    if not plan.has_pieces_of(said):
        for line in lines_of(observation, plan, work, config):
            say(line)
    strips = StripFolder(work)
    method = find_method(config.method)
    solving = solving_of(method)
    settings = method.settings(config)
    asked = {**facts, "config": config.digest(), "version": __version__}
    try:
        plan = _settled(strips, plan, asked)
        given = _learned(handed, config, strips, solving, settings, say)
        covered, overview = _seen_of(handed.pair)
        # From here on rows of the files count that were written when all was learned.
        handed.let_go()
        give_back()
        solver = solving.taken_up(work, settings)
        shape = (*solver.shape, solver.rank)
        stages = [Coefficients(work, shape, f"{name}_") for name in solver.stages]
        coefficients = Coefficients(work, shape)
    except FileNotFoundError:
        if strips.is_there():
            raise
        # Another process was done with all of it meanwhile.
        return None
    height, width = solver.shape
    try:
        before: Optional[Coefficients] = None
        for number, stage in enumerate([*stages, coefficients]):
            solve_strips(
                strips,
                stage,
                plan,
                _by_stage(solver, number, before),
                lr_height=height // solver.scale,
                scale=solver.scale,
                first=int(first_share * plan.count),
                say=say,
            )
            before = stage
        give_back()
        # Another process writes: should it die before it is done, this one takes over.
        while strips.is_there():
            with strips.claimed(FINISH) as is_mine:
                if is_mine and strips.is_there():
                    valid = valid_pixels(covered)
                    rows = Rows(solver, coefficients.read, plan.memory, overview, clip=given.clip)
                    again = max(1, AGAIN_VALUES // (width * solver.bands * solver.scale))
                    solver.know_leftover(coefficients.read, again)
                    write_rows(rows, covered, outputs, valid, history)
                    give_back()
                    sample = solving.sample_of(solver, work, coefficients.read, observation, plan.memory)
                    seconds = time.perf_counter() - started
                    result, levels = judged_sample(sample, rows, given, ("strips", plan.count), seconds)
                    scene = solving.scene_rows(solver, work, coefficients.read, observation, clip=given.clip)
                    made = LargeResult(
                        sample=result,
                        pair=sample.pair,
                        whole=covered,
                        valid=valid,
                        overview=overview,
                        seconds=seconds,
                        errors=errors_of(as_examined(scene, given), levels),
                        memory=plan.memory,
                    )
                    say(f"memory     at most {in_words(peak_bytes() or 0)} (VmHWM)")
                    finished = finish(made)
                    strips.remove()
                    return finished
            time.sleep(PAUSE_SECONDS)
        return None
    finally:
        for stage in (*stages, coefficients):
            stage.close()


def _seen_of(pair: Observation) -> tuple[Observation, Overview]:
    """What its result covers of a pair, by its size, and every n-th pixel of that."""
    covered = covered_part(pair)
    return sizes_of(covered), Overview(covered)


def _by_stage(
    solver: Any,
    number: int,
    before: Optional[Coefficients],
) -> Callable[[int, int], np.ndarray]:
    """A stage of the solver for half-open ranges of LR rows, what the stage before has left at hand."""
    read: Optional[Callable[[np.ndarray], np.ndarray]] = None
    if before is not None:
        read = before.read

    def solve(first: int, end: int) -> np.ndarray:
        made: np.ndarray = solver.coeffs(first, end, stage=number, before=read)
        return made

    return solve


def judged_sample(
    sample: Any,
    rows: Rows,
    given: Input,
    pieces: tuple[str, int],
    seconds: float,
) -> tuple[FusionResult, Levels]:
    """The result on the sample with what is known of the whole, and how far to trust it; what other rows share of that.

    Args:
        sample: Blocks of rows, the pair and the result there.
        rows: All of them, written.
        given: The pair that the method was given.
        pieces: What the scene was cut into, "strips" or "tiles", and how many.
        seconds: What it took.
    """
    words, count = pieces
    notes = (
        *given.notes,
        *sample.result.notes,
        f"fused in {count} {words}; judged on {PERCENT * sample.share:.0f} % of its rows",
    )
    extras = {
        **sample.result.extras,
        "share_below_zero": rows.below_zero / (rows.height * rows.width * rows.solver.bands),
        words: count,
    }
    if rows.clip and rows.below_zero > 0:
        extras["clipped"] = True
    return judged_with_levels(
        replace(
            sample.result,
            notes=notes,
            extras=extras,
            seconds=seconds,
        ),
        sample.pair,
        _examined(given, sample),
    )


def as_examined(scene: SceneRows, given: Input) -> SceneRows:
    """A scene with what was found of its pair before the method got it."""
    examined = given.examined
    if examined is None:
        return scene
    psf = examined.psf
    if psf is None:
        psf = scene.operator.psf
    scene = replace(scene, operator=SpatialDegradation(psf, scene.operator.scale, examined.border))
    if examined.trusted is not None:
        scene = replace(scene, trusted=scene.trusted & examined.trusted)
    if examined.doubted is not None:
        scene = replace(scene, doubted=examined.doubted)
    if examined.unsure_light is not None:
        scene = replace(scene, unsure_light=examined.unsure_light)
    return scene


def _examined(given: Input, sample: Any) -> Optional[Examined]:
    """What was found of the pair before the method got it, on the sample; None: the method has looked itself."""
    examined = given.examined
    if examined is None:
        return None
    scale = given.observation.scale
    trusted = examined.trusted
    if trusted is not None:
        trusted = trusted[sample.lr_rows]
    hr_rows = hr_rows_on(sample.lr_rows, scale)
    doubted = examined.doubted
    if doubted is not None:
        doubted = doubted[hr_rows]
    unsure_light = examined.unsure_light
    if unsure_light is not None:
        unsure_light = unsure_light[hr_rows]
    return replace(
        examined,
        trusted=trusted,
        doubted=doubted,
        unsure_light=unsure_light,
    )


def _settled(
    strips: StripFolder,
    plan: StripPlan,
    facts: dict[str, Any],
) -> StripPlan:
    """The plan that all processes follow: that of the first one.

    Raises:
        FileNotFoundError: The folder was removed meanwhile.
    """
    while strips.folder.is_dir():
        with strips.claimed(PLAN) as is_mine:
            if is_mine:
                return strips.settled(plan, facts)
        time.sleep(PAUSE_SECONDS)
    raise FileNotFoundError(strips.folder)


def _learned(
    handed: Handed,
    config: Config,
    strips: StripFolder,
    solving: Any,
    settings: Any,
    say: Say,
) -> Input:
    """Learn what is learned once, unless it is there; return what the method is given, its images by their sizes."""
    given = input_of(handed.pair, config)
    if given.back is not None:
        raise DataError(
            "its images lie askew, and that cannot be undone strip by strip",
            where=handed.sizes.name,
            hint="method=subspace (fast.yml), a larger runtime.memory, or preparation.for_all=false",
        )
    while not solving.is_kept(strips.folder):
        with strips.claimed(LEARN) as is_mine:
            if is_mine and not solving.is_kept(strips.folder):
                started = time.perf_counter()
                learned = solving.learn(given.observation, settings, seed=config.seed)
                solving.keep(learned, strips.folder)
                say(f"learned    PSF, SRF, subspace, map in {time.perf_counter() - started:.1f} s")
        if not strips.is_there():
            break
        if not is_mine:
            time.sleep(PAUSE_SECONDS)
    return replace(given, observation=sizes_of(given.observation))

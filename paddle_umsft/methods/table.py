"""All fusion methods by name, and what a caller has to know of each. A new method is a folder and a row here.

Every method is a function `(observation, settings, *, seed, on_record) -> FusionResult`. One that is trained step by
step has a class behind it besides, which can be watched, stopped and resumed: see `networks/trained.py`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any, Callable, Optional, Union

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.checks import MINIMUM_SIZE, check_cube, check_grids
from paddle_umsft.data.masks import masked_notes, valid_pixels, without_masked
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import ConfigError, UmsftError, unknown_name
from paddle_umsft.machine.environment import import_paddle
from paddle_umsft.methods.networks.tile_plan import TilePlan, plan_tiles
from paddle_umsft.methods.networks.trained import Trained
from paddle_umsft.methods.told import (
    StripFacts,
    ensemble_input,
    ensemble_strips,
    no_settings,
    subspace_input,
    subspace_strips,
    uhntc_input,
    umsft_input,
)
from paddle_umsft.preparation.aligned import MASKED, Back, for_grids
from paddle_umsft.preparation.below_zero import note_below_zero
from paddle_umsft.preparation.hot import without_hot
from paddle_umsft.preparation.same_bands import with_bands_once
from paddle_umsft.preparation.units import note_other_units
from paddle_umsft.trust.judge import Examined, judged

# Five halvings in the deepest hourglass of uHNTC must leave more than one pixel.
UHNTC_MINIMUM_SIZE = 33

# Where something lives, imported only when it is called for: "module:name"; or the thing itself.
Source = Union[str, Callable[..., Any]]


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        fuse: The function `(observation, settings, *, seed, on_record) -> FusionResult`.
        settings: Takes the settings of that function out of a configuration.
        is_baseline: Whether it is here to be compared with.
        needs_paddle: Whether Paddle has to be there.
        trained: Class `(observation, settings, *, seed, weights) -> Trained` of a method that is trained step by step;
            None: it fuses in one go.
        smallest: Least H and W that it can work on.
        weights_key: Setting that names a file of weights to start from; None: it has no weights.
        iterations_key: Setting that says how many steps it takes, 0 for the weights as they are; None: it has none.
        prepares: Whether it examines the pair itself; the others are given a pair on plain grids.
        memory_of: What training takes, `(H, W, C, M) -> MB`, of a method that can be trained tile by tile, see
            `networks/tiles.py`; None: it is trained as a whole.
        by_strips: Module, or "module:object", with `learn`, `keep`, `taken_up` of a method that can work on a scene
            strip by strip, see `subspace/by_strips.py`; None: it needs all of it at once.
        strip_facts: What a plan of strips has to know.
    """

    fuse: Source
    settings: Callable[[Config], Any] = no_settings
    is_baseline: bool = False
    needs_paddle: bool = False
    trained: Optional[Source] = None
    smallest: int = 1
    weights_key: Optional[str] = None
    iterations_key: Optional[str] = None
    prepares: bool = False
    by_strips: Optional[str] = None
    memory_of: Optional[Source] = None
    strip_facts: Callable[[Config], StripFacts] = subspace_strips


def _by_rows(module: str, function: str) -> Method:
    """A baseline that can make any rows of the cube on their own."""
    return Method(fuse=f"{module}:{function}", is_baseline=True, by_strips=f"{module}:BY_ROWS")


METHODS: dict[str, Method] = {
    "umsft": Method(
        fuse="paddle_umsft.methods.umsft.solver:fuse_umsft",
        settings=umsft_input,
        needs_paddle=True,
        trained="paddle_umsft.methods.umsft.solver:UmsftSolver",
        smallest=MINIMUM_SIZE,
        weights_key="network.weights",
        iterations_key="solver.iterations",
        memory_of="paddle_umsft.methods.networks.runtime:umsft_memory_mb",
    ),
    "uhntc": Method(
        fuse="paddle_umsft.methods.uhntc.solver:fuse_uhntc",
        settings=uhntc_input,
        needs_paddle=True,
        trained="paddle_umsft.methods.uhntc.solver:UhntcSolver",
        smallest=UHNTC_MINIMUM_SIZE,
        weights_key="uhntc.weights",
        iterations_key="uhntc.iterations",
        memory_of="paddle_umsft.methods.networks.runtime:uhntc_memory_mb",
    ),
    "subspace": Method(
        fuse="paddle_umsft.methods.subspace.method:fuse_subspace",
        settings=subspace_input,
        prepares=True,
        by_strips="paddle_umsft.methods.subspace.by_strips",
    ),
    "ensemble": Method(
        fuse="paddle_umsft.methods.subspace.ensemble:fuse_ensemble",
        settings=ensemble_input,
        prepares=True,
        by_strips="paddle_umsft.methods.subspace.ensemble_by_strips",
        strip_facts=ensemble_strips,
    ),
    "bicubic": _by_rows("paddle_umsft.methods.baselines.bicubic", "fuse_bicubic"),
    "gsa": _by_rows("paddle_umsft.methods.baselines.gsa", "fuse_gsa"),
    "sfim": _by_rows("paddle_umsft.methods.baselines.sfim", "fuse_sfim"),
    "cnmf": Method(fuse="paddle_umsft.methods.baselines.cnmf:fuse_cnmf", is_baseline=True),
}


def find_method(name: str) -> Method:
    """Look a method up.

    Raises:
        ConfigError: There is none of that name; the nearest known one is suggested.
    """
    # A list, which a dict cannot look up, is no name either.
    if not isinstance(name, str) or name not in METHODS:
        raise unknown_name("method", name, METHODS, where="method")
    return METHODS[name]


def baselines() -> tuple[str, ...]:
    """Return the names of the methods that are here to be compared with, in the order of the table."""
    return tuple(name for name, method in METHODS.items() if method.is_baseline)


def imported(source: Source) -> Callable[..., Any]:
    """Return what a row names, importing it if need be."""
    if not isinstance(source, str):
        return source
    module, name = source.split(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


@dataclass(frozen=True)
class Input:
    """The pair that a method is given.

    Attributes:
        observation: The pair; the very one that came where nothing was found.
        notes: What was found and undone.
        clip: Whether the result's values below zero are to be cut off.
        examined: What was found, for programs, with PSF and SRF; None: nobody has looked.
        back: Brings a result to the pixels of the MSI that was given; None: it lies there.
        recorded: The pair that a result is judged by; None: `observation`.
        degrade: What that pair's HSI sees of a cube; None: what a plain grid does.
    """

    observation: Observation
    notes: tuple[str, ...] = ()
    clip: bool = False
    examined: Optional[Examined] = None
    back: Optional[Back] = None
    recorded: Optional[Observation] = None
    degrade: Optional[Callable[[np.ndarray], np.ndarray]] = None

    def told_in(self, result: FusionResult) -> FusionResult:
        """The result with what was masked and found, the pair that it is a fusion of, and how far to trust it."""
        if self.notes:
            pair = result.pair or self.observation
            result = replace(result, notes=(*self.notes, *result.notes), pair=pair)
        if self.back is not None:
            result = self.back(result)
        if self.recorded is not None:
            result = replace(result, pair=self.recorded, degrade=self.degrade)
        result = replace(result, valid=valid_pixels(result.pair or self.observation))
        result = _below_zero(result, self.clip)
        return judged(result, self.observation, self.examined)


def _below_zero(result: FusionResult, clip: bool) -> FusionResult:
    """The result with the share of its values below zero told, and these cut off if that was asked for."""
    share = float(np.mean(result.fused < 0))
    extras = {**result.extras, "share_below_zero": share}
    fused = result.fused
    if clip and share > 0:
        fused = np.maximum(fused, 0)
        extras["clipped"] = True
    return replace(result, fused=fused, extras=extras)


def input_of(observation: Observation, config: Config) -> Input:
    """Return the pair for the method that the configuration names, examined unless the method does that itself.

    What is masked is gone from here on: no method ever sees it.

    Args:
        observation: What the two cameras saw.
        config: All settings.

    Raises:
        ConfigError: There is no such method.
        DataError: A mask that does not fit its image.
    """
    method = find_method(config.method)
    observation = without_masked(observation)
    clip = config.output.clip
    told = masked_notes(observation)
    told += note_other_units(observation)
    if config.runtime.device == "gpu" and not method.needs_paddle:
        told += (f"runtime.device=gpu (--device gpu) does nothing: method {config.method} computes on the CPU",)
    observation, hot_notes = _without_hot(observation, config)
    told += tuple(hot_notes)
    if not method.needs_paddle:
        # The networks' weights and plots know the bands by number: they keep them all.
        observation, same_notes = _with_bands_once(observation)
        told += tuple(same_notes)
    if method.prepares:
        return Input(observation, told, clip)
    if observation.mask_hsi is not None or observation.mask_msi is not None:
        told += (MASKED,)
    # Methods that prepare the pair themselves say this by themselves.
    told += tuple(note_below_zero("lr_hsi", observation.lr_hsi) + note_below_zero("hr_msi", observation.hr_msi))
    if not config.preparation.for_all and observation.grid is None:
        return Input(observation, told, clip)
    try:
        _check(observation)
        gridded = for_grids(observation, config.subspace, config.preparation)
    except UmsftError:
        if observation.grid is not None:
            raise
        # What cannot be examined, the method judges by its own rules.
        return Input(observation, told, clip)
    examined = Examined(
        found=gridded.found,
        psf=gridded.psf,
        srf=gridded.srf,
        border=gridded.border,
        trusted=gridded.trusted,
        doubted=gridded.doubted,
        unsure_light=gridded.unsure_light,
    )
    return Input(
        observation=gridded.observation,
        notes=told + gridded.notes,
        clip=clip,
        examined=examined,
        back=gridded.back,
        recorded=gridded.recorded,
        degrade=gridded.degrade,
    )


def _without_hot(observation: Observation, config: Config) -> tuple[Observation, list[str]]:
    """The pair without hot pixels, if these may be looked for and it is one at all; methods refuse what is none."""
    if not config.preparation.outliers:
        return observation, []
    try:
        _check(observation)
    except UmsftError:
        return observation, []
    return without_hot(observation)


def _with_bands_once(observation: Observation) -> tuple[Observation, list[str]]:
    """The pair with MSI bands that say the same taken as one, if it is a pair at all."""
    try:
        _check(observation)
    except UmsftError:
        return observation, []
    return with_bands_once(observation)


def _check(observation: Observation) -> None:
    """Refuse what is no pair of images.

    Raises:
        DataError: Wrong number of axes, sizes that do not agree, values not finite or all alike.
    """
    check_cube(observation.lr_hsi, "lr_hsi")
    check_cube(observation.hr_msi, "hr_msi")
    check_grids(
        observation.lr_hsi.shape,
        observation.hr_msi.shape,
        observation.scale,
        observation.grid,
        minimum=1,
    )


def run_method(observation: Observation, config: Config, on_record: Optional[OnRecord] = None) -> FusionResult:
    """Fuse with the method that the configuration names.

    Args:
        observation: What the two cameras saw.
        config: All settings; `config.method` decides.
        on_record: Called with every record of an iterative method.

    Raises:
        ConfigError: There is no such method, or Paddle is missing.
        DataError: If the images cannot be fused.
    """
    method = find_method(config.method)
    with surroundings(method):
        fuse = imported(method.fuse)
        given = input_of(observation, config)
        plan = tiles_for(given.observation, config)
        if plan is not None:
            from paddle_umsft.methods.networks.tiles import fuse_in_tiles  # brings Paddle along

            assert method.trained is not None
            fuse = partial(fuse_in_tiles, plan=plan, build=imported(method.trained), method=config.method)
        result: FusionResult = fuse(given.observation, method.settings(config), seed=config.seed, on_record=on_record)
    return given.told_in(result)


def tiles_for(observation: Observation, config: Config) -> Optional[TilePlan]:
    """Return the tiles that a pair is to be trained in; None: as a whole.

    Args:
        observation: The pair as the method is given it.
        config: All settings; `config.method` decides.

    Raises:
        ConfigError: The tiles asked for are too small.
        DataError: Not even the smallest tiles fit into memory.
    """
    method = find_method(config.method)
    if method.memory_of is None or observation.grid is not None:
        return None
    return plan_tiles(
        observation,
        config.runtime,
        smallest=method.smallest,
        memory_of=imported(method.memory_of),
    )


def surroundings(method: Method) -> AbstractContextManager[None]:
    """Return what a method computes in: Paddle's global state set for it, and the caller's as it was afterwards.

    Args:
        method: One that does without Paddle computes in whatever there is.

    Raises:
        ConfigError: Paddle is missing.
    """
    if not method.needs_paddle:
        return nullcontext()
    import_paddle()
    from paddle_umsft.methods.networks.callers_state import callers_state_kept

    return callers_state_kept()


def start_trained(observation: Observation, config: Config, *, weights: bool = True) -> Trained:
    """Make a trained method ready for its first step.

    Args:
        observation: What the two cameras saw.
        config: All settings; `config.method` decides.
        weights: Whether to read the weights that the settings name as a start; a checkpoint to come needs none.

    Raises:
        ConfigError: There is no such method, it is not trained step by step, or Paddle is missing.
        DataError: If the images cannot be fused, or the weights do not fit.
    """
    method = find_method(config.method)
    if method.trained is None:
        raise ConfigError("it fuses in one go, there are no steps", where="method", got=config.method)
    if method.needs_paddle:
        import_paddle()
    build = imported(method.trained)
    started: Trained = build(observation, method.settings(config), seed=config.seed, weights=weights)
    return started

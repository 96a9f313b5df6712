"""The truth that belongs to a result, and the observation that was made of it."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.observe import crop_to_scale, crop_to_whole
from paddle_umsft.cameras.psf import build_psf
from paddle_umsft.compare.found import FoundResult
from paddle_umsft.compare.settings import Settings, changed_data, option_for_layout
from paddle_umsft.config.data import DEFAULT_SCALE
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.checks import next_whole
from paddle_umsft.data.listing import SceneEntry, list_scenes
from paddle_umsft.data.reading import read_scene
from paddle_umsft.data.scene import Case, Observation
from paddle_umsft.errors import ConfigError, DataError, UmsftError
from paddle_umsft.runs.scene import make_case

_NAMES_SHOWN = 8  # of the scenes that there are, where the one asked for is not among them
_SMALLEST_SCALE = 2


class Truths:
    """Reads references and observations, the last one kept: rows of one scene follow each other.

    Args:
        settings: What is compared with what.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._kept_key: Optional[str] = None
        self._kept_case: Optional[Case] = None

    def config(self, found: Optional[FoundResult]) -> Config:
        """Return the configuration whose data section points to the reference.

        Args:
            found: The result; None: methods are to be run, no result is compared.

        Raises:
            ConfigError: No truth, or a setting that is not allowed.
        """
        config = self._observing_config(found)
        data = changed_data(config.data, self._data_changes())
        config = config.model_copy(update={"data": data})
        pair_alone_will_do = data.is_pair and self.settings.without_truth
        if data.path is None and not pair_alone_will_do:
            hint = "give --reference FILE"
            if data.is_pair:
                hint = "a given pair has none: --without-truth, or give --reference FILE"
            raise ConfigError(
                "no truth to compare with",
                where="--reference",
                hint=hint,
            )
        return config

    def entry(self, config: Config, scene: str) -> SceneEntry:
        """Return the scene of this name; the only one there is fits every name.

        Args:
            config: Its data section says where the scenes are.
            scene: Name.

        Raises:
            DataError: No scene of that name among several.
        """
        entries = list_scenes(config.data)
        if len(entries) == 1:
            return entries[0]
        for entry in entries:
            if entry.name == scene:
                return entry
        got = ", ".join(entry.name for entry in entries[:_NAMES_SHOWN])
        raise DataError(
            "no truth of that name",
            where=config.data.path,
            expected=scene,
            got=got,
        )

    def case(self, found: FoundResult, observed: bool) -> Case:
        """Return the truth of a result, with its simulated observation if asked for.

        Args:
            found: The result.
            observed: Whether the observation is needed; without it only its scale is right.

        Raises:
            ConfigError: No truth, or the scale is not known.
            DataError: The truth cannot be read.
        """
        config = self.config(found)
        entry = self.entry(config, found.scene)
        key = f"{observed} {entry.settings!r} {config.observe!r} {config.seed}"
        if self._kept_case is None or self._kept_key != key:
            self._check_scale_is_known(config, found)
            with option_for_layout():
                case = self._observed(entry, config, found) if observed else _truth_only(entry, config)
            self._kept_case = case
            self._kept_key = key
        return self._kept_case

    def _observed(self, entry: SceneEntry, config: Config, found: FoundResult) -> Case:
        """Return a truth with its simulated observation.

        Raises:
            ConfigError: Nobody said which MSI is to be simulated, and the usual one does not see these bands.
        """
        try:
            return make_case(entry, config)
        except UmsftError as error:
            settings = self.settings
            said = [override for override in settings.overrides if override.startswith("observe.srf")]
            if said or settings.config is not None or found.config is not None or "observe.srf" not in str(error):
                raise
            raise ConfigError(
                "which MSI it was fused with is not known",
                where="--without-truth",
                got=str(error),
                hint="-o observe.srf=NAME_OR_FILE says it, uniform that any will do; or name the run's folder",
            ) from None

    def _observing_config(self, found: Optional[FoundResult]) -> Config:
        """Return the configuration of the observation: the one asked for, the run's own or the defaults.

        A scale that was asked for is in it.

        Raises:
            ConfigError: A scale below 2, or no such configuration.
        """
        settings = self.settings
        of_run = None if found is None else found.config
        if settings.config is None and of_run is not None:
            config = of_run  # overrides are in it
        else:
            config = load_config(settings.config, settings.overrides)
        if settings.scale is None:
            return config
        if settings.scale < _SMALLEST_SCALE:
            expected = f"a whole number >= {_SMALLEST_SCALE}"
            raise ConfigError(
                "not a scale factor",
                where="--scale",
                expected=expected,
                got=settings.scale,
            )
        observe = config.observe.model_copy(update={"scale": settings.scale})
        return config.model_copy(update={"observe": observe})

    def _data_changes(self) -> dict[str, Any]:
        """Return what the settings change in the data section."""
        settings = self.settings
        changes: dict[str, Any] = {}
        if settings.reference is not None:
            changes["path"] = settings.reference
            changes["key"] = settings.reference_key
            # The reference takes the place of a given pair.
            changes["lr_hsi"] = None
            changes["hr_msi"] = None
        asked = {"crop": settings.crop, "normalise": settings.normalise, "layout": settings.layout}
        for name, value in asked.items():
            if value is not None:
                changes[name] = value
        return changes

    def _check_scale_is_known(self, config: Config, found: FoundResult) -> None:
        """Check that something tells the scale.

        A run on a given pair took its scale from the sizes; the truth alone does not tell it.

        Raises:
            ConfigError: Nothing does.
        """
        if config.observe.scale is not None or self.settings.config is not None:
            return
        is_pair = config.data.is_pair
        of_simulation = found.config is not None and not found.config.data.is_pair
        if not is_pair and not of_simulation:
            raise ConfigError(
                "the scale is not known",
                where="--scale",
                hint="ERGAS needs it: --scale S",
            )


def _truth_only(entry: SceneEntry, config: Config) -> Case:
    """Return the truth without simulating an observation, which needs an SRF that may not fit."""
    scale = next_whole(config.observe.scale or DEFAULT_SCALE)
    scene = read_scene(entry.settings, entry.name)
    scene, _ = crop_to_scale(scene, scale)
    if config.observe.border == "valid":
        psf = build_psf(config.observe.psf, scale)
        scene, _ = crop_to_whole(scene, len(psf), scale)
    meta: dict[str, Any] = {}
    if scene.band_order is not None:
        meta["band_order"] = list(scene.band_order)
    nothing = np.zeros((1, 1, 1), np.float32)
    observation = Observation(
        lr_hsi=nothing,
        hr_msi=nothing,
        scale=scale,
        name=scene.name,
        wavelengths_nm=scene.wavelengths_nm,
        meta=meta,
    )
    return Case(observation=observation, reference=scene.hr_hsi, mask=scene.mask_hsi)

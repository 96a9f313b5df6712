"""What is compared with what, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Optional

from pydantic import ValidationError

from paddle_umsft.config.data import DataConfig
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.metrics import CONVENTIONS

# Normalisations that have a name; any other is the number to divide by.
_NAMED_DIVISORS = ("max", "dtype", "none")
_LONGEST_VALUE = 80  # letters of a wrong value that a message repeats
# What an error says that others than this tool's users are to set.
LAYOUT_SETTING = "data.layout="
# How pydantic begins the message of a check of our own.
_PYDANTIC_PREFIX = "Value error, "


@contextmanager
def option_for_layout() -> Iterator[None]:
    """Name the option of this tool where an error names the setting that others are given by."""
    try:
        yield
    except DataError as error:
        if LAYOUT_SETTING not in str(error):
            raise
        raise DataError(str(error).replace(LAYOUT_SETTING, "--layout ")) from error


@dataclass
class Settings:
    """What is compared with what, and how.

    Attributes:
        results: Fused files, scene folders and run folders.
        reference: The truth: a file, a CAVE folder or a folder of scenes; None: the one the run's config names.
        scale: Ratio of the resolutions; None: from the run's config.
        conventions: Names of the conventions; one row for each.
        key: Array in a result's .mat or .npz.
        reference_key: Array in the reference's .mat or .npz.
        normalise: What the reference is divided by; None: as the configuration says.
        result_normalise: What a result is divided by.
        layout: Order of the axes in all files; None: as the configuration says, inferred for results.
        transposed: Whether other programs' results have rows and columns swapped, (W, H, C).
        crop: [top, left, height, width] of the reference.
        without_truth: Add agreement with the observation, D_lambda, D_s and QNR; all there is for a given pair.
        baselines: Run the baselines and presets on the same observation.
        presets: Names of the configurations to run beside the baselines.
        config: Configuration that says how the observation is simulated; None: the run's, or the defaults.
        overrides: `key.sub=value` on top of it, or of the run's.
    """

    results: Sequence[str] = ()
    reference: Optional[str] = None
    scale: Optional[int] = None
    conventions: Sequence[str] = ("author",)
    key: Optional[str] = None
    reference_key: Optional[str] = None
    normalise: Any = None
    result_normalise: Any = "none"
    layout: Optional[str] = None
    transposed: bool = False
    crop: Optional[list[int]] = None
    without_truth: bool = False
    baselines: bool = False
    presets: Sequence[str] = ()
    config: Optional[str] = None
    overrides: Sequence[str] = ()

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Settings:
        """Return the settings that a command line asks for.

        Args:
            options: Text or value by name: those of the attributes, `convention` (one of them, or all), and the two
                normalisations as text. Others are not looked at.

        Raises:
            ConfigError: A normalisation that does not exist.
        """
        names = [item.name for item in fields(cls)]
        given = {name: options[name] for name in names if name in options}
        conventions = tuple(CONVENTIONS)
        if options["convention"] != "all":
            conventions = (options["convention"],)
        given["conventions"] = conventions
        if options["normalise"] is not None:
            given["normalise"] = divisor(options["normalise"])
        given["result_normalise"] = divisor(options["result_normalise"], "--result-normalise")
        return cls(**given)

    def run_overrides(self) -> Sequence[str]:
        """Return what goes on top of a run's own config: all overrides, unless another configuration was asked for."""
        if self.config is not None:
            return ()
        return self.overrides


def divisor(text: str, option: str = "--normalise") -> Any:
    """Return the value of --normalise or --result-normalise: max, dtype, none or a number.

    Args:
        text: What the user wrote.
        option: Name of the option, for the message.

    Raises:
        ConfigError: Anything else.
    """
    if text in _NAMED_DIVISORS:
        return text
    try:
        return float(text)
    except ValueError:
        expected = "max, dtype, none or a number"
        raise ConfigError(
            "no such normalisation",
            where=option,
            expected=expected,
            got=repr(text),
        ) from None


def changed_data(
    base: DataConfig,
    changes: dict[str, Any],
    option_prefix: str = "--",
) -> DataConfig:
    """Return a checked copy of a `data` section with some settings changed.

    Args:
        base: The section.
        changes: Value by the setting's name.
        option_prefix: Makes a changed setting's name the option that it came from, for the message.

    Raises:
        ConfigError: A value that the section does not allow.
    """
    try:
        return DataConfig.model_validate({**base.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        name = ""
        if first["loc"]:  # empty where the settings are wrong together only
            name = str(first["loc"][0])
        where = f"data.{name}".rstrip(".")
        if name in changes:
            where = f"{option_prefix}{name}"
        what = first["msg"].removeprefix(_PYDANTIC_PREFIX)
        got = repr(first["input"])[:_LONGEST_VALUE]
        raise ConfigError(what, where=where, got=got) from None

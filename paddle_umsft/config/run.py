"""Configuration of a whole run: the sections `evaluate` and `output`, and `Config`, which holds all sections."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Optional

import yaml
from pydantic import Field, create_model

from paddle_umsft.config.base import Section
from paddle_umsft.config.data import DataConfig, ObserveConfig
from paddle_umsft.config.ensemble import EnsembleSettings
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.config.uhntc import UhntcSettings
from paddle_umsft.config.umsft import NetworkConfig, SolverConfig, WarmUpConfig

# Of a SHA-256: enough that no two of a user's runs have one in common.
DIGEST_LETTERS = 16
# Where the data lie; what lies there is what counts.
DATA_PATHS = ("path", "lr_hsi", "hr_msi", "mask_hsi", "mask_msi")


class EvaluateConfig(Section):
    """Looking at the result on the way. Needs a truth; the method itself never sees it.

    Attributes:
        interval: Iterations between evaluations; 0: only at the end.
        images: Iterations between pictures for VisualDL; 0: only at the end.
        convention: Which definitions the metrics follow (docs/metrics.md); the names are in `CONVENTIONS` of `metrics`,
            and a run checks it at its start.
    """

    interval: int = Field(default=50, ge=0)
    images: int = Field(default=100, ge=0)
    convention: str = Field(default="author", min_length=1)


class OutputConfig(Section):
    """Where results go and how.

    Attributes:
        root: Folder of all runs.
        name: Folder of this run; None: the configuration's name.
        format: File of the fused cube: "npy" or "mat", as normalised; "tif" (GeoTIFF), "envi" or "nc" (NetCDF), in
            the HSI's own units, on the MSI's ground; "auto": tif for a given pair with coordinates, else npy.
        checkpoint_every: Iterations between checkpoints; 0: none but the one at an interrupt.
        keep: How many checkpoints stay.
        log_every: Iterations of a trained method between lines on where it is; one a minute comes at least; 0: none.
        live: Whether a notebook shows curves and picture while a trained method runs, at `evaluate.images`.
        visualdl: Whether a VisualDL log is written.
        figures: Whether pictures and report.html are written.
        clip: Whether values of the result below zero are set to zero; else they are data, and their share is told.
        trust: Whether the expected error of every value is written beside the cube, as large as that; and the mask.
    """

    root: str = "output"
    name: Optional[str] = None
    format: Literal["auto", "npy", "mat", "tif", "envi", "nc"] = "auto"
    checkpoint_every: int = Field(default=100, ge=0)
    keep: int = Field(default=2, ge=1)
    log_every: int = Field(default=50, ge=0)
    live: bool = False
    visualdl: bool = True
    figures: bool = True
    clip: bool = False
    trust: bool = True


class Config(Section):
    """All settings of a run; see the sections. Which methods there are, `methods/table.py` knows.

    Attributes:
        method: Name of the method.
        seed: Of everything that is drawn at random.
    """

    method: str = Field(default="umsft", min_length=1)
    seed: int = Field(default=1, ge=0, lt=2**31)
    data: DataConfig = Field(default_factory=DataConfig)
    observe: ObserveConfig = Field(default_factory=ObserveConfig)
    warm_up: WarmUpConfig = Field(default_factory=WarmUpConfig)
    solver: SolverConfig = Field(default_factory=SolverConfig)
    network: NetworkConfig = Field(default_factory=NetworkConfig)
    uhntc: UhntcSettings = Field(default_factory=UhntcSettings)
    preparation: PreparationSettings = Field(default_factory=PreparationSettings)
    subspace: SubspaceSettings = Field(default_factory=SubspaceSettings)
    ensemble: EnsembleSettings = Field(default_factory=EnsembleSettings)
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig)
    output: OutputConfig = Field(default_factory=OutputConfig)
    runtime: RuntimeConfig = Field(default_factory=RuntimeConfig)

    def to_yaml(self) -> str:
        """The resolved configuration, every key spelled out."""
        text = yaml.safe_dump(
            self.model_dump(mode="json"),
            sort_keys=False,
            allow_unicode=True,
        )
        return str(text)

    def digest(self) -> str:
        """Hash of everything that decides the numbers of a run; where it runs and where the output goes do not.

        Nor does where the data lie: a run keeps their sums, and the same data under another path are the same run.
        What the package makes itself has no sum, so its name counts. Defaults stay out of it, so that a key that comes
        with a later version leaves earlier runs resumable.
        """
        places = {key for key in DATA_PATHS if "://" not in str(getattr(self.data, key))}
        return self._digest_without(places)

    def is_digest(self, found: Any) -> bool:
        """Whether a run's digest is that of this configuration; the paths of the data count in those of old runs."""
        return found in (self.digest(), self._digest_without(set()))

    def _digest_without(self, places: set[str]) -> str:
        outside = set(OutputConfig.model_fields) - {"clip"}
        aside: dict[str, Any] = {
            "output": outside,
            "evaluate": {"interval", "images"},
            "runtime": {"device", "threads", "memory"},
            "data": places,
        }
        # Compared leaf by leaf: a section with one changed key is not kept whole.
        defaults = type(self)()
        default = dict(_leaves(defaults.model_dump(mode="json", exclude=aside)))
        content = _leaves(self.model_dump(mode="json", exclude=aside))
        chosen = {key: value for key, value in content if key not in default or default[key] != value}
        text = json.dumps(chosen, sort_keys=True)
        whole = hashlib.sha256(text.encode()).hexdigest()
        return whole[:DIGEST_LETTERS]


# Sections of methods that do not come with the package: name -> class. Whoever brings a method puts its section here
# and its row into `paddle_umsft.methods.table.METHODS`; nothing else has to know of it.
MORE_SECTIONS: dict[str, type[Section]] = {}


def config_class() -> type[Config]:
    """Return `Config`, with the sections of `MORE_SECTIONS` where there are any."""
    if not MORE_SECTIONS:
        return Config
    fields: dict[str, Any] = {}
    for name, section in MORE_SECTIONS.items():
        fields[name] = (section, Field(default_factory=section))
    return create_model("Config", __base__=Config, **fields)


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value

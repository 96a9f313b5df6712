"""Configuration section `subspace`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from pydantic import Field

from paddle_umsft.config.base import Section
from paddle_umsft.config.preparation import PreparationSettings


class SubspaceSettings(Section):
    """Settings of `method: subspace`. The defaults choose everything that can be chosen from the data.

    Attributes:
        rank: Dimension K of the spectral subspace; None: from the singular values and the noise.
        max_rank: Largest K that is chosen.
        supports: What given supports are worth: "check" lets the data overrule them where they explain the pair clearly
            worse than the whole range, "trust" never does, "ignore" never looks at them.
        psf_size: Length of the PSF's window; None: tried.
        free_psf: Also try a PSF without a formula.
        wide_psf: Also try PSFs whose tails are not cut at a window.
        border: What LR pixels see beyond the picture: "wrap", its other side (simulators); "reflect", the picture
            mirrored (cameras); "auto", what the data say.
        map_features: Random features of the map from MSI to spectra; 0: start from bicubic instead.
        iterations: Conjugate-gradient steps.
        smoothness: Weight of the edge-aware gradient penalty on what the solve adds to its starting point.
        edge: MSI gradient (relative to the mean brightness) at which the penalty halves.
        blend: Move each band towards a plain linear mix of the MSI as far as leave-one-out errors ask for it.
        stack: Move each band towards plain hypersharpening (GSA's) as far as a trial one step coarser asks for it.
        leftover: Bring back what the LR-HSI shows beyond the subspace, in bands where it is smooth enough to be signal.
    """

    rank: Optional[int] = Field(default=None, ge=1)
    max_rank: int = Field(default=12, ge=1)
    supports: Literal["check", "trust", "ignore"] = "check"
    psf_size: Optional[int] = Field(default=None, ge=1)
    free_psf: bool = True
    wide_psf: bool = True
    border: Literal["auto", "wrap", "reflect"] = "auto"
    map_features: int = Field(default=256, ge=0)
    iterations: int = Field(default=60, ge=0)
    smoothness: float = Field(default=1e-2, ge=0)
    edge: float = Field(default=0.1, gt=0)
    blend: bool = True
    stack: bool = True
    leftover: bool = True

    @property
    def headline(self) -> dict[str, float]:
        """The settings that people compare runs by."""
        return {"iterations": self.iterations}


@dataclass(frozen=True)
class SubspaceInput:
    """What `method: subspace` takes out of a configuration.

    Attributes:
        subspace: Its own settings.
        preparation: What may be found in the pair and undone.
    """

    subspace: SubspaceSettings
    preparation: PreparationSettings = field(default_factory=PreparationSettings)

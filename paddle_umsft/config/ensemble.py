"""Configuration section `ensemble`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from pydantic import Field

from paddle_umsft.config.base import Section
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings


class EnsembleSettings(Section):
    """Settings of `method: ensemble`; blind estimation and the final solve follow the section `subspace`.

    Attributes:
        members: Number of spectral maps in the ensemble.
        features: Random features of each, shared by its two kernels.
        surround_pixels: LR pixels from which on the colour of the neighbourhood counts as well; with fewer it misleads.
        max_rank: Largest dimension K of the spectral subspace.
        refine_radius: Radius in HR pixels of the windows in which spectra are locally linear in the MSI; 0: no
            refinement; None: half the scale, between 2 and 8.
        refine_rounds: How often refinement and agreement with both images alternate.
        threads: Members computed side by side; None: by the processor, two at most.
    """

    members: int = Field(default=12, ge=1)
    features: int = Field(default=600, ge=2)
    surround_pixels: int = Field(default=512, ge=0)
    max_rank: int = Field(default=16, ge=1)
    refine_radius: Optional[int] = Field(default=None, ge=0)
    refine_rounds: int = Field(default=1, ge=0)
    threads: Optional[int] = Field(default=None, ge=1)


@dataclass(frozen=True)
class EnsembleInput:
    """What `method: ensemble` takes out of a configuration.

    Attributes:
        ensemble: Its own settings.
        subspace: Those of the solver that it stands on.
        preparation: What may be found in the pair and undone.
    """

    ensemble: EnsembleSettings
    subspace: SubspaceSettings
    preparation: PreparationSettings = field(default_factory=PreparationSettings)

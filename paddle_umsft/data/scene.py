"""What flows through the package: a scene, what two cameras saw of it, and what was known about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.trust import Trust, Verdict

Supports = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Scene:
    """A hyperspectral scene at full resolution: the truth of a simulation.

    Attributes:
        hr_hsi: (H, W, C) float32, normalised as `normalise` says.
        name: Short name, also the name of the run's folder.
        wavelengths_nm: (C,) band centres in nanometres, if known.
        normalise: How the values were scaled: "max", "dtype", "none" or the divisor.
        divisor: The number the raw values were divided by.
        source: The file or folder it came from, or a word about how it was made.
        notes: Lines worth printing (a crop, a reordering of bands ...).
        band_order: Of each band its place in the file, where bands were sorted or left out; None: they were not.
        facts: What the file says of its image; None: it came from no file.
        mask_hsi: (H, W) bool, True where `hr_hsi` holds data; what is masked was filled (`data/masks.py`). None: it
            holds data everywhere.
    """

    hr_hsi: np.ndarray
    name: str
    wavelengths_nm: Optional[np.ndarray] = None
    normalise: str = "none"
    divisor: float = 1.0
    source: str = ""
    notes: tuple[str, ...] = ()
    band_order: Optional[tuple[int, ...]] = None
    facts: Optional[FileFacts] = None
    mask_hsi: Optional[np.ndarray] = None

    def with_cube(self, hr_hsi: np.ndarray, note: Optional[str] = None) -> Scene:
        """Return the same scene with other values (a crop, say) and a note on why."""
        notes = self.notes
        if note:
            notes += (note,)
        return replace(self, hr_hsi=hr_hsi, notes=notes)

    def cut_to(self, crop: Sequence[int], note: str) -> Scene:
        """Return a part of the scene, [top, left, height, width], and a note on why."""
        top, left, height, width = crop
        window = (slice(top, top + height), slice(left, left + width))
        part = self.with_cube(self.hr_hsi[window], note)
        if self.facts is not None:
            part = replace(part, facts=self.facts.with_ground(self.facts.ground.cut(top, left)))
        if self.mask_hsi is None:
            return part
        return replace(part, mask_hsi=self.mask_hsi[window])


@dataclass(frozen=True)
class Observation:
    """What the two cameras recorded; all that a fusion method is given.

    Attributes:
        lr_hsi: (h, w, C) float32.
        hr_msi: (H, W, M) float32, H = h * scale, W = w * scale; of any size where there is a `grid`.
        scale: Whole ratio of the resolutions; where there is a `grid`, the next whole number.
        name: Short name of the scene.
        supports: Per MSI band the half-open range [a, b) of HSI bands it can see; None: not known.
        psf: (k, k) known PSF in HR pixels, sums to 1; None: to be estimated (blind).
        srf: (M, C) known SRF; None: to be estimated (blind).
        wavelengths_nm: (C,) HSI band centres, if known.
        meta: Facts to be stored with the result (normalisation, simulation, noise ...).
        hsi_facts: What the HSI's file says of it; None: it came from no file.
        msi_facts: The same of the MSI; its ground is the result's.
        mask_hsi: (h, w) bool, True where `lr_hsi` holds data; None: everywhere. What is masked may hold anything, NaN
            too: it is filled from valid pixels before any method sees it.
        mask_msi: (H, W) bool, the same for `hr_msi`.
        grid: Where the HSI's pixels lie on the MSI: a ratio that is no whole number, another origin, a turned grid. It
            is where a search for shifts begins. None: LR pixel (i, j) lies on HR pixels i * scale, j * scale and so on.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    scale: int
    name: str = "scene"
    supports: Optional[Supports] = None
    psf: Optional[np.ndarray] = None
    srf: Optional[np.ndarray] = None
    wavelengths_nm: Optional[np.ndarray] = None
    meta: dict[str, Any] = field(default_factory=dict)
    hsi_facts: Optional[FileFacts] = None
    msi_facts: Optional[FileFacts] = None
    mask_hsi: Optional[np.ndarray] = None
    mask_msi: Optional[np.ndarray] = None
    grid: Optional[HsiGrid] = None

    @property
    def bands(self) -> int:
        """C, the number of hyperspectral bands."""
        return int(self.lr_hsi.shape[2])

    @property
    def msi_bands(self) -> int:
        """M, the number of multispectral bands."""
        return int(self.hr_msi.shape[2])

    @property
    def ratio(self) -> str:
        """The ratio of the resolutions in figures: 4, 3.333, or 3.333x6.667 where rows and columns differ."""
        if self.grid is None:
            return str(self.scale)
        sides = [f"{side:.4g}" for side in self.grid.ratios]
        return "x".join(dict.fromkeys(sides))

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W), the high resolution."""
        return int(self.hr_msi.shape[0]), int(self.hr_msi.shape[1])


@dataclass(frozen=True)
class Case:
    """One job: an observation, and the truth where there is one. No method ever sees the truth.

    Attributes:
        observation: What the method is given.
        reference: (H, W, C) true cube, or None.
        true_psf: (k, k) PSF of the simulation, or None.
        true_srf: (M, C) SRF of the simulation, or None.
        mask: (H, W) bool, True where the reference holds a truth; None: everywhere.
    """

    observation: Observation
    reference: Optional[np.ndarray] = None
    true_psf: Optional[np.ndarray] = None
    true_srf: Optional[np.ndarray] = None
    mask: Optional[np.ndarray] = None


@dataclass
class FusionResult:
    """What a method returns.

    Attributes:
        fused: (H, W, C) float32.
        psf: (k, k) PSF in HR pixels, sums to 1; given or estimated; None if the method has none.
        srf: (M, C) SRF, given or estimated; None if the method has none.
        history: One dict per recorded iteration (stage, iteration, loss and its terms ...).
        method: Name of the method.
        seconds: Wall time of the fusion.
        extras: Anything a method wants to keep beside (chosen rank, raw kernel ...).
        notes: What a user should know before trusting the result, a line each.
        pair: The pair as it was fused, where something was found in it and undone; None: as it was given.
        degrade: (H, W, C) -> (h, w, C), where the images lie askew; None: the PSF on the grid.
        valid: (H, W) bool, False where neither camera saw anything (no data: `fused` is filled there and means
            nothing); None: no mask was given.
        area: (top, left, height, width) of the MSI that the result covers, where the images share only a part; None:
            all of it.
        held_out: (h, w, C) what the method's own prediction misses at LR pixels left out of its fits, NaN at those that
            it does not use; None: it has none.
        doubted: (H, W) how little the method trusts the MSI's pixels: 0 as they are, 1 where they show nothing of the
            scene (masked, dead, saturated); None: it trusts all of them, or knows of no such thing.
        unsure_light: (H, W) how much the light may differ from what was undone where a shadow lies over one image, as a
            part of a pixel's values; None: no light was undone.
        trust: How far to trust the cube, see docs/trust.md; None: nobody has judged it yet.
    """

    fused: np.ndarray
    psf: Optional[np.ndarray] = None
    srf: Optional[np.ndarray] = None
    history: list[dict[str, Any]] = field(default_factory=list)
    method: str = ""
    seconds: float = 0.0
    extras: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    pair: Optional[Observation] = None
    degrade: Optional[Callable[[np.ndarray], np.ndarray]] = None
    valid: Optional[np.ndarray] = None
    area: Optional[tuple[int, int, int, int]] = None
    held_out: Optional[np.ndarray] = None
    doubted: Optional[np.ndarray] = None
    unsure_light: Optional[np.ndarray] = None
    trust: Optional[Trust] = None

    @property
    def verdict(self) -> Optional[Verdict]:
        """Whether to trust the cube, in one line (`verdict.line`) with its reasons."""
        if self.trust is None:
            return None
        return self.trust.verdict

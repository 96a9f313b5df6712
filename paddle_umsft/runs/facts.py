"""What a scene's page says of the two images and of the method: in words, and nothing that was not so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult, Observation
from paddle_umsft.runs.page import shown_facts
from paddle_umsft.runs.words import Text, Words

# Values of `Observation.meta` that tell nothing.
_EMPTY: tuple[Any, ...] = (None, [], ())
# What of `Observation.meta` is told in other words, or concerns nobody but the program.
_TOLD_OTHERWISE = {
    "observe",
    "srf_names",
    "simulated",
    "psf_shape",
    "snr_hsi_db",
    "snr_msi_db",
    "noise_sigma_hsi",
    "noise_sigma_msi",
    "normalise",
    "normalise_msi",
    "divisor",
    "divisor_msi",
    "band_order",
    "notes",
    "source",
    "source_msi",
    "crop",
    "seed",
}

# One fact: its name, and what it is.
Fact = tuple[Text, Text]

UNKNOWN = Words("not known", "未知")
_FILES = Words("files", "文件")
_DIVIDED = Words("values divided by", "数值除以")
_SIZES_LR = "LR-HSI"
_SIZES_HR = "HR-MSI"
_SCALE = Words("scale", "倍数")
_WAVELENGTHS = Words("wavelengths", "波长")
_MSI_BANDS = Words("MSI bands", "MSI 波段")
_SUPPORTS = Words("HSI bands that each MSI band covers (counted from 0, end not included)",
    "每个 MSI 波段覆盖的 HSI 波段（从 0 起数，不含末尾）")  # fmt: skip
_NOISE = Words("noise added", "加入的噪声")
_CROP = Words("part used (row, column, height, width)", "所用区域（行、列、高、宽）")
_NOTES = Words("notes", "说明")
_ORIGIN = Words("origin", "来源")
_SIMULATED = Words("simulated from a scene at high resolution", "由高分辨率场景退化仿真得到")
_GIVEN_PAIR = Words("a given pair of images", "给定的图像对")
_SECONDS = Words("seconds", "用时（秒）")
_SEED = Words("seed", "随机种子")


def observation_facts(case: Case, result: FusionResult) -> list[Fact]:
    """Return what is known about the two images.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.
    """
    seen = case.observation
    meta = seen.meta
    origin = _GIVEN_PAIR
    if meta.get("simulated"):
        origin = _SIMULATED
    facts: list[Fact] = [
        (_SIZES_LR, _sizes(seen.lr_hsi)),
        (_SIZES_HR, _sizes(seen.hr_msi)),
        (_SCALE, f"×{seen.ratio}"),
        (_ORIGIN, origin),
    ]
    facts += _about_files(meta)
    facts.append((_WAVELENGTHS, _range(seen.wavelengths_nm)))
    facts += _about_cameras(seen, result)
    for name, value in meta.items():
        if name not in _TOLD_OTHERWISE and value not in _EMPTY:
            told = shown_facts({name: value})
            facts += told.items()
    notes = meta.get("notes")
    if notes:
        lines = [str(note) for note in notes]
        facts.append((_NOTES, "; ".join(lines)))
    return facts


def _about_cameras(seen: Observation, result: FusionResult) -> list[Fact]:
    """Return bands, PSF, SRF, and what a simulation added."""
    meta = seen.meta
    is_simulated = bool(meta.get("simulated"))
    facts: list[Fact] = []
    names = band_names(seen)
    if names is not None:
        facts.append((_MSI_BANDS, ", ".join(names)))
    psf = _camera(seen.psf, result.psf, _psf_words(meta), is_simulated)
    srf = _camera(seen.srf, result.srf, _srf_words(meta), is_simulated)
    facts.append(("PSF", psf))
    facts.append(("SRF", srf))
    if is_simulated:
        facts.append((_NOISE, _noise(meta)))
    if seen.supports is not None:
        ranges = [f"{first}–{end}" for first, end in seen.supports]
        facts.append((_SUPPORTS, ", ".join(ranges)))
    return facts


def method_facts(result: FusionResult, config: Config) -> list[Fact]:
    """Return how a result was made.

    Args:
        result: What the method returned.
        config: All settings.
    """
    facts: list[Fact] = [
        (_SECONDS, f"{result.seconds:.2f}"),
        (_SEED, str(config.seed)),
    ]
    for name, value in result.extras.items():
        if not _is_nothing(value):
            told = shown_facts({name: value})
            facts += told.items()
    return facts


def band_names(seen: Observation) -> Optional[list[str]]:
    """Return what the MSI's bands are called; None where nobody says.

    Args:
        seen: The pair.
    """
    names: Sequence[str] = seen.meta.get("srf_names") or ()
    if len(names) != seen.msi_bands and seen.msi_facts is not None:
        names = seen.msi_facts.bands.names
        order = seen.msi_facts.order
        if order is not None and names:
            names = [names[band] for band in order]
    # Of another number of bands, or some without a name: nobody knows which is which.
    if len(names) != seen.msi_bands or not all(names):
        return None
    return [str(name) for name in names]


def _about_files(meta: Mapping[str, Any]) -> list[Fact]:
    """Return where the values come from, and what was done with them."""
    facts: list[Fact] = []
    sources = []
    divisors = []
    # The HSI's, or the scene's; then the MSI's.
    for image in ("", "_msi"):
        source = meta.get(f"source{image}")
        divisor = meta.get(f"divisor{image}")
        if source:
            sources.append(str(source))
        if divisor is not None:
            divisors.append(f"{divisor:.6g}")
    if sources:
        facts.append((_FILES, ", ".join(sources)))
    if divisors:
        facts.append((_DIVIDED, ", ".join(divisors)))
    if meta.get("crop"):
        window = [str(length) for length in meta["crop"]]
        facts.append((_CROP, ", ".join(window)))
    return facts


def _camera(
    known: Optional[np.ndarray],
    found: Optional[np.ndarray],
    simulated_with: str,
    is_simulated: bool,
) -> Text:
    """Return where a PSF or SRF comes from, and what it was in a simulation."""
    words = Words("not used by this method", "该方法未使用")
    if found is not None:
        words = Words("learned from the pair", "从图像对中学得")
    if known is not None:
        words = Words("given", "已给定")
    if is_simulated:
        words = Words(f"{words.en}; simulated with {simulated_with}", f"{words.zh}；仿真时采用 {simulated_with}")
    elif known is not None and simulated_with:
        words = Words(f"{words.en}: {simulated_with}", f"{words.zh}：{simulated_with}")
    return words


def _psf_words(meta: Mapping[str, Any]) -> str:
    """Return the PSF of the settings: `gaussian 8×8, sigma 2`."""
    observe = meta.get("observe", {})
    settings = observe.get("psf", {})
    words = str(settings.get("type", ""))
    shape = meta.get("psf_shape")
    if shape:
        lengths = [str(length) for length in shape]
        words += f" {'×'.join(lengths)}"
    sigma = settings.get("sigma")
    if sigma:
        words += f", sigma {sigma:g}"
    return words


def _srf_words(meta: Mapping[str, Any]) -> str:
    """Return the SRF of the settings: `nikon_d700`."""
    observe = meta.get("observe", {})
    return str(observe.get("srf", ""))


def _noise(meta: Mapping[str, Any]) -> Text:
    """Return the noise of both images, in decibels."""
    told = []
    for image in ("hsi", "msi"):
        level = meta.get(f"snr_{image}_db")
        if level is not None:
            told.append(f"{image.upper()} {level:g} dB")
    if not told:
        return Words("none", "无")
    return ", ".join(told)


def _range(nm: Optional[np.ndarray]) -> Text:
    """Return from where to where the bands reach."""
    if nm is None:
        return UNKNOWN
    return f"{np.min(nm):g}–{np.max(nm):g} nm"


def _sizes(cube: np.ndarray) -> str:
    """Return a cube's shape as people write it."""
    return "×".join(str(size) for size in cube.shape)


def _is_nothing(value: Any) -> bool:
    """Whether a value tells a reader nothing: none, an empty list, or an array, which is for programs."""
    if value is None or isinstance(value, np.ndarray):
        return True
    return isinstance(value, (list, tuple, dict, str)) and len(value) == 0

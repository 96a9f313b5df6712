"""Golden files: STEM.json says what was computed and how it came out, STEM.npz holds samples of the tensors."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from paddle_umsft.errors import DataError

DATA = Path(__file__).resolve().parent / "data"
BUILT_IN = DATA / "umsft_reference"
BUILT_IN_UHNTC = DATA / "uhntc_reference"
# Network -> the seams that its golden files have, in the order of the data flow.
SEAMS = {
    "umsft": (
        *(f"{side}_feature{tap}" for tap in range(3) for side in ("hsi", "msi")),
        *(f"level{level}_{step}" for level in (1, 2, 3) for step in ("denoiser", "attention", "spafm")),
        "output",
        "recon_hsi",
        "recon_msi",
    ),
    "uhntc": ("coarse", "FTB_h", "FTB_m", "FTB_l", "up_16", "skiph", "up_4", "skipm", "skipl", "output"),
}
COMMON_SEAM = "output"  # what any network has
NETWORK_NAMES = {"umsft": "UMSFT", "uhntc": "uHNTC"}
NEEDED = ("bands", "height", "width", "scale_factor", "spans", "scene_seed")


@dataclass(frozen=True)
class GoldenCase:
    """One case of a golden file.

    Attributes:
        name: Its name.
        bands: C.
        height: H.
        width: W.
        scale: s.
        supports: Per MSI band the half-open range of HSI bands that it sees.
        seed: Of the scene.
        figures: Everything else that the json says about it; any of it may be absent.
        arrays: Samples from the npz by seam; any of them may be absent.
        shapes: Published shapes by published name, if the file lists them for these band counts.
        network: Whose figures they are, "umsft" or "uhntc".
    """

    name: str
    bands: int
    height: int
    width: int
    scale: int
    supports: tuple[tuple[int, int], ...]
    seed: int
    figures: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    shapes: Optional[Mapping[str, tuple[int, ...]]] = None
    network: str = "umsft"

    def describe(self) -> str:
        """Sizes in a line."""
        return (
            f"{self.bands} bands, {self.height}x{self.width}, scale {self.scale}, "
            f"{len(self.supports)} MSI band{'s' if len(self.supports) > 1 else ''}, {NETWORK_NAMES[self.network]}"
        )


@dataclass(frozen=True)
class GoldenFile:
    """What a pair of golden files holds.

    Attributes:
        source: Which code made it, as the file says.
        cases: In the file's order.
    """

    source: str
    cases: list[GoldenCase] = field(default_factory=list)


def read_golden(stem: Union[str, Path] = BUILT_IN) -> GoldenFile:
    """Read STEM.json and STEM.npz.

    Args:
        stem: Path of both without their endings; either ending may be there.

    Raises:
        DataError: A file is missing or cannot be read, or what is in it does not describe cases of UMSFT or uHNTC.
    """
    stem = Path(stem)
    base = stem.with_suffix("") if stem.suffix in (".json", ".npz") else stem
    json_path, npz_path = base.with_name(base.name + ".json"), base.with_name(base.name + ".npz")
    content, arrays = _read_json(json_path), _read_npz(npz_path)
    cases = content.get("cases")
    if not isinstance(cases, dict) or not cases:
        raise DataError("holds no cases", where=json_path, expected='an object "cases" with one entry per case')
    shapes = content.get("state_dict_shapes")
    shapes = shapes if isinstance(shapes, dict) else {}
    found = [_case(name, figures, arrays, shapes, json_path) for name, figures in cases.items()]
    source = " ".join(str(content[key]) for key in ("reference", "torch", "dtype") if key in content)
    return GoldenFile(source=source or "(not stated)", cases=found)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("no such file", where=path, hint="give the path that both files share, without .json") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("cannot be read as JSON", where=path, got=str(error)) from None
    if not isinstance(content, dict):
        raise DataError("not a golden file", where=path, expected="an object", got=type(content).__name__)
    return content


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError("not a golden file", where=path, expected="an .npz with several arrays")
            for name in file.files:
                arrays[name] = file[name]
    except FileNotFoundError:
        raise DataError("no such file", where=path, hint="give the path that both files share, without .npz") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError("cannot be read as .npz", where=path, got=str(error)) from None
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise DataError("holds no real numbers", where=f"{path}: {name}", got=str(array.dtype))
    return arrays


def _case(
    name: str, figures: Any, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, Any], path: Path
) -> GoldenCase:
    where = f"{path}: {name}"
    missing = [key for key in NEEDED if not isinstance(figures, dict) or key not in figures]
    if missing:
        raise DataError("not a case of UMSFT or uHNTC", where=where, expected=", ".join(missing))
    bands, height, width, scale, seed = (
        _whole(figures, key, where) for key in ("bands", "height", "width", "scale_factor", "scene_seed")
    )
    supports = _supports(figures["spans"], bands, where)
    if min(bands, height, width) < 1 or scale < 2 or height % scale or width % scale:
        raise DataError(
            "sizes do not go together",
            where=where,
            expected="height and width that are multiples of scale_factor, and that at least 2",
            got=f"bands {bands}, {height}x{width}, scale_factor {scale}",
        )
    own = {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(f"{name}/")}
    network = _network(figures, own)
    starts = {"initial_psf", *(f"initial_srf_{j}" for j in range(len(supports)))} if network == "umsft" else set()
    known = {*SEAMS[network], *starts} - {COMMON_SEAM}
    if own and not known.intersection(own):
        some = ", ".join(list(own)[:3])
        expected = f"{SEAMS[network][0]}, ..."
        raise DataError("numbers of another network", where=where, expected=expected, got=f"{some}, ...")
    # uHNTC's attentions that are never called make its list depend on the image's size too.
    sizes = f"{bands}x{len(supports)}" + (f"_{height}x{width}" if network == "uhntc" else "")
    listed = shapes.get(sizes)
    listed = {key: tuple(shape) for key, shape in listed.items()} if isinstance(listed, dict) else None
    return GoldenCase(
        name=name,
        bands=bands,
        height=height,
        width=width,
        scale=scale,
        supports=supports,
        seed=seed,
        figures=figures,
        arrays=own,
        shapes=listed,
        network=network,
    )


def _network(figures: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Whose figures a case holds: by the seams that its json names, or where it names none, its npz."""
    stats = figures.get("stats")
    seams = set(stats) if isinstance(stats, dict) and stats else set(arrays)
    return "uhntc" if seams.intersection(SEAMS["uhntc"]) - {COMMON_SEAM} else "umsft"


def _whole(figures: Mapping[str, Any], key: str, where: str) -> int:
    value = figures[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not float(value).is_integer() or value < 0:
        raise DataError(f"{key} is not a whole number", where=where, got=repr(value))
    return int(value)


def _supports(spans: Any, bands: int, where: str) -> tuple[tuple[int, int], ...]:
    try:
        supports = tuple((int(a), int(b)) for a, b in spans)
    except (TypeError, ValueError):
        supports = ()
    if not supports or not all(0 <= a < b <= bands for a, b in supports):
        expected = f"half-open ranges within 0 and {bands}"
        raise DataError("spans are not supports", where=where, expected=expected, got=str(spans)[:80])
    return supports

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
    "uhntc": (
        "coarse",
        "FTB_h",
        "FTB_m",
        "FTB_l",
        "up_16",
        "skiph",
        "up_4",
        "skipm",
        "skipl",
        "output",
    ),
}
COMMON_SEAM = "output"  # what any network has
NETWORK_NAMES = {"umsft": "UMSFT", "uhntc": "uHNTC"}
NEEDED = ("bands", "height", "width", "scale_factor", "spans", "scene_seed")
REAL_KINDS = "fiu"  # numpy's letters for floats, integers and unsigned integers
SHOWN = 80  # letters up to which a message shows what was found


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
        msi_bands = "1 MSI band"
        if len(self.supports) > 1:
            msi_bands = f"{len(self.supports)} MSI bands"
        size = f"{self.height}x{self.width}"
        network = NETWORK_NAMES[self.network]
        return f"{self.bands} bands, {size}, scale {self.scale}, {msi_bands}, {network}"


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
    base = stem
    if stem.suffix in (".json", ".npz"):
        base = stem.with_suffix("")
    json_path = base.with_name(f"{base.name}.json")
    content = _read_json(json_path)
    npz_path = base.with_name(f"{base.name}.npz")
    arrays = _read_npz(npz_path)
    cases = content.get("cases")
    if not isinstance(cases, dict) or not cases:
        raise DataError(
            "holds no cases",
            where=json_path,
            expected='an object "cases" with one entry per case',
        )
    shapes = content.get("state_dict_shapes")
    if not isinstance(shapes, dict):
        shapes = {}
    found = []
    for name, figures in cases.items():
        case = _case(
            name,
            figures,
            arrays,
            shapes,
            path=json_path,
        )
        found.append(case)
    said = [str(content[key]) for key in ("reference", "torch", "dtype") if key in content]
    return GoldenFile(
        source=" ".join(said) or "(not stated)",
        cases=found,
    )


def _no_such_file(path: Path, ending: str) -> DataError:
    return DataError(
        "no such file",
        where=path,
        hint=f"give the path that both files share, without {ending}",
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except FileNotFoundError:
        raise _no_such_file(path, ".json") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("cannot be read as JSON", where=path, got=str(error)) from None
    if not isinstance(content, dict):
        raise DataError(
            "not a golden file",
            where=path,
            expected="an object",
            got=type(content).__name__,
        )
    return content


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(
                    "not a golden file",
                    where=path,
                    expected="an .npz with several arrays",
                )
            for name in file.files:
                arrays[name] = file[name]
    except FileNotFoundError:
        raise _no_such_file(path, ".npz") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError("cannot be read as .npz", where=path, got=str(error)) from None
    for name, array in arrays.items():
        if array.dtype.kind not in REAL_KINDS:
            raise DataError(
                "holds no real numbers",
                where=f"{path}: {name}",
                got=str(array.dtype),
            )
    return arrays


def _case(
    name: str,
    figures: Any,
    arrays: Mapping[str, np.ndarray],
    shapes: Mapping[str, Any],
    path: Path,
) -> GoldenCase:
    where = f"{path}: {name}"
    missing = [key for key in NEEDED if not isinstance(figures, dict) or key not in figures]
    if missing:
        raise DataError("not a case of UMSFT or uHNTC", where=where, expected=", ".join(missing))
    bands = _whole(figures, "bands", where)
    height = _whole(figures, "height", where)
    width = _whole(figures, "width", where)
    scale = _whole(figures, "scale_factor", where)
    supports = _supports(figures["spans"], bands, where)
    is_empty = min(bands, height, width) < 1
    if is_empty or scale < 2 or height % scale or width % scale:
        raise DataError(
            "sizes do not go together",
            where=where,
            expected="height and width that are multiples of scale_factor, and that at least 2",
            got=f"bands {bands}, {height}x{width}, scale_factor {scale}",
        )
    own = {}
    for key, array in arrays.items():
        owner, _, seam = key.partition("/")
        if owner == name and seam:
            own[seam] = array
    network = _network(figures, own)
    _check_seams(own, network, len(supports), where)
    sizes = f"{bands}x{len(supports)}"
    if network == "uhntc":
        # Its attentions that are never called make the list depend on the image's size too.
        sizes += f"_{height}x{width}"
    listed = shapes.get(sizes)
    published_shapes = None
    if isinstance(listed, dict):
        published_shapes = {key: tuple(shape) for key, shape in listed.items()}
    return GoldenCase(
        name=name,
        bands=bands,
        height=height,
        width=width,
        scale=scale,
        supports=supports,
        seed=_whole(figures, "scene_seed", where),
        figures=figures,
        arrays=own,
        shapes=published_shapes,
        network=network,
    )


def _check_seams(
    arrays: Mapping[str, np.ndarray],
    network: str,
    msi_bands: int,
    where: str,
) -> None:
    """Refuse a case whose npz has no seam that the network has."""
    known = set(SEAMS[network]) - {COMMON_SEAM}
    if network == "umsft":
        known.add("initial_psf")
        known.update(f"initial_srf_{band}" for band in range(msi_bands))
    if not arrays or known.intersection(arrays):
        return
    first, *_ = SEAMS[network]
    some = ", ".join(list(arrays)[:3])
    raise DataError(
        "numbers of another network",
        where=where,
        expected=f"{first}, ...",
        got=f"{some}, ...",
    )


def _network(figures: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Whose figures a case holds: by the seams that its json names, or where it names none, its npz."""
    stats = figures.get("stats")
    seams = set(arrays)
    if isinstance(stats, dict) and stats:
        seams = set(stats)
    own = set(SEAMS["uhntc"]) - {COMMON_SEAM}
    if seams.intersection(own):
        return "uhntc"
    return "umsft"


def _whole(
    figures: Mapping[str, Any],
    key: str,
    where: str,
) -> int:
    value = figures[key]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not float(value).is_integer() or value < 0:
        raise DataError(
            f"{key} is not a whole number",
            where=where,
            got=repr(value),
        )
    return int(value)


def _supports(
    spans: Any,
    bands: int,
    where: str,
) -> tuple[tuple[int, int], ...]:
    try:
        supports = tuple((int(a), int(b)) for a, b in spans)
    except (TypeError, ValueError):
        supports = ()
    fits = all(0 <= a < b <= bands for a, b in supports)
    if not supports or not fits:
        raise DataError(
            "spans are not supports",
            where=where,
            expected=f"half-open ranges within 0 and {bands}",
            got=str(spans)[:SHOWN],
        )
    return supports

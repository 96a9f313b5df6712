"""Converts weight files: PyTorch to Paddle and back, whole or not at all, with a table of each tensor's fate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Optional, Union

import numpy as np

from paddle_umsft.errors import ConfigError, ConversionError
from paddle_umsft.weights import names, names_uhntc, shapes_uhntc
from paddle_umsft.weights.atomic import write_atomically
from paddle_umsft.weights.check import Network, checked_networks, wanted_shapes
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX, read_weights
from paddle_umsft.weights.formats.values import WeightFile, narrow_bfloat16
from paddle_umsft.weights.formats.writers import save
from paddle_umsft.weights.mapping import Arrays, declared_start, published_to_ours, query_start
from paddle_umsft.weights.recognise import Recognised, recognise
from paddle_umsft.weights.report import Report, Row
from paddle_umsft.weights.shapes import Shapes

PARTS = ("umsft", "uhntc", "vgg", "psf", "srf")
NETWORKS = ("umsft", "uhntc")
_GRAMMAR_OF_ENDING = {".pdparams": "paddle", ".pth": "torch", ".pt": "torch", ".safetensors": None}
_COUNT_NOTE = "num_batches_tracked, which Paddle does not count"
_DEAD_NOTE = "VGG layers that nobody listens to (P4)"
_UNUSED_NOTE = "an attention of uHNTC that is never called"
_QUERY_NOTE = "the query convolution is in no published checkpoint (P12)"
_DEFAULT_START = "PyTorch's default start, seed = CRC-32 of the name"
_START_NOTE = f"{_DEAD_NOTE}: {_DEFAULT_START}"
_LONGEST_SIDE = 4096  # of an image that unused attentions are filled in for: 3 GB of them


class IncompleteError(ConversionError):
    """Tensors are missing, extra, or of a wrong shape or type.

    Attributes:
        report: Which, and what is right.
    """

    def __init__(self, report: Report, where: Path) -> None:
        super().__init__(f"cannot be converted; {report.problems()}; nothing was written", where=where)
        self.report = report


def convert_file(
    source: Union[str, Path],
    target: Union[str, Path],
    *,
    to: Optional[str] = None,
    key: Optional[str] = None,
    part: Optional[str] = None,
    image_size: Optional[tuple[int, int]] = None,
) -> Report:
    """Converts a weight file.

    Args:
        source: Any file that ``read_weights`` reads.
        target: A ``.pdparams``, ``.pth``, ``.pt`` or ``.safetensors``; beside it, ``<target>.json`` says what was done.
        to: ``paddle`` or ``torch``: whose names to write. By default what the ending says; for ``.safetensors``, the
            other one than the source's.
        key: Which entry of a checkpoint to take, if it holds the network several times.
        part: Which network to take, if the file holds several: ``umsft``, ``uhntc``, ``vgg``, ``psf`` or ``srf``.
        image_size: (H, W) for which uHNTC's unused attentions are filled in towards PyTorch; None: as the published
            file had them that the source was made from, else 128×128, the published script's crop.

    Returns:
        What became of each tensor.

    Raises:
        ConfigError: The arguments do not go together.
        IncompleteError: Tensors are missing, extra, or of a wrong shape or type: all are listed, nothing is written.
        ConversionError: The source cannot be read or understood, or the target cannot be written.
    """
    source, target = Path(source), Path(target)
    wanted = _check_usage(source, target, to, part, image_size)
    file = read_weights(source)
    found = recognise(file, key)
    grammar = wanted or ("paddle" if found.grammar == "torch" else "torch")
    report = Report(found.describe(), (source.name, file.sha256), (target.name, ""), grammar)
    report.rows += [Row("dropped", name, why) for name, why in found.dropped]
    _choose_parts(found, part, grammar, report, source)
    networks = checked_networks(found, report)
    if report.problems():
        raise IncompleteError(report, source)
    published = {name: leaf.values() for network in networks.values() for name, leaf in network.tensors.items()}
    narrowed = _narrowed(file, networks)
    metadata = {"source_sha256": file.sha256, "content": found.describe(), "written_by": "paddle_umsft"}
    if grammar == "paddle":
        output = _to_paddle(networks, published, report)
        metadata["narrowed"] = json.dumps(narrowed, sort_keys=True)
        pixels = _unused_pixels(networks)
        if pixels is not None:
            metadata["unused_pixels"] = json.dumps(pixels, sort_keys=True)
        tensors = {name: (array, array.dtype.name) for name, array in output.items()}
    else:
        output = _to_torch(networks, published, report, _pixels_to_fill(file, networks, image_size))
        tensors = _narrow_all(output, narrowed)
    report.result = (target.name, save(target, tensors, metadata))
    _write_sidecar(target, report)
    return report


def _check_usage(
    source: Path, target: Path, to: Optional[str], part: Optional[str], image_size: Optional[tuple[int, int]]
) -> Optional[str]:
    ending = target.suffix.lower()
    if ending not in _GRAMMAR_OF_ENDING:
        raise ConfigError("unknown kind of weight file", where=target, expected=", ".join(_GRAMMAR_OF_ENDING))
    implied = _GRAMMAR_OF_ENDING[ending]
    if to not in (None, "paddle", "torch"):
        raise ConfigError("unknown direction", where="to", expected="paddle or torch", got=to)
    if part is not None and part not in PARTS:
        raise ConfigError("unknown network", where="part", expected=", ".join(PARTS), got=part)
    if to and implied and to != implied:
        raise ConfigError(f"a {ending} holds {implied}'s names", where=target, got=f"--to {to}")
    if image_size is not None and not 4 <= min(image_size) <= max(image_size) <= _LONGEST_SIDE:
        got = "x".join(str(side) for side in image_size)
        raise ConfigError("size of the image", where="image_size", expected=f"4 to {_LONGEST_SIDE}", got=got)
    if source.exists() and target.exists() and source.samefile(target):
        raise ConfigError("source and result are the same file", where=target)
    return to or implied


def _choose_parts(found: Recognised, part: Optional[str], grammar: str, report: Report, source: Path) -> None:
    """Leaves the networks to convert. Towards PyTorch a file is one state_dict, and there the PSF net has its own."""
    if part is not None:
        if part not in found.parts:
            raise ConversionError(f"it holds no {part}", where=source, got=found.describe())
        keep = {part}
    elif grammar == "torch" and "umsft" in found.parts:
        keep = {"umsft", "srf"}
    elif grammar == "torch" and "uhntc" in found.parts:
        keep = {"uhntc"}  # its SRF net has a state_dict of its own there
    elif grammar == "torch" and len(found.parts) > 1:
        raise ConversionError("it holds several networks", where=source, hint="say which with --part")
    else:
        return
    for kind in [kind for kind in found.parts if kind not in keep]:
        dropped = found.parts.pop(kind)
        why = f"a network of its own; for it, convert again with --part {kind}"
        report.rows += [Row("dropped", dropped.prefix + name, why) for name in dropped.tensors]


def _narrowed(file: WeightFile, networks: Mapping[str, Network]) -> dict[str, str]:
    """Returns published name -> 16-bit type, of this file or, as this file recorded it, of the one it came from."""
    try:
        recorded = json.loads(file.metadata.get("narrowed", "{}"))
    except (ValueError, RecursionError):
        recorded = {}
    recorded = recorded if isinstance(recorded, dict) else {}
    narrowed: dict[str, str] = {}
    for network in networks.values():
        for name, leaf in network.tensors.items():
            for kind in ("float16", "bfloat16"):
                if leaf.dtype == kind or (leaf.dtype == "float32" and recorded.get(name) == kind):
                    narrowed[name] = kind
    return narrowed


def _narrow_all(output: Arrays, narrowed: Mapping[str, str]) -> dict[str, tuple[np.ndarray, str]]:
    made: dict[int, tuple[np.ndarray, str]] = {}  # one array under two names stays one
    for name, array in output.items():
        if id(array) not in made:
            made[id(array)] = _narrow(array, narrowed.get(name))
    return {name: made[id(array)] for name, array in output.items()}


def _narrow(array: np.ndarray, kind: Optional[str]) -> tuple[np.ndarray, str]:
    """Returns an array in the 16-bit type it once had, if nothing is lost by it."""
    if kind == "bfloat16" and array.dtype == np.float32:
        bits = narrow_bfloat16(array)
        if bits is not None:
            return bits, kind
    if kind == "float16" and array.dtype == np.float32:
        with np.errstate(over="ignore", invalid="ignore"):
            half = array.astype(np.float16)
        if half.astype(np.float32).tobytes() == array.tobytes():
            return half, kind
    return array, array.dtype.name


def _to_paddle(networks: Mapping[str, Network], published: Arrays, report: Report) -> Arrays:
    """Returns our state_dict. Half-precision numbers become float32, exactly: Paddle's layers on a CPU need them so."""
    wide = {name: a.astype(np.float32) if a.dtype == np.float16 else a for name, a in published.items()}
    if "vgg" in networks:
        return _vgg_to_paddle(wide, report)
    leaves = {name: leaf for network in networks.values() for name, leaf in network.tensors.items()}
    short = {name for name, leaf in leaves.items() if leaf.dtype in ("float16", "bfloat16")}
    ours, aside = published_to_ours(wide)
    for name in published:
        if name in aside:
            report.rows.append(Row("kept aside", name, _DEAD_NOTE if names.is_dead(name) else _COUNT_NOTE))
        else:
            how = "Linear, transposed" if names.is_linear(name) else "renamed"
            report.rows.append(Row("converted", name, f"{how}, made float32" if name in short else how))
    if "uhntc" in networks:
        ours.update(_filled_query(networks["uhntc"], report))
    if len(networks) == 1 and not any(kind in networks for kind in NETWORKS):  # a net alone has its layer's own names
        ours = {name.partition(".")[2]: array for name, array in ours.items()}
    return {**ours, **{ASIDE_PREFIX + name: array for name, array in aside.items()}}


def _vgg_to_paddle(published: Arrays, report: Report) -> Arrays:
    output: Arrays = {}
    for name, array in published.items():
        if name.endswith(".num_batches_tracked"):
            report.rows.append(Row("dropped", name, _COUNT_NOTE))
            continue
        ours = name.replace(".running_mean", "._mean").replace(".running_var", "._variance")
        report.rows.append(Row("converted", name, "as it is" if ours == name else "renamed"))
        output[ours] = array
    return output


def _filled_query(network: Network, report: Report) -> Arrays:
    """The query convolution by our names where the file has none, and what is dropped of the file, as rows."""
    report.rows += [Row("dropped", network.source_of(name), _UNUSED_NOTE) for name in network.unused]
    missing = [name for name in names_uhntc.QUERY_KEYS if name not in network.tensors]
    start = query_start(_bands(network))
    report.rows += [Row("filled", name, f"{_QUERY_NOTE}: {_DEFAULT_START}") for name in missing]
    ours, _ = published_to_ours({name: start[name] for name in missing})
    return ours


def _bands(network: Network) -> int:
    return shapes_uhntc.uhntc_sizes({name: leaf.values().shape for name, leaf in network.tensors.items()}).bands


def _unused_pixels(networks: Mapping[str, Network]) -> Optional[dict[str, int]]:
    """Pixels of the unused attentions that a published file of uHNTC holds."""
    if "uhntc" not in networks:
        return None
    unused = networks["uhntc"].unused
    return shapes_uhntc.pixels_of_file({name: leaf.values().shape for name, leaf in unused.items()})


def _pixels_to_fill(
    file: WeightFile, networks: Mapping[str, Network], image_size: Optional[tuple[int, int]]
) -> dict[str, int]:
    """For which sizes uHNTC's unused attentions are filled in."""
    if image_size is not None:
        return shapes_uhntc.pixels_of_image(*image_size)
    own = _unused_pixels(networks)
    if own is not None:
        return own
    try:
        recorded = json.loads(file.metadata.get("unused_pixels", "{}"))
    except (ValueError, RecursionError):
        recorded = {}
    whole = isinstance(recorded, dict) and all(type(recorded.get(tap)) is int for tap in shapes_uhntc.TAPS)
    if whole and all(0 < recorded[tap] <= _LONGEST_SIDE**2 for tap in shapes_uhntc.TAPS):
        return {tap: recorded[tap] for tap in shapes_uhntc.TAPS}
    return shapes_uhntc.pixels_of_image(*shapes_uhntc.PUBLISHED_CROP)


def _wanted_by_torch(network: Network, published: Arrays, pixels: Mapping[str, int]) -> Shapes:
    found = {name: array.shape for name, array in published.items()}
    if network.kind != "uhntc":
        return wanted_shapes(network.kind, found)
    return shapes_uhntc.uhntc_shapes(shapes_uhntc.uhntc_sizes(found), query=False, pixels=pixels)


def _to_torch(
    networks: Mapping[str, Network], published: Arrays, report: Report, pixels: Mapping[str, int]
) -> Arrays:
    """Returns the full published state_dict; what our files do not have is filled in."""
    network = next(iter(networks.values()))
    output: Arrays = {}
    for name in names_uhntc.QUERY_KEYS:
        if name in published:
            report.rows.append(Row("dropped", network.source_of(name), _QUERY_NOTE))
    for name, shape in _wanted_by_torch(network, published, pixels).items():
        unused = network.unused.get(name)
        if unused is not None and unused.values().shape == shape:
            output[name] = unused.values()
            report.rows.append(Row("converted", name, "as it is"))
        elif names_uhntc.is_unused(name):
            output[name] = declared_start(name, shape)
            report.rows.append(Row("filled", name, f"{_UNUSED_NOTE}: {_DEFAULT_START}"))
        elif name in published:
            output[name] = published[name]
            report.rows.append(Row("converted", name, _how(network, name)))
        elif network.kind == "umsft" and names.is_dead(name):
            output[name] = declared_start(name, shape)
            report.rows.append(Row("filled", name, _START_NOTE))
        elif name.replace("num_batches_tracked", "running_mean") in published:
            output[name] = np.zeros((), np.int64)
            report.rows.append(Row("filled", name, "num_batches_tracked = 0"))
    return output


def _how(network: Network, name: str) -> str:
    if not network.ours or network.kind == "vgg":
        return "as it is"
    if names.our_key(name) is None:
        return "put back"
    return "Linear, transposed" if names.is_linear(name) else "renamed"


def _write_sidecar(target: Path, report: Report) -> None:
    content = {
        "content": report.recognised,
        "names": report.grammar,
        "source": {"name": report.source[0], "sha256": report.source[1]},
        "result": {"name": report.result[0], "sha256": report.result[1]},
        "tensors": {status: len(report.names(status)) for status in ("converted", "kept aside", "filled", "dropped")},
        "filled": report.names("filled"),
        "dropped": {row.name: row.note for row in report.rows if row.status == "dropped"},
    }
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=True) + "\n"
    write_atomically(target.with_name(f"{target.name}.json"), lambda file: file.write(text.encode("ascii")))

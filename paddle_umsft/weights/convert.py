"""Converts weight files: PyTorch to Paddle and back, whole or not at all, with a table of each tensor's fate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Optional, Union

from paddle_umsft.errors import ConfigError, ConversionError
from paddle_umsft.machine.files import write_json
from paddle_umsft.weights.check import Network, checked_networks
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.formats.writers import save
from paddle_umsft.weights.narrowing import narrow_all, narrowed_types, recorded_as_text, stored_types
from paddle_umsft.weights.recognise import Recognised, recognise
from paddle_umsft.weights.report import Report
from paddle_umsft.weights.translate import to_paddle, to_torch

# Networks that a file may hold.
PARTS = ("umsft", "vgg", "psf", "srf")
# Whose names a result has, by its ending.
_GRAMMAR_OF_ENDING = {
    ".pdparams": "paddle",
    ".pth": "torch",
    ".pt": "torch",
}
# Towards PyTorch, one state_dict: the SRF net is a child of UMSFT there.
_ONE_PUBLISHED_NETWORK = ("umsft", "srf")


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
    key: Optional[str] = None,
    part: Optional[str] = None,
) -> Report:
    """Convert a weight file.

    Args:
        source: Any file that `read_weights` reads.
        target: A `.pdparams` (this package's names), or a `.pth` or `.pt` (the published ones); beside it,
            `<target>.json` says what was done.
        key: Which entry of a checkpoint to take, if it holds the network several times.
        part: Which network to take, if the file holds several: `umsft`, `vgg`, `psf` or `srf`.

    Returns:
        What became of each tensor.

    Raises:
        ConfigError: The arguments do not go together.
        IncompleteError: Tensors are missing, extra, or of a wrong shape or type: all are listed, nothing is written.
        ConversionError: The source cannot be read or understood, or the target cannot be written.
    """
    source = Path(source)
    target = Path(target)
    grammar = _check_usage(source, target, part)
    file = read_weights(source)
    found = recognise(file, key)
    report = Report(
        recognised=found.summary(),
        source=(source.name, file.sha256),
        result=(target.name, ""),
        grammar=grammar,
    )
    for name, why in found.dropped:
        report.add("dropped", name, why)
    _choose_parts(found, part, report, source)
    networks = checked_networks(found, report)
    if report.problems():
        raise IncompleteError(report, source)
    metadata = {
        "source_sha256": file.sha256,
        "content": found.summary(),
        "written_by": "paddle_umsft",
    }
    narrowed = narrowed_types(file, networks)
    if grammar == "paddle":
        tensors = stored_types(to_paddle(networks, report))
        metadata["narrowed"] = recorded_as_text(narrowed)
    else:
        tensors = narrow_all(to_torch(_only(networks), report), narrowed)
    digest = save(target, tensors, metadata)
    report.result = (target.name, digest)
    _write_sidecar(target, report)
    return report


def _check_usage(
    source: Path,
    target: Path,
    part: Optional[str],
) -> str:
    """Return whose names the result gets, as its ending says."""
    grammar = _GRAMMAR_OF_ENDING.get(target.suffix.lower())
    if grammar is None:
        raise ConfigError(
            "unknown kind of weight file",
            where=target,
            expected=", ".join(_GRAMMAR_OF_ENDING),
        )
    if part is not None and part not in PARTS:
        raise ConfigError(
            "unknown network",
            where="part",
            expected=", ".join(PARTS),
            got=part,
        )
    if source.exists() and target.exists() and source.samefile(target):
        raise ConfigError("source and result are the same file", where=target)
    return grammar


def _choose_parts(
    found: Recognised,
    part: Optional[str],
    report: Report,
    source: Path,
) -> None:
    """Leave the networks to convert. Towards PyTorch a file is one state_dict, and there the PSF net has its own."""
    kept: tuple[str, ...] = tuple(found.parts)
    if part is not None:
        if part not in found.parts:
            raise ConversionError(
                f"it holds no {part}",
                where=source,
                got=found.summary(),
            )
        kept = (part,)
    elif report.grammar == "torch" and "umsft" in found.parts:
        kept = _ONE_PUBLISHED_NETWORK
    elif report.grammar == "torch" and len(found.parts) > 1:
        raise ConversionError(
            "it holds several networks",
            where=source,
            hint="say which with --part",
        )
    for kind in tuple(found.parts):
        if kind in kept:
            continue
        dropped = found.parts.pop(kind)
        for name in dropped.tensors:
            why = f"a network of its own; for it, convert again with --part {kind}"
            report.add("dropped", f"{dropped.prefix}{name}", why)


def _only(networks: Mapping[str, Network]) -> Network:
    (network,) = networks.values()
    return network


def _write_sidecar(target: Path, report: Report) -> None:
    """Write `<target>.json`, which says what was done: a file cannot hold its own digest."""
    source_name, source_digest = report.source
    result_name, result_digest = report.result
    counts = {}
    for status in ("converted", "kept aside", "filled", "dropped"):
        counts[status] = len(report.names(status))
    content = {
        "content": report.recognised,
        "names": report.grammar,
        "source": {"name": source_name, "sha256": source_digest},
        "result": {"name": result_name, "sha256": result_digest},
        "tensors": counts,
        "filled": report.names("filled"),
        "dropped": {fate.name: fate.note for fate in report.fates if fate.status == "dropped"},
    }
    write_json(
        target.with_name(f"{target.name}.json"),
        content,
        sort_keys=True,
        error=ConversionError,
    )

"""Whether a finished scene's results are still what was written: sizes and sums in its metrics.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.config.run import Config
from paddle_umsft.machine.files import TEMPORARY
from paddle_umsft.machine.plain_files import digest_of, is_plain
from paddle_umsft.runs.writers.table import FORMATS

# Key of metrics.json.
FILES = "files"
# What counts as a result; pictures and pages are made from them.
SUFFIXES = {suffix for row in FORMATS.values() for suffix in (row.suffix, *row.more_suffixes)}


def result_sums(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and sha256 of every array in a scene's folder, by its name.

    Raises:
        OSError: One cannot be read.
    """
    sums = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(TEMPORARY):
            # Of a process that was killed: no result.
            continue
        if path.suffix in SUFFIXES and is_plain(path):
            sums[path.name] = {
                "bytes": path.stat().st_size,
                "sha256": digest_of(path),
            }
    return sums


def damage(folder: Path, metrics: Mapping[str, Any], config: Config) -> Optional[str]:
    """Return what is wrong with a finished scene's results; None where all are whole.

    Args:
        folder: The scene's.
        metrics: Content of its metrics.json.
        config: All settings: the fused cube of an old run, which kept no sums, must be there at least.
    """
    kept = metrics.get(FILES)
    if not isinstance(kept, dict):
        fused = "fused.npy"
        if config.output.format == "mat":
            fused = "fused.mat"
        if is_plain(folder / fused):
            return None
        return f"{fused} is missing"
    for name, facts in kept.items():
        found = _damage_of(folder, name, facts)
        if found:
            return f"{name} {found}"
    return None


def _damage_of(folder: Path, name: str, facts: Any) -> str:
    # A name out of a file may lead elsewhere.
    if Path(name).name != name or not isinstance(facts, dict):
        return "is no result"
    path = folder / name
    try:
        if not is_plain(path):
            return "is missing"
        if path.stat().st_size != facts.get("bytes"):
            return "is not as long as it was"
        if digest_of(path) != facts.get("sha256"):
            return "is not what was written"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""

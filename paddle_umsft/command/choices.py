"""What there is to choose from, for the end of a help: settings, presets and methods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# The methods of `methods/table.py`, in its order; the table itself imports too much for help.
METHODS = {
    "umsft": "the published network, trained on your one scene; needs Paddle",
    "uhntc": "its predecessor, trained likewise; needs Paddle",
    "subspace": "blind solver, seconds (that of fast.yml)",
    "ensemble": "the same, corrected (that of best.yml)",
    "bicubic": "interpolation: what every method has to beat",
    "gsa": "adaptive Gram-Schmidt, a classical baseline",
    "sfim": "smoothing-filter-based modulation, a baseline",
    "cnmf": "coupled unmixing, a baseline",
}
COMMENT = "# "
# A first comment says in its first sentence what a preset is for.
SENTENCE_END = ". "


def presets() -> dict[str, str]:
    """Return the presets of a checkout, or of a wheel, and what each is for."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "configs", package / "configs"):
        files = sorted(folder.glob("*.yml"))
        if files:
            return {file.name: _purpose(file) for file in files}
    return {}


def choices(option: str = "-o") -> str:
    """Return the paragraphs for the end of a help.

    Args:
        option: What settings are given by: "-o", or "--set" where -o is the output.
    """
    lines = [
        f"Settings: {option} section.key=value, any number of them behind one {option}, on top of the configuration.",
        "Values are YAML: 300, 0.001, true, null, text, [0,0,64,64]; quote a list, which some shells read otherwise.",
        "All keys, their defaults and what they mean: docs/configuration.md. A wrong one is answered with the nearest.",
        "",
        "Presets (-c):",
        *_listed(presets()),
        "",
        f"Methods ({option} method=NAME):",
        *_listed(METHODS),
    ]
    return "\n".join(lines)


def _purpose(file: Path) -> str:
    """Return the first sentence of a preset's first comment."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        # Help is not the place to say so.
        return ""
    first, _, _ = text.partition("\n")
    sentence, _, _ = first.removeprefix(COMMENT).partition(SENTENCE_END)
    return sentence.removesuffix(".")


def _listed(entries: Mapping[str, str]) -> list[str]:
    """Return a line for each name, what they mean below each other."""
    width = max((len(name) for name in entries), default=0)
    return [f"  {name.ljust(width)}  {meaning}" for name, meaning in entries.items()]

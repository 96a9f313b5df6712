"""Is the expected error right? python benchmarks/trust.py --data CAVE --srf SRF.npy --out FOLDER.

Pairs of `realism_scenes` (scenes that no constant of `paddle_umsft/trust` was fitted on) and the made-up scene of the
demo, fused by every method. Two figures for each:

- ratio: mean of error^2 / expected^2 over all pixels and bands; 1 is right, 0.7 to 1.4 is the aim;
- tenth: mean error of the tenth of the values that is expected to be the worst, over the mean error of all; 3 is the
  aim. Beside it stands what sorting by the error itself would reach: more is not to be had.

A row goes to FOLDER/trust.csv as soon as it is known; a second call does only what is missing. FOLDER/trust.md holds
the table. The truth is used for the figures only.

CAVE is a folder of CAVE scenes as Columbia ships them (512 x 512 pixels, 31 bands); SRF.npy holds the response of the
MSI's bands, (31, 3).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.realism import append_row, configuration, observation_of, read_rows
from benchmarks.realism_effects import EFFECTS, pair_of
from benchmarks.realism_optics import Bench
from benchmarks.realism_scenes import CROPS, Crop, RealPair, load_scene, load_srf
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import UmsftError
from paddle_umsft.machine.files import write_text
from paddle_umsft.machine.tables import TextTable
from paddle_umsft.methods.table import run_method

KEYS = ("effect", "scale", "method", "crop")
FIELDS = (*KEYS, "ratio", "tenth", "best_tenth", "rmse", "expected", "seconds", "trust_seconds", "verdict", "error")
METHODS = ("bicubic", "gsa", "sfim", "cnmf", "fast", "best")
DEFAULT_EFFECTS = (
    "clean",
    "psf_gaussian_0.5",
    "psf_gaussian_1.0",
    "shift_2",
    "offset",
    "srgb",
    "stripes_2",
    "saturated_5",
    "dead_hsi_5",
    "half_shadow",
    "poisson_1000",
)
# The crops of scenes that the constants were not fitted on: not flowers, not stuffed toys.
REPORTED = CROPS[:4]
DEMO = Crop("dead_leaves", 0, 0)
# Pairs at other scales are clean; x32 needs more of a scene to have LR pixels enough.
OTHER_SCALES = (4, 32)
LARGE_SCALE = 32
LARGE = 256
WORST = 0.1
AIM = (0.7, 1.4)
DIGITS = 4


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="CAVE scenes")
    parser.add_argument("--srf", required=True, metavar="FILE", help="(31, 3) response of the MSI's bands, .npy")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="tables go there")
    parser.add_argument("--effects", nargs="+", default=list(DEFAULT_EFFECTS), choices=list(EFFECTS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="NAME", help="or presets")
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, or 3 if nothing could be read."""
    args = parse(argv)
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trust.csv"
    rows = read_rows(path)
    done = {tuple(str(row[key]) for key in KEYS) for row in rows}
    try:
        for effect, crop, pair in pairs(args):
            for method in args.methods:
                if (effect, str(pair.scale), method, crop.name) in done:
                    continue
                row = one_row(pair, effect, method, crop)
                rows.append(row)
                append_row(path, row, FIELDS)
                print(", ".join(f"{name} {row[name]}" for name in FIELDS if name in row), flush=True)
    except UmsftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_text(folder / "trust.md", table_of(rows))
    return 0


def pairs(args: argparse.Namespace) -> Iterator[tuple[str, Crop, RealPair]]:
    """Make every pair: each effect at the usual scale, and clean ones at the others."""
    srf = load_srf(args.srf)
    for effect in args.effects:
        for crop in REPORTED:
            scene = load_scene(args.data, crop.scene)
            yield effect, crop, pair_of(scene, crop, effect, srf)
            if effect != "clean":
                continue
            for scale in OTHER_SCALES:
                part = crop
                if scale == LARGE_SCALE:
                    part = Crop(crop.scene, 128, 128, LARGE, LARGE)
                yield effect, part, pair_of(scene, part, effect, srf, scale=scale)
        if effect in ("clean", "poisson_1000"):
            yield effect, DEMO, demo_pair(effect, srf)


def demo_pair(effect: str, srf: np.ndarray) -> RealPair:
    """Return a pair of the made-up scene."""
    bench = Bench(
        cube=dead_leaves_scene().hr_hsi.astype(np.float64),
        photograph=None,
        crop=DEMO,
        srf=srf,
        rng=np.random.default_rng(0),
        divisor=1.0,
    )
    pair = EFFECTS[effect](bench)
    pair.lr_hsi = pair.lr_hsi.astype(np.float32)
    pair.hr_msi = pair.hr_msi.astype(np.float32)
    pair.hr_hsi = pair.hr_hsi.astype(np.float32)
    return pair


def one_row(
    pair: RealPair,
    effect: str,
    method: str,
    crop: Crop,
) -> dict[str, Any]:
    """Fuse one pair by one method, and hold what was expected against what came."""
    row: dict[str, Any] = {"effect": effect, "scale": pair.scale, "method": method, "crop": crop.name}
    started = time.perf_counter()
    try:
        result = run_method(observation_of(pair, crop, told=False), configuration(method))
    except UmsftError as error:
        row["error"] = str(error)
        return row
    seconds = time.perf_counter() - started
    assert result.trust is not None
    expected = result.trust.expected.cube()
    row.update(figures(pair.hr_hsi, result.fused, expected))
    row["seconds"] = round(seconds, 3)
    row["trust_seconds"] = round(result.trust.seconds, 3)
    row["verdict"] = result.trust.verdict.kind
    return row


def figures(truth: np.ndarray, fused: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Return ratio, tenth and what they are made of.

    Args:
        truth: (H, W, C).
        fused: (H, W, C).
        expected: (H, W, C).
    """
    error = np.abs(truth.astype(np.float64) - fused).ravel()
    foreseen = expected.astype(np.float64).ravel()
    count = max(1, int(WORST * error.size))
    mean = float(error.mean())
    worst_foreseen = np.argpartition(foreseen, -count)[-count:]
    worst = np.partition(error, -count)[-count:]
    values = {
        "ratio": np.mean((error / foreseen) ** 2),
        "tenth": error[worst_foreseen].mean() / mean,
        "best_tenth": worst.mean() / mean,
        "rmse": np.sqrt(np.mean(error**2)),
        "expected": np.sqrt(np.mean(foreseen**2)),
    }
    return {name: round(float(value), DIGITS) for name, value in values.items()}


def table_of(rows: Sequence[dict[str, Any]]) -> str:
    """Set the table as Markdown: a line an effect and scale, a column a method, and how much meets the aim."""
    judged = [row for row in rows if row.get("ratio")]
    methods = list(dict.fromkeys(row["method"] for row in judged))
    groups = list(dict.fromkeys((row["effect"], str(row["scale"])) for row in judged))
    lines = []
    for effect, scale in groups:
        cells = []
        for method in methods:
            group = [
                row for row in judged if (row["effect"], str(row["scale"]), row["method"]) == (effect, scale, method)
            ]
            cells.append(_cell(group))
        lines.append([effect, f"×{scale}", *cells])
    lines.append(["all", "", *(_share_cell([row for row in judged if row["method"] == method]) for method in methods)])
    table = TextTable(["effect", "scale", *methods], lines, words=2)
    head = (
        "Least to largest mean(error² / expected²) over the scenes; mean error of the worst tenth by expectation over "
        f"the mean error. Last line: share of the ratios within {AIM[0]} to {AIM[1]}, of the tenths from 3 on.\n\n"
    )
    return f"{head}{table.markdown()}\n"


def _cell(group: Sequence[dict[str, Any]]) -> str:
    """Ratios and tenth of one method on one effect."""
    if not group:
        return ""
    ratios = [float(row["ratio"]) for row in group]
    tenth = np.mean([float(row["tenth"]) for row in group])
    return f"{min(ratios):.2f}-{max(ratios):.2f}; {tenth:.1f}"


def _share_cell(group: Sequence[dict[str, Any]]) -> str:
    """How many rows meet the aims."""
    ratios = np.array([float(row["ratio"]) for row in group])
    tenths = np.array([float(row["tenth"]) for row in group])
    within = np.mean((ratios >= AIM[0]) & (ratios <= AIM[1]))
    return f"{100 * within:.0f} %; {100 * np.mean(tenths >= 3):.0f} %"


if __name__ == "__main__":
    sys.exit(main())

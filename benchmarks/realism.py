"""Methods outside the package's own simulator: python benchmarks/realism.py --data CAVE --srf SRF.npy --out FOLDER.

Every effect of `realism_effects.EFFECTS` by every method on every crop. A row per effect, method and crop goes to
FOLDER/realism.csv as soon as it is known; a second call does only what is missing. FOLDER/realism.md holds two tables:
the means over the crops, and what the best method found against what is true. The truth is used for the figures only.

CAVE is a folder of CAVE scenes as Columbia ships them (512 x 512 pixels, 31 bands); SRF.npy holds the response of the
MSI's bands, (31, 3).
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.realism_effects import EFFECTS, pair_of
from benchmarks.realism_scenes import (
    CROPS,
    WAVELENGTHS_NM,
    Crop,
    RealPair,
    load_scene,
    load_srf,
)
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import UmsftError
from paddle_umsft.machine.files import write_text
from paddle_umsft.machine.tables import TextTable
from paddle_umsft.methods.table import METHODS, run_method
from paddle_umsft.metrics import evaluate
from paddle_umsft.metrics.summary import means_over_scenes

KEYS = ("effect", "method", "crop")
FIELDS = (*KEYS, "PSNR", "SAM", "seconds", "notes", "true", "error")
DEFAULT_METHODS = ("bicubic", "gsa", "fast", "best")
# `best` once more, told the PSF and the SRF, as far as one kernel and one table say them.
KNOWN = "best, told PSF and SRF"
# Bands without any light left in them are judged apart: nothing of them was recorded.
LOST_BANDS = "drowned"
LONGEST_TRUTH = 60  # characters of a true parameter in the table


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="CAVE scenes")
    parser.add_argument("--srf", required=True, metavar="FILE", help="(31, 3) response of the MSI's bands, .npy")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="tables go there")
    parser.add_argument("--effects", nargs="+", default=list(EFFECTS), choices=list(EFFECTS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=list(DEFAULT_METHODS), metavar="NAME", help="or presets")
    parser.add_argument("--crops", nargs="+", type=int, default=list(range(len(CROPS))), metavar="N", help="from 0")
    parser.add_argument("--known", action="store_true", help="a column of `best` that is told PSF and SRF")
    parser.add_argument("-o", "--override", nargs="+", default=[], metavar="KEY=VALUE", help="settings of all methods")
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, or 3 if nothing could be read."""
    args = parse(argv)
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "realism.csv"
    rows = read_rows(path)
    methods = [*args.methods]
    if args.known:
        methods.append(KNOWN)
    try:
        for row in missing_rows(args, methods, rows):
            rows.append(row)
            append_row(path, row, FIELDS)
            print(f"{row['effect']}, {row['method']}, {row['crop']}: {row['PSNR']} dB, {row['SAM']}", flush=True)
    except UmsftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_text(folder / "realism.md", tables_of(rows))
    return 0


def missing_rows(
    args: argparse.Namespace,
    methods: Sequence[str],
    rows: Sequence[dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Make what the file does not hold yet, pair by pair."""
    done = {tuple(row[key] for key in KEYS) for row in rows}
    srf = load_srf(args.srf)
    for number in args.crops:
        crop = CROPS[number]
        scene = load_scene(args.data, crop.scene)
        for effect in args.effects:
            wanted = [method for method in methods if (effect, method, crop.name) not in done]
            if not wanted:
                continue
            pair = pair_of(scene, crop, effect, srf)
            for method in wanted:
                yield one_row(pair, effect, method, crop, args.override)


def one_row(
    pair: RealPair,
    effect: str,
    method: str,
    crop: Crop,
    override: Sequence[str] = (),
) -> dict[str, Any]:
    """Fuse one pair by one method and judge the result."""
    row: dict[str, Any] = {"effect": effect, "method": method, "crop": crop.name, "true": truth_words(pair)}
    started = time.perf_counter()
    try:
        observation = observation_of(pair, crop, told=method == KNOWN)
        result = run_method(observation, configuration(method, override))
    except UmsftError as error:
        row["error"] = str(error)
        row["PSNR"] = row["SAM"] = math.nan
        return row
    row["seconds"] = round(time.perf_counter() - started, 2)
    row["notes"] = " | ".join(result.notes)
    row.update(figures(pair, result))
    return row


def configuration(method: str, override: Sequence[str] = ()) -> Config:
    """Return the settings of a method's or a preset's name."""
    if method == KNOWN:
        return load_config("best", [*override])
    if method in METHODS:
        return load_config(None, [f"method={method}", *override])
    return load_config(method, [*override])


def observation_of(pair: RealPair, crop: Crop, *, told: bool) -> Observation:
    """Return what a method is given: the two images, the wavelengths, and, if told, PSF and SRF."""
    psf = None
    srf = None
    if told and pair.psf.ndim == 2:  # (k, k): the same for all bands
        psf = pair.psf
        srf = pair.srf
    return Observation(
        lr_hsi=pair.lr_hsi,
        hr_msi=pair.hr_msi,
        scale=pair.scale,
        name=crop.name,
        psf=psf,
        srf=srf,
        wavelengths_nm=WAVELENGTHS_NM,
    )


def figures(pair: RealPair, result: FusionResult) -> dict[str, float]:
    """Return PSNR and SAM (`author`) over the bands that the HSI recorded."""
    lost = set(np.atleast_1d(pair.true.get(LOST_BANDS, [])).tolist())
    kept = [band for band in range(pair.hr_hsi.shape[2]) if band not in lost]
    values = evaluate(pair.hr_hsi[:, :, kept], result.fused[:, :, kept], scale=pair.scale, convention="author")
    return {name: round(values[name], 3) for name in ("PSNR", "SAM")}


def truth_words(pair: RealPair) -> str:
    """Say what was done to the pair, in a line; masks and images only by their name."""
    words = []
    for name, value in pair.true.items():
        if name in ("effect", "crop", "divisor"):
            continue
        array = np.asarray(value)
        text = str(value)
        if array.size > 4 or len(text) > LONGEST_TRUTH:
            text = "a map"
        words.append(f"{name} {text}")
    return ", ".join(words)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of an earlier call."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append_row(path: Path, row: dict[str, Any], fields: Sequence[str]) -> None:
    """Add a row to the file, below the names of its fields."""
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def tables_of(rows: Sequence[dict[str, Any]]) -> str:
    """Set both tables as Markdown."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    effects = [effect for effect in EFFECTS if any(row["effect"] == effect for row in rows)]
    means = TextTable(
        ["effect", "crops", *methods],
        [_mean_line(effect, methods, rows) for effect in effects],
        words=1,
    )
    found = TextTable(
        ["effect", "true", "found by best, crop by crop"],
        [_found_line(effect, rows) for effect in effects],
        words=3,
    )
    head = "Mean PSNR (dB) / SAM (°), `author` convention.\n\n"
    return f"{head}{means.markdown()}\n\nWhat was found against what is true.\n\n{found.markdown()}\n"


def _mean_line(effect: str, methods: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[str]:
    """One effect: PSNR / SAM of every method, and how many crops failed."""
    cells = []
    crops = 0
    for method in methods:
        of_method = [row for row in rows if row["effect"] == effect and row["method"] == method]
        crops = max(crops, len(of_method))
        judged = [row for row in of_method if math.isfinite(float(row["PSNR"]))]
        if not judged:
            cells.append("refused" if of_method else "")
            continue
        numbers = [{name: float(row[name]) for name in ("PSNR", "SAM")} for row in judged]
        means = means_over_scenes(numbers)
        cell = f"{means['PSNR'].mean:.2f} / {means['SAM'].mean:.2f}"
        refused = len(of_method) - len(judged)
        if refused:
            cell += f" ({refused} refused)"
        cells.append(cell)
    return [effect, str(crops), *cells]


def _found_line(effect: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """One effect: what is true, and the notes of `best` on each crop."""
    of_best = [row for row in rows if row["effect"] == effect and row["method"] == "best"]
    true = of_best[0]["true"] if of_best else ""
    notes = [row["notes"] or "nothing" for row in of_best if row.get("notes") is not None]
    return [effect, true, "<br>".join(notes)]


if __name__ == "__main__":
    sys.exit(main())

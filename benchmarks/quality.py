"""Quality and seconds of presets on scenes: python benchmarks/quality.py --presets fast best --scenes ... --out FOLDER.

One row per preset, scene, scale and seed goes to FOLDER/quality.csv as soon as it is known; a second call does only
what is missing. FOLDER/quality.md holds the table: mean and spread over scenes and seeds. The truth is used for the
figures only.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.readers import list_scenes, read_scene
from paddle_umsft.data.scene import Case, Scene
from paddle_umsft.errors import ConfigError, UmsftError
from paddle_umsft.methods.table import METHODS, run_method
from paddle_umsft.metrics import evaluate

KEYS = ("preset", "scene", "size", "scale", "seed", "psf", "srf", "snr_db", "options", "convention")
FIGURES = ("PSNR", "SAM", "ERGAS", "SSIM", "RMSE")
FIELDS = (*KEYS, *FIGURES, "seconds", "error")


@dataclass(frozen=True)
class Preset:
    """A configuration by name, with settings of its own behind a colon: best:ensemble.members=1,ensemble.features=9."""

    label: str

    @property
    def overrides(self) -> list[str]:
        _, _, rest = self.label.partition(":")
        return [part for part in rest.split(",") if part]

    def config(self, common: Sequence[str]) -> Config:
        name = self.label.partition(":")[0]
        if name in METHODS and name != "umsft":
            return load_config(None, [*common, f"method={name}", *self.overrides])
        return load_config(name, [*common, *self.overrides])


def build_parser() -> argparse.ArgumentParser:
    """Returns the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--presets", nargs="+", default=["fast", "best"], help="configurations, methods, or NAME:key=value,key=value")
    add("--scenes", nargs="+", required=True, metavar="PATH", help="files, CAVE folders, folders of scenes, demo://...")
    add("--only", nargs="*", default=[], metavar="WORD", help="scenes whose name holds one of these words")
    add("--scales", nargs="+", type=int, default=[8])
    add("--seeds", nargs="+", type=int, default=[1])
    add("--crop", type=int, default=0, metavar="N", help="N x N from the centre; 0: the whole scene")
    add("--sigma", type=float, metavar="F", help="standard deviation of the PSF, as a fraction of the scale")
    add("--convention", default="author", choices=("author", "dian", "yokoya"))
    add("-o", "--override", action="append", nargs="+", default=[], metavar="KEY=VALUE", help="for every preset")
    add("--out", required=True, type=Path, metavar="FOLDER")
    return parser


def centre(scene: Scene, size: int) -> Scene:
    """The size x size pixels in the middle, or the scene where it is not larger."""
    height, width = scene.hr_hsi.shape[:2]
    if not size or size >= min(height, width):
        return scene
    top, left = (height - size) // 2, (width - size) // 2
    return scene.with_cube(scene.hr_hsi[top : top + size, left : left + size], f"{size}x{size} from the centre")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of an earlier call."""
    if not path.exists():
        return []
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def add_row(path: Path, row: dict[str, str]) -> None:
    """Appends one row; writes the header first in a new file."""
    new = not path.exists()
    with path.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def measure(case: Case, config: Config, convention: str) -> dict[str, str]:
    """Fuses one case and returns its figures and seconds."""
    started = time.perf_counter()
    result = run_method(case.observation, config)
    seconds = time.perf_counter() - started
    values = evaluate(case.reference, result.fused, scale=case.observation.scale, convention=convention)
    figures = {name: f"{values[name]:.4f}" for name in FIGURES if name in values}
    return {**figures, "seconds": f"{seconds:.2f}", "error": ""}


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{deviation}"


def table(rows: Iterable[dict[str, str]]) -> str:
    """Markdown: one line per preset, size, scale, noise and options."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        if not row["error"]:
            key = tuple(row[name] for name in ("scale", "size", "snr_db", "options", "preset", "convention"))
            groups.setdefault(key, []).append(row)
    lines = [
        "| scale | size | noise dB | options | preset | convention | runs | PSNR dB | SAM ° | ERGAS | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key, members in sorted(groups.items(), key=lambda item: (int(item[0][0]), item[0][1:])):
        figures = [spread([float(row[name]) for row in members]) for name in ("PSNR", "SAM", "ERGAS", "seconds")]
        lines.append("| " + " | ".join([*key, str(len(members)), *figures]) + " |")
    return "\n".join(lines) + "\n"


def cases_of(args: argparse.Namespace, common: Sequence[str]) -> Iterable[tuple[Scene, Config, int, int]]:
    """All scenes with an observing configuration, scale and seed."""
    for path in args.scenes:
        base = load_config(None, [*common, f"data.path={path}"])
        for entry in list_scenes(base.data):
            if args.only and not any(word in entry.name for word in args.only):
                continue
            scene = centre(read_scene(entry.settings, entry.name), args.crop)
            for scale in args.scales:
                extra = [f"observe.scale={scale}"]
                if args.sigma:
                    extra.append(f"observe.psf.sigma={args.sigma * scale}")
                for seed in args.seeds:
                    yield scene, load_config(None, [*common, *extra, f"seed={seed}"]), scale, seed


def run(args: argparse.Namespace) -> int:
    """Measures what is missing and writes the table."""
    common = [item for group in args.override for item in group]
    presets = [Preset(label) for label in args.presets]
    for preset in presets:
        preset.config(common)  # a wrong name or key fails before the first run, not after an hour
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "quality.csv"
    done = {tuple(row[key] for key in KEYS) for row in read_rows(path) if not row["error"]}
    options = " ".join(common + ([f"sigma={args.sigma}s"] if args.sigma else []))
    failed = 0
    for scene, observing, scale, seed in cases_of(args, common):
        case: Optional[Case] = None
        for preset in presets:
            size = "x".join(map(str, scene.hr_hsi.shape))
            observe = observing.observe
            noise = f"{observe.snr_hsi_db or '-'}/{observe.snr_msi_db or '-'}"
            seen = (scene.name, size, scale, seed, observe.psf.type, observe.srf, noise)
            row = dict(zip(KEYS, map(str, (preset.label, *seen, options, args.convention))))
            if tuple(row.values()) in done:
                continue
            try:
                case = case or simulate(scene, observe, seed)
                row.update(measure(case, preset.config([*common, f"seed={seed}"]), args.convention))
                print(f"{preset.label} {scene.name} x{scale}: {row['PSNR']} dB, {row['SAM']} deg, {row['seconds']} s")
            except UmsftError as error:
                failed += 1
                row["error"] = str(error)
                print(f"{preset.label} {scene.name} x{scale}: {error}", file=sys.stderr)
            sys.stdout.flush()
            add_row(path, row)
    text = table(read_rows(path))
    (args.out / "quality.md").write_text(text)
    print(text)
    return 1 if failed else 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Entry point; returns the exit code."""
    args = build_parser().parse_args(argv)
    try:
        if min(args.scales) < 2 or args.crop < 0:
            got = f"{args.scales} {args.crop}"
            raise ConfigError("scales begin at 2, crops at 0", where="--scales, --crop", got=got)
        return run(args)
    except UmsftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())

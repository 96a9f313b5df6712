"""Quality and seconds of presets on scenes: python benchmarks/quality.py --presets fast best --scenes ... --out FOLDER.

One row per preset, scene, scale and seed goes to FOLDER/quality.csv as soon as it is known; a second call does only
what is missing. FOLDER/quality.md holds the table: mean and spread over scenes and seeds. The truth is used for the
figures only.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.data.reading import read_scene
from paddle_umsft.data.scene import Case, Scene
from paddle_umsft.errors import ConfigError, UmsftError
from paddle_umsft.machine.files import write_text
from paddle_umsft.machine.tables import TextTable
from paddle_umsft.methods.table import METHODS, run_method
from paddle_umsft.metrics import evaluate, find_convention
from paddle_umsft.metrics.figures import measure_of
from paddle_umsft.metrics.summary import mean_words, means_over_scenes

# What makes a measurement: one of the same keys is not made again.
KEYS = ("preset", "scene", "size", "scale", "seed", "psf", "srf", "snr_db", "options", "convention")
FIGURES = ("PSNR", "SAM", "ERGAS", "SSIM", "RMSE")
FIELDS = (*KEYS, *FIGURES, "seconds", "error")

# Rows that agree in these are averaged; the columns of the table, in its order, with their titles.
GROUP = {
    "scale": "scale",
    "size": "size",
    "snr_db": "noise dB",
    "options": "options",
    "preset": "preset",
    "convention": "convention",
}
AVERAGED = ("PSNR", "SAM", "ERGAS", "seconds")
# Enough to tell presets apart; means over scenes spread by more than that.
MEAN_DIGITS = 2


@dataclass(frozen=True)
class Preset:
    """A configuration by name, with settings of its own behind a colon: best:ensemble.members=1,ensemble.features=9."""

    label: str

    @property
    def overrides(self) -> list[str]:
        """Return its own settings."""
        _, _, rest = self.label.partition(":")
        return [part for part in rest.split(",") if part]

    def config(self, common: Sequence[str]) -> Config:
        """Return its configuration with the settings that all presets share."""
        name = self.label.partition(":")[0]
        if name in METHODS and name != "umsft":
            return load_config(None, [*common, f"method={name}", *self.overrides])
        return load_config(name, [*common, *self.overrides])


def build_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--presets", nargs="+", default=["fast", "best"], help="configurations, methods, or NAME:key=value,key=value")
    add("--scenes", nargs="+", required=True, metavar="PATH", help="files, CAVE folders, folders of scenes, demo://...")
    add("--only", nargs="*", default=[], metavar="WORD", help="scenes whose name holds one of these words")
    add("--scales", nargs="+", type=int, default=[8])
    add("--seeds", nargs="+", type=int, default=[1])
    add("--crop", type=int, default=0, metavar="N", help="N x N from the centre; 0: the whole scene")
    add("--sigma", type=float, metavar="F", help="standard deviation of the PSF, as a fraction of the scale")
    add("--convention", default="author", metavar="NAME", help="see docs/metrics.md")
    add("-o", "--override", action="append", nargs="+", default=[], metavar="KEY=VALUE", help="for every preset")
    add("--out", required=True, type=Path, metavar="FOLDER")
    return parser


def centre(scene: Scene, size: int) -> Scene:
    """Return the size x size pixels in the middle, or the scene where it is not larger."""
    height, width = scene.hr_hsi.shape[:2]
    if not size or size >= min(height, width):
        return scene
    top = (height - size) // 2
    left = (width - size) // 2
    middle = scene.hr_hsi[top : top + size, left : left + size]
    return scene.with_cube(middle, f"{size}x{size} from the centre")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of an earlier call."""
    if not path.exists():
        return []
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def add_row(path: Path, row: dict[str, str]) -> None:
    """Append one row; writes the header first in a new file."""
    new = not path.exists()
    with path.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def measure(
    case: Case,
    config: Config,
    convention: str,
) -> dict[str, str]:
    """Fuse one case and return its figures and seconds."""
    started = time.perf_counter()
    result = run_method(case.observation, config)
    seconds = time.perf_counter() - started
    values = evaluate(case.reference, result.fused, scale=case.observation.scale, convention=convention)
    figures = {name: f"{values[name]:.4f}" for name in FIGURES if name in values}
    return {**figures, "seconds": f"{seconds:.2f}", "error": ""}


def table(rows: Iterable[dict[str, str]]) -> str:
    """Return Markdown: one line per preset, size, scale, noise and options."""
    groups: dict[tuple[str, ...], list[dict[str, float]]] = {}
    for row in rows:
        # A measurement that failed has no figures.
        if not row["error"]:
            key = tuple(row[name] for name in GROUP)
            figures = {name: float(row[name]) for name in AVERAGED}
            groups.setdefault(key, []).append(figures)

    head = [*GROUP.values(), "runs"]
    for name in AVERAGED[:-1]:
        head.append(f"{name} {measure_of(name).unit}".rstrip())
    head.append(AVERAGED[-1])
    lines = []
    for key, members in sorted(groups.items(), key=_by_scale):
        means = means_over_scenes(members)
        runs = len(members)
        cells = [mean_words(name, means.get(name), runs, MEAN_DIGITS) for name in AVERAGED]
        lines.append([*key, str(runs), *cells])
    return TextTable(head, lines, words=len(GROUP)).markdown()


def _by_scale(item: tuple[tuple[str, ...], Any]) -> tuple[int, tuple[str, ...]]:
    """Return what groups are sorted by: the scale as a number, then the rest as text."""
    scale, *rest = item[0]
    return int(scale), tuple(rest)


@dataclass(frozen=True)
class Job:
    """A scene to be observed in one way.

    Attributes:
        scene: The scene.
        config: Says how it is observed.
        scale: Ratio of the resolutions.
        seed: Of the noise, and of the method.
    """

    scene: Scene
    config: Config
    scale: int
    seed: int

    def keys(
        self,
        preset: Preset,
        options: str,
        convention: str,
    ) -> dict[str, str]:
        """Return what tells the measurement of a preset from all others."""
        observe = self.config.observe
        values = {
            "preset": preset.label,
            "scene": self.scene.name,
            "size": "x".join(str(size) for size in self.scene.hr_hsi.shape),
            "scale": self.scale,
            "seed": self.seed,
            "psf": observe.psf.type,
            "srf": observe.srf,
            "snr_db": f"{observe.snr_hsi_db or '-'}/{observe.snr_msi_db or '-'}",
            "options": options,
            "convention": convention,
        }
        return {name: str(value) for name, value in values.items()}


def jobs_of(args: argparse.Namespace, common: Sequence[str]) -> Iterable[Job]:
    """Yield all scenes with an observing configuration, for each scale and seed."""
    for path in args.scenes:
        base = load_config(None, [*common, f"data.path={path}"])
        for entry in list_scenes(base.data):
            if args.only and not any(word in entry.name for word in args.only):
                continue
            scene = centre(read_scene(entry.settings, entry.name), args.crop)
            for scale in args.scales:
                observing = [*common, f"observe.scale={scale}"]
                if args.sigma:
                    observing.append(f"observe.psf.sigma={args.sigma * scale}")
                for seed in args.seeds:
                    config = load_config(None, [*observing, f"seed={seed}"])
                    yield Job(
                        scene=scene,
                        config=config,
                        scale=scale,
                        seed=seed,
                    )


@dataclass
class Campaign:
    """Measurements that are kept in one file.

    Attributes:
        path: The file.
        common: Settings of all presets.
        convention: Of the figures.
        options: `common` in words, a key of every row.
        done: Keys of the measurements that are there already.
        failed: How many could not be made.
    """

    path: Path
    common: Sequence[str]
    convention: str
    options: str
    done: set[tuple[str, ...]] = field(default_factory=set)
    failed: int = 0

    def measure_job(self, job: Job, presets: Sequence[Preset]) -> None:
        """Measure the presets that are missing on one job; a row goes to the file as soon as it is known."""
        case: Optional[Case] = None
        for preset in presets:
            row = job.keys(preset, self.options, self.convention)
            if tuple(row.values()) in self.done:
                continue
            said = f"{preset.label} {job.scene.name} x{job.scale}"
            try:
                # Made once, and only where something is missing.
                case = case or simulate(job.scene, job.config.observe, job.seed)
                config = preset.config([*self.common, f"seed={job.seed}"])
                row.update(measure(case, config, self.convention))
                print(f"{said}: {row['PSNR']} dB, {row['SAM']} deg, {row['seconds']} s")
            except UmsftError as error:
                self.failed += 1
                row["error"] = str(error)
                print(f"{said}: {error}", file=sys.stderr)
            sys.stdout.flush()
            add_row(self.path, row)


def run(args: argparse.Namespace) -> int:
    """Measure what is missing and write the table."""
    find_convention(args.convention, where="--convention")
    common = [item for group in args.override for item in group]
    presets = [Preset(label) for label in args.presets]
    for preset in presets:
        preset.config(common)  # a wrong name or key fails before the first run, not after an hour
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "quality.csv"
    words = list(common)
    if args.sigma:
        words.append(f"sigma={args.sigma}s")
    earlier = [row for row in read_rows(path) if not row["error"]]
    campaign = Campaign(
        path=path,
        common=common,
        convention=args.convention,
        options=" ".join(words),
        done={tuple(row[key] for key in KEYS) for row in earlier},
    )
    for job in jobs_of(args, common):
        campaign.measure_job(job, presets)
    text = table(read_rows(path))
    write_text(args.out / "quality.md", text)
    print(text)
    return 1 if campaign.failed else 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns the exit code."""
    args = build_parser().parse_args(argv)
    try:
        if min(args.scales) < 2 or args.crop < 0:
            got = f"{args.scales} {args.crop}"
            raise ConfigError(
                "scales begin at 2, crops at 0",
                where="--scales, --crop",
                got=got,
            )
        return run(args)
    except UmsftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())

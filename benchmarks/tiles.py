"""What training tile by tile costs: python benchmarks/tiles.py --scene CAVE/balloons_ms --tile 288 --steps 60 --out OUT

The scene is fused as a whole and in tiles, from the same start and with as many steps; each goes to a file of OUT as
soon as it is there (a second call does only what is missing), then both are compared: with the truth, with each other,
and at the places where tiles end with the places inside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.data.reading import read_scene
from paddle_umsft.data.scene import Case
from paddle_umsft.methods.networks.tile_grid import Axis, TileGrid
from paddle_umsft.methods.table import input_of, run_method, tiles_for
from paddle_umsft.metrics import evaluate

FIGURES = ("PSNR", "SAM", "ERGAS")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--scene", required=True, help="file or folder of a scene")
    add("--method", default="umsft", choices=("umsft", "uhntc"))
    add("--scale", type=int, default=8)
    add("--tile", type=int, required=True, help="HR pixels of a tile's side")
    add("--steps", type=int, required=True, help="of the fusion, in either way")
    add("--set", nargs="*", default=[], metavar="key=value", help="more settings")
    add("--only", choices=("whole", "tiles"), help="one of the two, and no comparison unless both exist")
    add("--out", type=Path, required=True)
    return parser


def config_of(args: argparse.Namespace, tile: str) -> Config:
    """The settings of one way."""
    name = "published.yml"
    if args.method == "uhntc":
        name = "uhntc.yml"
    section = {"umsft": "solver", "uhntc": "uhntc"}[args.method]
    overrides = [
        f"data.path={args.scene}",
        f"observe.scale={args.scale}",
        f"{section}.iterations={args.steps}",
        f"runtime.tile={tile}",
        *args.set,
    ]
    return load_config(name, overrides)


def fused_by(
    way: str,
    case: Case,
    config: Config,
    out: Path,
) -> np.ndarray:
    """The cube of one way, made unless it is there."""
    file = out / f"{way}.npy"
    if file.is_file():
        cube: np.ndarray = np.load(file)
        return cube
    started = time.perf_counter()
    used = time.process_time()
    result = run_method(case.observation, config)
    seconds = time.perf_counter() - started
    processor_seconds = time.process_time() - used
    last_record = result.history[-1]
    facts = {
        "seconds": round(seconds, 1),
        "seconds of processor time": round(processor_seconds, 1),
        "loss": last_record["loss"],
    }
    np.save(file, result.fused)
    (out / f"{way}.json").write_text(json.dumps(facts))
    print(way, facts, flush=True)
    return result.fused


def ends_of(axis: Axis) -> np.ndarray:
    """HR lines of one axis before which a tile begins or ends to count."""
    guard = axis.guard
    starts = [start + guard for start in axis.starts[1:]]
    stops = [start + axis.size - guard for start in axis.starts[:-1]]
    lines = np.array(starts + stops)
    return np.unique(lines) * axis.scale


def blended_lines(axis: Axis) -> np.ndarray:
    """(n,) True at the HR lines where more than one tile counts."""
    several = np.zeros(axis.length * axis.scale, dtype=int)
    for start, weight in zip(axis.starts, axis.weights):
        first = start * axis.scale
        end = first + len(weight)
        several[first:end] += weight > 0
    return several > 1


def root_mean(squares: np.ndarray) -> float:
    """Root of the mean of squares."""
    return float(np.sqrt(squares.mean()))


def steps_across(
    error: np.ndarray,
    lines: np.ndarray,
    axis: int,
) -> tuple[float, float]:
    """Root mean square of what an error changes by, from one line to the next: at these lines, and at all others.

    Args:
        error: (H, W, C).
        lines: Numbers of lines that begin something.
        axis: Which way.
    """
    steps = np.diff(error, axis=axis) ** 2
    others = tuple(other for other in range(3) if other != axis)
    energy = steps.mean(axis=others)
    at_ends = np.zeros(len(energy), dtype=bool)
    at_ends[lines - 1] = True
    return root_mean(energy[at_ends]), root_mean(energy[~at_ends])


def compare(
    case: Case,
    whole: np.ndarray,
    tiled: np.ndarray,
    config: Config,
) -> dict[str, Any]:
    """All figures."""
    truth = case.reference
    assert truth is not None
    prepared = input_of(case.observation, config)
    plan = tiles_for(prepared.observation, config)
    assert plan is not None
    cubes = {"whole": whole, "tiles": tiled}
    figures: dict[str, Any] = {"tiles": plan.count}
    for way, cube in cubes.items():
        values = evaluate(truth, cube, scale=case.observation.scale)
        figures[way] = {name: round(values[name], 3) for name in FIGURES}
    span = float(np.ptp(truth))
    apart = (tiled - whole) ** 2
    figures["rms between both / range"] = root_mean(apart) / span
    for way, cube in cubes.items():
        error = (cube - truth).astype(np.float64)
        figures.update(errors_of(way, error, plan.grid))
    return figures


def errors_of(
    way: str,
    error: np.ndarray,
    grid: TileGrid,
) -> dict[str, Any]:
    """Figures of one way's error where tiles meet, and elsewhere."""
    rows = blended_lines(grid.down)
    columns = blended_lines(grid.across)
    is_blended = rows[:, None] | columns[None, :]
    squares = np.mean(error**2, axis=2)
    down = steps_across(error, ends_of(grid.down), axis=0)
    across = steps_across(error, ends_of(grid.across), axis=1)
    return {
        f"rmse of {way} where tiles are blended": root_mean(squares[is_blended]),
        f"rmse of {way} elsewhere": root_mean(squares[~is_blended]),
        f"{way}: step of the error down, at ends of tiles and elsewhere": down,
        f"{way}: step of the error across, the same": across,
    }


def main(argv: Optional[list[str]] = None) -> int:
    """Run; return 0."""
    args = build_parser().parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    tiles = str(args.tile)
    config = config_of(args, tiles)
    (entry,) = list_scenes(config.data)
    scene = read_scene(entry.settings, entry.name)
    case = simulate(scene, config.observe, config.seed)
    cubes = {}
    for way, tile in (("whole", "none"), ("tiles", tiles)):
        is_wanted = args.only in (None, way)
        is_there = (args.out / f"{way}.npy").is_file()
        if is_wanted or is_there:
            own_config = config_of(args, tile)
            cubes[way] = fused_by(way, case, own_config, args.out)
    if len(cubes) == 2:
        figures = compare(case, cubes["whole"], cubes["tiles"], config)
        text = json.dumps(figures, indent=1)
        (args.out / "compared.json").write_text(text)
        print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Seconds of a fusion at 512², effect by effect: python benchmarks/seconds.py --data CAVE --srf SRF.npy.

The scene is enlarged by `ENLARGED` first, so that 512 x 512 pixels can be cut out of it with a real border. Each row is
the median of `--repeats` calls in one process; the first call, which loads and compiles, is made beforehand and not
counted. Seconds on the clock mean something on a machine that does nothing else; the processor's are printed beside
them. Threads: OMP_NUM_THREADS, as ever.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np
from scipy.ndimage import zoom

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.realism import configuration, figures, observation_of
from benchmarks.realism_effects import EFFECTS, pair_of
from benchmarks.realism_scenes import Crop, LargeScene, RealPair, load_scene, load_srf
from paddle_umsft.machine.tables import TextTable
from paddle_umsft.methods.table import run_method

SCENE = "chart_and_stuffed_toy_ms"
SIZE = 512
ENLARGED = 1.25  # 640 pixels: room for a margin of 64 on each side
USUAL_EFFECTS = ("clean", "psf_gaussian_0.5", "psf_airy", "psf_slope_0.35_0.65", "rotation_1")
CUBIC = 3
HEAD = ("effect", "method", "seconds", "of the processor", "PSNR", "SAM")


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="CAVE scenes")
    parser.add_argument("--srf", required=True, metavar="FILE", help="(31, 3) response of the MSI's bands, .npy")
    parser.add_argument("--effects", nargs="+", default=list(USUAL_EFFECTS), choices=list(EFFECTS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=["fast", "best"], metavar="NAME", help="or presets")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; a row is printed as soon as it is known."""
    args = parse(argv)
    srf = load_srf(args.srf)
    scene = enlarged(load_scene(args.data, SCENE))
    margin = (scene.cube.shape[0] - SIZE) // 2
    crop = Crop(SCENE, margin, margin, SIZE, SIZE)
    lines = []
    for method in args.methods:
        # What is loaded and compiled once in a process.
        timed(pair_of(scene, crop, "clean", srf), crop, method, repeats=1)
        for effect in args.effects:
            pair = pair_of(scene, crop, effect, srf)
            line = [effect, method, *timed(pair, crop, method, repeats=args.repeats)]
            print(*line, flush=True)
            lines.append(line)
    print(TextTable(HEAD, lines, words=2).text())
    return 0


def enlarged(scene: LargeScene) -> LargeScene:
    """Return the scene with `ENLARGED` times as many rows and columns, by cubic splines, without values below zero."""
    cube = zoom(scene.cube, (ENLARGED, ENLARGED, 1.0), order=CUBIC)
    return LargeScene(np.clip(cube, 0.0, None))


def timed(pair: RealPair, crop: Crop, method: str, *, repeats: int) -> list[str]:
    """Return median seconds, median seconds of the processor, PSNR and SAM, as words."""
    seconds = []
    processor = []
    config = configuration(method)
    for _ in range(repeats):
        started = time.perf_counter()
        worked = time.process_time()
        result = run_method(observation_of(pair, crop, told=False), config)
        processor.append(time.process_time() - worked)
        seconds.append(time.perf_counter() - started)
    values = figures(pair, result)
    return [
        f"{statistics.median(seconds):.2f}",
        f"{statistics.median(processor):.2f}",
        f"{values['PSNR']:.2f}",
        f"{values['SAM']:.2f}",
    ]


if __name__ == "__main__":
    sys.exit(main())

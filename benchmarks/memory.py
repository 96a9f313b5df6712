"""What reading and fusing a pair of files holds at most, stage by stage: docs/scaling.md's table of memory.

    python benchmarks/memory.py --work SCRATCH [--formats tif,bil,bsq,npy,h5] [--memory 2GB] [--size 500x400x200]

A pair of random smooth abundances of six spectra, the LR-HSI means over 3 x 3 pixels, both in 16-bit integers, goes
into files in SCRATCH. Each figure is that of a process of its own, the largest that it held (VmHWM), set back before
each stage; what Python and its libraries take is told beside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, Callable

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SCALE = 3
SPECTRA = 6
MSI_BANDS = 4
# Abundances are interpolated between random ones so many HR pixels apart.
GRAIN = 12
FULL = 4000.0
NOISE = 8.0
SETTINGS = ("preparation.geometry=none", "preparation.radiometry=false")

# What a child runs: the command, with a look at its memory around the functions that are its stages.
CHILD = """
import json, sys, time
from pathlib import Path
import h5py, rasterio, scipy.ndimage, scipy.sparse.linalg, tifffile
import paddle_umsft.runs.large_run
import paddle_umsft.runs.large_scene as large
import paddle_umsft.runs.scene as scene
from paddle_umsft.command.main import main

stages = {}

def held():
    told = Path("/proc/self/status").read_text()
    return int(told.split("VmHWM:")[1].split()[0]) * 1024

def begin():
    Path("/proc/self/clear_refs").write_text("5")

def end(name):
    stages[name] = max(stages.get(name, 0), held())

def measured(module, function, name):
    whole = getattr(module, function)
    def call(*asked, **more):
        end("between")
        begin()
        try:
            return whole(*asked, **more)
        finally:
            end(name)
            begin()
    setattr(module, function, call)

measured(scene, "make_case", "read")
measured(large, "_learned", "learned")
measured(large, "solve_strips", "strips")
measured(large, "write_rows", "written")
stages["program"] = held()
begin()
code = main(sys.argv[1:])
end("after")
print("TOOK " + json.dumps({"code": code, "cpu": time.process_time(), **stages}), flush=True)
"""


def abundances(height: int, width: int) -> np.ndarray:
    """(H, W, SPECTRA) float32 smooth, of 0 to 1, with an edge here and there."""
    random = np.random.default_rng(5)
    coarse = random.random((height // GRAIN + 2, width // GRAIN + 2, SPECTRA), dtype=np.float32)
    rows = np.arange(height) / GRAIN
    columns = np.arange(width) / GRAIN
    row, column = rows.astype(int), columns.astype(int)
    down = (rows - row).astype(np.float32)[:, None, None]
    across = (columns - column).astype(np.float32)[None, :, None]
    made = coarse[row] * (1 - down) + coarse[row + 1] * down
    made = made[:, column] * (1 - across) + made[:, column + 1] * across
    # Edges, where one of the spectra ends.
    made[..., 0] *= made[..., 1] > 0.5
    return np.asarray(made)


def images(height: int, width: int, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """LR-HSI (h, w, C) and MSI (H, W, M), uint16."""
    random = np.random.default_rng(6)
    sharp = abundances(height * SCALE, width * SCALE)
    band = np.linspace(0.0, 1.0, bands)
    centres = random.random((SPECTRA, 1))
    spectra = 0.2 + np.exp(-(((band - centres) / 0.2) ** 2))
    cells = sharp.reshape(height, SCALE, width, SCALE, SPECTRA).mean(axis=(1, 3))
    places = np.linspace(0.1, 0.9, MSI_BANDS)[:, None]
    responses = np.exp(-(((band - places) / 0.12) ** 2))
    responses /= responses.sum(axis=1, keepdims=True)
    made = []
    for image, mix in ((cells, spectra), (sharp, spectra @ responses.T)):
        counts = image @ (FULL * mix / SPECTRA).astype(np.float32)
        counts += NOISE * random.standard_normal(counts.shape, dtype=np.float32)
        made.append(np.clip(counts, 1, 65535).astype(np.uint16))
    return made[0], made[1]


def write_tif(path: Path, image: np.ndarray) -> Path:
    """A GeoTIFF, deflated, in strips of pixels."""
    import rasterio

    height, width, bands = image.shape
    size = {"height": height, "width": width, "count": bands, "dtype": "uint16"}
    with rasterio.open(path, "w", driver="GTiff", compress="deflate", interleave="pixel", **size) as target:
        target.write(np.moveaxis(image, -1, 0))
    return path


def write_envi(path: Path, image: np.ndarray, interleave: str) -> Path:
    """An ENVI image."""
    height, width, bands = image.shape
    axes = {"bsq": (2, 0, 1), "bil": (0, 2, 1)}[interleave]
    image.transpose(axes).tofile(path)
    lines = ["ENVI", f"lines = {height}", f"samples = {width}", f"bands = {bands}", "data type = 12"]
    path.with_suffix(".hdr").write_text("\n".join([*lines, f"interleave = {interleave}", "byte order = 0", ""]))
    return path.with_suffix(".hdr")


def write_npy(path: Path, image: np.ndarray) -> Path:
    """A .npy."""
    np.save(path, image)
    return path


def write_h5(path: Path, image: np.ndarray) -> Path:
    """HDF5, bands first, in chunks of a few rows."""
    import h5py

    with h5py.File(path, "w") as file:
        stored = np.moveaxis(image, -1, 0)
        file.create_dataset("cube", data=stored, chunks=(len(stored), 8, 50), compression="gzip", compression_opts=1)
    return path


WRITERS: dict[str, Callable[[Path, np.ndarray], Path]] = {
    "tif": write_tif,
    "bil": lambda path, image: write_envi(path.with_suffix(".img"), image, "bil"),
    "bsq": lambda path, image: write_envi(path.with_suffix(".img"), image, "bsq"),
    "npy": write_npy,
    "h5": write_h5,
}


def fuse(files: list[Path], work: Path, memory: str) -> dict[str, Any]:
    """Fuse in a process of its own; what it held in its stages, bytes."""
    command = [sys.executable, "-W", "ignore", "-c", CHILD, "fuse", *map(str, files), "-o", str(work / "fused.tif")]
    command += ["-c", "fast.yml", "--set", f"runtime.memory={memory}", *SETTINGS]
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    # Not from here: Python looks for packages in the folder that it is started in first.
    told = subprocess.run(command, env=environment, cwd=work, text=True, capture_output=True, check=False)
    if "TOOK " not in told.stdout:
        raise SystemExit(told.stdout + told.stderr)
    print("\n".join(line for line in told.stdout.splitlines() if line.startswith("plan")), flush=True)
    took: dict[str, Any] = json.loads(told.stdout.split("TOOK ")[-1].splitlines()[0])
    return took


def main() -> int:
    """Make the files where they are missing, and print a row a format."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--work", type=Path, required=True, help="scratch folder")
    parser.add_argument("--formats", default="tif,bil,bsq,npy,h5")
    parser.add_argument("--memory", default="2GB", help="runtime.memory")
    parser.add_argument("--size", default="500x400x200", help="of the LR-HSI")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")  # GeoTIFFs without a place are all that is wanted
    height, width, bands = map(int, arguments.size.split("x"))
    low, high = images(height, width, bands)
    megabyte = 2**20
    print(f"LR-HSI {4 * low.size / megabyte:.0f} MB as float32, MSI {4 * high.size / megabyte:.0f} MB")
    stages = ("program", "read", "learned", "strips", "written", "after")
    print("| format | " + " | ".join(stages) + " | processor |")
    for name in arguments.formats.split(","):
        folder = arguments.work.resolve() / f"{name}_{arguments.size}"
        folder.mkdir(exist_ok=True)
        ending = f".{name}"
        files = [WRITERS[name](folder / f"{stem}{ending}", image) for stem, image in (("lr", low), ("hr", high))]
        took = fuse(files, folder, arguments.memory)
        cells = [f"{took.get(stage, 0) / megabyte:.0f} MB" for stage in stages]
        print(f"| {name} | " + " | ".join(cells) + f" | {took['cpu']:.1f} s |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

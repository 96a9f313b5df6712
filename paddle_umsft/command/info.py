"""`umsft info`: what a file holds, how it would be read, and what is odd about it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from paddle_umsft.command.base import DONE, Command
from paddle_umsft.command.grounds import system_text
from paddle_umsft.command.middle import with_middle
from paddle_umsft.command.odd_bands import drowned_lines
from paddle_umsft.errors import UmsftError

if TYPE_CHECKING:
    import numpy as np

    from paddle_umsft.data.facts import FileFacts
    from paddle_umsft.data.scene import Scene

# Percentiles between which most values lie: one hot value says nothing of an image.
MOST_FROM = 1
MOST_TO = 99
# A list of arrays is cut here.
SHOWN_ARRAYS = 30
BYTES_PER_KILOBYTE = 1e3
# Bands whose name stands in the list.
SHOWN_BANDS = 12


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="images, or folders that are one")
    parser.add_argument("--key", help="array in a .mat, .npz or HDF5 file")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="data.key=value",
        help="how it is read: data.layout=chw ...")  # fmt: skip
    parser.add_argument("--bands", action="store_true", help="list every band")


def run(arguments: argparse.Namespace) -> int:
    """Say of each file what it is; one that cannot be read does not stop the others, but counts."""
    code = DONE
    for place, file in enumerate(arguments.files):
        if place > 0:
            print()
        print(file)
        for line in contents(Path(file).expanduser()):
            print(f"  {line}")
        try:
            scene = _read(file, arguments)
        except UmsftError as error:
            print(f"  cannot be read as it is: {error}")
            code = max(code, error.exit_code)
            continue
        for line in scene_lines(scene, every_band=arguments.bands):
            print(f"  {line}")
    return code


def _read(file: str, arguments: argparse.Namespace) -> Scene:
    """Read a file as `fuse` would, but for the normalisation."""
    from paddle_umsft.config.load import load_config
    from paddle_umsft.data.reading import read_scene

    overrides = [f"data.path={file}", "data.normalise=none", *arguments.set]
    if arguments.key is not None:
        overrides.append(f"data.key={arguments.key}")
    settings = load_config(None, overrides).data
    return read_scene(with_middle(settings))


def contents(path: Path) -> Iterator[str]:
    """Yield what stands in a file of several arrays, and how large it is."""
    if not path.is_file():
        return
    yield f"size       {path.stat().st_size / BYTES_PER_KILOBYTE:,.1f} kB"
    arrays = _arrays(path)
    # Of a single one the image's own line says all.
    if len(arrays) > 1:
        listed = "; ".join(arrays[:SHOWN_ARRAYS])
        if len(arrays) > SHOWN_ARRAYS:
            listed += " ..."
        yield f"arrays     {listed}"


def _arrays(path: Path) -> list[str]:
    """Return name, shape and type of each array of a file that holds several."""
    import numpy as np

    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return [f"{name} {archive[name].shape} {archive[name].dtype}" for name in archive.files]
        if suffix == ".mat" and not _is_hdf5(path):
            from scipy.io import whosmat

            return [f"{name} {shape} {kind}" for name, shape, kind in whosmat(str(path))]
        if _is_hdf5(path):
            return _datasets(path)
    except (OSError, ValueError, KeyError, NotImplementedError):
        # What is wrong with it is said when it is read.
        return []
    return []


def _is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5, by its own first bytes."""
    import h5py

    return bool(h5py.is_hdf5(path))


def _datasets(path: Path) -> list[str]:
    """Return the datasets of an HDF5 file with their whole names."""
    import h5py

    found: list[str] = []

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(f"{name} {item.shape} {item.dtype}")

    with h5py.File(path, "r") as file:
        file.visititems(note)
    return found


def scene_lines(scene: Scene, *, every_band: bool = False) -> Iterator[str]:
    """Yield what is known of an image.

    Args:
        scene: As it was read, not normalised.
        every_band: A line per band.
    """
    height, width, bands = scene.hr_hsi.shape
    stored = ""
    if scene.facts is not None and scene.facts.dtype:
        stored = f", stored as {scene.facts.dtype}"
    yield f"image      {height} rows, {width} columns, {bands} bands{stored}"
    yield _value_line(scene.hr_hsi, scene.mask_hsi)
    yield _wavelength_line(scene)
    if scene.facts is not None:
        yield from fact_lines(scene.facts)
    yield from drowned_lines(scene)
    for note in scene.notes:
        yield f"note       {note}"
    if every_band:
        yield from _band_lines(scene)


def _value_line(cube: np.ndarray, mask: Optional[np.ndarray]) -> str:
    """Return the range of the values, and how much of the image has any."""
    import numpy as np

    values = cube
    hidden = ""
    if mask is not None:
        values = cube[mask]
        hidden = f"; {1.0 - mask.mean():.1%} of the pixels without a value"
    low, high = np.percentile(values, [MOST_FROM, MOST_TO])
    return f"values     {values.min():g}...{values.max():g}, most within {low:.4g}...{high:.4g}{hidden}"


def _wavelength_line(scene: Scene) -> str:
    """Return range and spacing of the bands."""
    import numpy as np

    nm = scene.wavelengths_nm
    if nm is None:
        return "bands      wavelengths not known (data.wavelengths_nm=[first,last])"
    line = f"bands      {nm[0]:g}...{nm[-1]:g} nm"
    if nm.size > 1:
        line += f", {float(np.median(np.diff(nm))):.3g} nm apart"
    facts = scene.facts
    if facts is not None and facts.bands.fwhm_nm is not None:
        line += f", FWHM {np.nanmedian(facts.bands.fwhm_nm):.3g} nm"
    return line


def fact_lines(facts: FileFacts) -> Iterator[str]:
    """Yield what the file says of place, validity, units and time."""
    yield ground_line(facts)
    details = []
    if facts.no_data is not None:
        details.append(f"no-data {facts.no_data:g}")
    if facts.units:
        details.append(f"units {facts.units}")
    if facts.is_scaled:
        details.append("scale and offset applied")
    elif facts.bands.scale is not None:
        details.append(f"scale {facts.bands.scale[0]:g} (carried, not applied)")
    if facts.acquired:
        details.append(f"acquired {facts.acquired}")
    if facts.sensor:
        details.append(f"sensor {facts.sensor}")
    if details:
        yield f"file says  {', '.join(details)}"
    left_out = facts.left_out()
    if left_out:
        listed = ", ".join(str(band + 1) for band in left_out[:SHOWN_BANDS])
        more = ""
        if len(left_out) > SHOWN_BANDS:
            more = f" ... ({len(left_out)} in all)"
        yield f"left out   bands {listed}{more} (counted from 1)"


def ground_line(facts: FileFacts) -> str:
    """Return where an image lies."""
    ground = facts.ground
    size = ground.pixel_size
    if ground.transform is None or size is None:
        return "ground     no coordinates"
    x, y = ground.at(0, 0)
    return f"ground     {system_text(ground)}, corner {x:.12g}, {y:.12g}, pixels {size[0]:.6g} x {size[1]:.6g}"


def _band_lines(scene: Scene) -> Iterator[str]:
    """Yield a line per band: its place in the file, name, wavelength and range."""
    import numpy as np

    for band in range(scene.hr_hsi.shape[2]):
        place = band
        name = ""
        # Counted as in the file, also where bands were sorted or left out.
        if scene.facts is not None:
            if scene.facts.order is not None:
                place = scene.facts.order[band]
            if place < len(scene.facts.bands.names):
                name = scene.facts.bands.names[place]
        nm = ""
        if scene.wavelengths_nm is not None:
            nm = f"{scene.wavelengths_nm[band]:g} nm"
        values = scene.hr_hsi[:, :, band]
        values = values[np.isfinite(values)]
        extent = "no values"
        if values.size > 0:
            extent = f"{values.min():g}...{values.max():g}"
        yield f"band {place + 1:<5} {nm:<12} {extent:<24} {name}".rstrip()


INFO = Command(
    name="info",
    summary="Say what a file holds, how it would be read, and what is odd about it.",
    add_options=add_options,
    run=run,
    details="Example:\n  %(prog)s hsi.hdr s2.tif",
)

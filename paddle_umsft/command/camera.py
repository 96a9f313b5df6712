"""`umsft camera`: bands of a camera by name, or of a product's own file, as a table that `observe.srf` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from paddle_umsft.command.base import DONE, Command
from paddle_umsft.errors import DataError, unknown_name

if TYPE_CHECKING:
    import numpy as np

    from paddle_umsft.data.facts import BandFacts


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("camera", nargs="?", metavar="NAME|FILE", help="a camera, or an image that knows its bands;"
        " without it all names are listed")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="CSV", help="write the table there (default: on the screen)")
    parser.add_argument("--key", help="array in a .mat, .npz or HDF5 file")
    parser.add_argument("--wavelengths", action="store_true", help="the centres alone, in the file's order, as"
        " data.wavelengths_nm takes them")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """List the cameras, or show or write the bands of one."""
    from paddle_umsft.cameras.srf_named import SENSORS, TABLES

    name = arguments.camera
    if name is None:
        for camera, sensor in SENSORS.items():
            print(f"{camera:<12} {_first_line(TABLES / sensor.table)}")
        return DONE
    if name in SENSORS:
        text = (TABLES / SENSORS[name].table).read_text(encoding="utf-8")
        if arguments.wavelengths:
            text = _listed(_centres_of(text, name)) + "\n"
    elif Path(name).expanduser().exists():
        bands = _bands_of(name, arguments.key)
        if arguments.wavelengths:
            text = _listed(_known(bands.wavelengths_nm, name, "wavelengths")) + "\n"
        else:
            text = _table_of(bands, name)
    else:
        raise unknown_name("camera, and no file", name, SENSORS, where="umsft camera")
    if arguments.output is None:
        print(text, end="")
        return DONE
    from paddle_umsft.machine.files import write_text

    target = Path(arguments.output).expanduser()
    write_text(target, text)
    print(f"written    {target}")
    return DONE


def _first_line(table: Path) -> str:
    """Return what a table's head says of its camera."""
    return table.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")


def _centres_of(table: str, name: str) -> np.ndarray:
    """Return the centres of a table of centres and widths.

    Raises:
        DataError: It holds whole responses.
    """
    import numpy as np

    rows = [line.split(",") for line in table.splitlines() if not line.startswith("#")]
    if "centre_nm" not in rows[0]:
        raise DataError(
            "no centres",
            where=f"umsft camera {name}",
            got="measured responses over wavelength",
            hint="without --wavelengths they are shown",
        )
    place = rows[0].index("centre_nm")
    return np.asarray([float(row[place]) for row in rows[1:]])


def _bands_of(file: str, key: Optional[str]) -> BandFacts:
    """Return what a file knows of its bands, in its own order."""
    from paddle_umsft.config.load import load_config
    from paddle_umsft.data.facts import BandFacts
    from paddle_umsft.data.reading import read_scene

    overrides = [f"data.path={file}", "data.normalise=none", "data.bad_bands=none", "data.no_data=none"]
    if key is not None:
        overrides.append(f"data.key={key}")
    facts = read_scene(load_config(None, overrides).data).facts
    if facts is None:
        return BandFacts()
    return facts.bands


def _table_of(bands: BandFacts, file: str) -> str:
    """Return a table of one band a line."""
    centres = _known(bands.wavelengths_nm, file, "wavelengths")
    widths = _known(bands.fwhm_nm, file, "widths (FWHM)")
    names = [f"B{number}" for number in range(1, len(centres) + 1)]
    lines = [
        f"# bands of {Path(file).name}: GAUSSIAN curves from centre and width",
        "band,centre_nm,fwhm_nm",
    ]
    for name, centre, width in zip(names, centres, widths):
        lines.append(f"{name},{centre:.7g},{width:.5g}")
    return "\n".join(lines) + "\n"


def _known(
    numbers: Optional[np.ndarray],
    file: str,
    what: str,
) -> np.ndarray:
    """Return a list of one number a band.

    Raises:
        DataError: The file does not know it.
    """
    if numbers is None:
        raise DataError(f"knows no {what} of its bands", where=file)
    return numbers


def _listed(centres: np.ndarray) -> str:
    """Return centres as a setting has them."""
    listed = ",".join(f"{centre:.7g}" for centre in centres)
    return f"[{listed}]"


CAMERA = Command(
    name="camera",
    summary="Show the bands of a camera by name, or of an image that knows its own, as a table that observe.srf takes.",
    add_options=add_options,
    run=run,
    details=(
        "Examples:\n"
        "  %(prog)s                              (which cameras there are)\n"
        "  %(prog)s enmap\n"
        "  %(prog)s PRS_L2D_STD.he5 -o prisma.csv  (a product's own calibration)\n"
        '  umsft info cube.tif --set "data.wavelengths_nm=$(umsft camera enmap --wavelengths)"'
    ),
)

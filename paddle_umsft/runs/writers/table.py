"""Which writer writes what. A new format is one module and one row here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import ConfigError, unknown_name
from paddle_umsft.machine.files import write_whole
from paddle_umsft.runs.writers.arrays import write_mat, write_npy
from paddle_umsft.runs.writers.envi import write_envi
from paddle_umsft.runs.writers.geotiff import check_rasterio, write_geotiff
from paddle_umsft.runs.writers.netcdf import write_netcdf
from paddle_umsft.runs.writers.product import Product


@dataclass(frozen=True)
class WrittenFormat:
    """One kind of file.

    Attributes:
        suffix: Of the file that stands for the result.
        more_suffixes: Other endings that ask for it.
        write: Writes a product into one file; None: `write_pair` does.
        write_pair: Writes a product into two files, a header beside the numbers.
        check: Says early where something is missing.
        is_product: In the HSI's own units, with all facts. False: the normalised numbers, as a method works on them.
    """

    suffix: str
    write: Optional[Callable[[Path, Product], None]] = None
    write_pair: Optional[Callable[[Path, Product, Optional[str]], list[Path]]] = None
    more_suffixes: tuple[str, ...] = ()
    check: Optional[Callable[[], None]] = None
    is_product: bool = True


# The setting by which the format follows what came in.
AUTO = "auto"
FORMATS = {
    "npy": WrittenFormat(suffix=".npy", write_pair=write_npy, is_product=False),
    "mat": WrittenFormat(suffix=".mat", write=write_mat, is_product=False),
    "tif": WrittenFormat(suffix=".tif", more_suffixes=(".tiff",), write=write_geotiff, check=check_rasterio),
    "envi": WrittenFormat(suffix=".hdr", more_suffixes=(".img", ".dat"), write_pair=write_envi),
    "nc": WrittenFormat(suffix=".nc", more_suffixes=(".nc4",), write=write_netcdf),
}


def format_of(path: Path, *, where: str = "-o") -> str:
    """Return the format that a file's name asks for.

    Args:
        path: The file.
        where: Option or setting, for the message.

    Raises:
        ConfigError: None asks for this ending.
    """
    suffix = path.suffix.lower()
    for name, row in FORMATS.items():
        if suffix == row.suffix or suffix in row.more_suffixes:
            return name
    known = [row.suffix for row in FORMATS.values()]
    raise unknown_name("kind of file", suffix or path.name, known, where=where)


def check_format(name: str) -> None:
    """Check that a format can be written here.

    Args:
        name: One of `FORMATS`, or auto.

    Raises:
        ConfigError: A package is missing.
    """
    if name == AUTO:
        return
    check = FORMATS[name].check
    if check is not None:
        check()


def settled_format(name: str, observation: Observation) -> tuple[str, Optional[str]]:
    """Return the format that is written, and a note where it is not the one that would be usual.

    What comes with coordinates goes out with them: a pair that is not simulated and whose MSI has a place on the
    ground becomes a GeoTIFF, or where that cannot be written, an ENVI file, which needs no other package.

    Args:
        name: The setting, one of `FORMATS` or auto.
        observation: What was fused.
    """
    if name != AUTO:
        return name, None
    facts = observation.msi_facts
    has_place = facts is not None and facts.ground.is_known
    if not has_place or observation.meta.get("simulated", False):
        return "npy", None
    try:
        check_format("tif")
    except ConfigError as error:
        return "envi", f"written as ENVI: {error}"
    return "tif", None


def write_product(
    path: Path,
    product: Product,
    format: str,
    *,
    hint: Optional[str] = None,
) -> list[Path]:
    """Write a product, whole or not at all.

    Args:
        path: The file; of ENVI, header or data.
        product: What to write.
        format: One of `FORMATS`.
        hint: The way out to name where it cannot be written.

    Returns:
        The files, the one to open first.

    Raises:
        ConfigError: A package is missing.
        DataError: It cannot be written.
    """
    row = FORMATS[format]
    if row.write_pair is not None:
        return row.write_pair(path.with_suffix(row.suffix), product, hint)
    # Bound to a name of its own: its type is narrowed here, not within a function.
    writer = row.write
    assert writer is not None

    def write_to(temporary: Path) -> None:
        writer(temporary, product)

    write_whole(path, write_to, hint=hint)
    return [path]

"""Files -> arrays: .mat (v5 and v7.3), .npy, .npz, .tif, pictures and tables, with one-line errors.

Arrays keep the axes that their author gave them: a MATLAB v7.3 file stores them reversed, which is undone here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.errors import DataError, UmsftError

ARRAY_SUFFIXES = (".mat", ".npy", ".npz", ".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_WAVELENGTH_KEYS = ("wavelengths_nm", "wavelength_nm", "wavelengths", "wavelength")


@dataclass(frozen=True)
class RawArray:
    """An array as a file holds it.

    Attributes:
        values: Any shape, any real type.
        key: Its name in the file, "" if the file holds only one.
        wavelengths_nm: A list of wavelengths found beside it, as it stands in the file, or None.
        is_picture: Rows, columns, colours for certain: the kind of file, or its header, says so.
    """

    values: np.ndarray
    key: str = ""
    wavelengths_nm: Optional[np.ndarray] = None
    is_picture: bool = False


def require_file(path: str | Path) -> Path:
    """The path of a file that exists.

    Raises:
        DataError: There is none.
    """
    found = Path(path).expanduser()
    if not found.exists():
        hint = None if found.parent.exists() else f"the folder {found.parent} does not exist either"
        raise DataError("no such file", where=found, hint=hint)
    if not found.is_file():
        raise DataError("not a file", where=found, expected="a file", got="a folder")
    return found


def read_array(
    path: str | Path, key: Optional[str] = None, *, axes: tuple[int, ...] = (3,), option: str = "data.key"
) -> RawArray:
    """Reads one array.

    Args:
        path: .mat, .npy, .npz, .tif/.tiff, .png/.jpg/.jpeg/.bmp (bands R, G, B; alpha is dropped).
        key: Its name in a .mat or .npz; None: the only array with as many axes as `axes` says.
        axes: Numbers of axes that fit, the preferred one first; used only where no key is given.
        option: Config key that `key` came from, named in a message.

    Returns:
        The array, unscaled, in the file's own type.

    Raises:
        DataError: No such file, unknown kind, not readable, unknown key, no array that fits, or several.
    """
    file = require_file(path)
    suffix = file.suffix.lower()
    if suffix == ".mat":
        return _from_named(file, _mat_entries(file), key, axes, option)
    if suffix == ".npz":
        return _from_named(file, _npz_entries(file), key, axes, option)
    if suffix == ".npy":
        return RawArray(guarded(file, ".npy file", lambda: np.load(file, allow_pickle=False)))
    if suffix in (".tif", ".tiff"):
        values, is_picture = _read_tiff(file)
        return RawArray(values, is_picture=is_picture)
    if suffix in PICTURE_SUFFIXES:
        return RawArray(_read_picture(file), is_picture=True)
    expected = ", ".join(ARRAY_SUFFIXES + PICTURE_SUFFIXES)
    raise DataError("unknown kind of file", where=file, expected=expected, got=suffix or "no suffix")


def read_table(path: str | Path, key: Optional[str] = None, *, option: str = "data.key") -> RawArray:
    """Reads a two-dimensional table of numbers: .csv/.txt (no header), .npy, .npz or .mat.

    A table of one row or column counts, where a .mat or .npz has no other.

    Raises:
        DataError: As `read_array`, or not two axes.
    """
    file = require_file(path)
    if file.suffix.lower() in (".csv", ".txt"):
        delimiter = "," if file.suffix.lower() == ".csv" else None
        found = RawArray(guarded(file, "table of numbers", lambda: np.loadtxt(file, delimiter=delimiter, ndmin=2)))
    else:
        found = read_array(file, key, axes=(2, 1), option=option)
    if found.values.ndim != 2:
        shape = found.values.shape
        raise DataError("number of axes", where=file, expected=2, got=f"{len(shape)} (shape {shape})")
    return found


@dataclass(frozen=True)
class _Entry:
    """One named array of a file, not yet loaded."""

    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray]
    is_numeric: bool = True


def _from_named(
    file: Path, entries: dict[str, _Entry], key: Optional[str], axes: tuple[int, ...], option: str
) -> RawArray:
    """Picks the array by key, or the only one that fits."""
    listing = ", ".join(f"{name} {entry.shape} {entry.kind}" for name, entry in entries.items()) or "nothing"
    if key is None:
        fitting: list[str] = []
        for wanted in axes:
            fitting = [name for name, entry in entries.items() if entry.is_numeric and _axes(entry.shape) == wanted]
            if wanted == 1:  # a table of one row; the wavelengths beside it have one as well
                fitting = [name for name in fitting if name not in _WAVELENGTH_KEYS and len(entries[name].shape) == 2]
            if fitting:
                break
        if not fitting:
            wanted = axes[0]
            hint = "a flattened image must be reshaped to (rows, columns, bands) first" if 3 in axes else None
            raise DataError(f"no array with {wanted} axes", where=file, got=listing, hint=hint)
        if len(fitting) > 1:
            shown = ", ".join(f"{name} {entries[name].shape}" for name in fitting)
            hint = f"say which with {option}=NAME"
            raise DataError(f"several arrays with {wanted} axes", where=file, got=shown, hint=hint)
        key = fitting[0]
    elif key not in entries:
        raise DataError(f"no key {key!r}", where=file, got=listing)
    wavelengths = None
    for name in _WAVELENGTH_KEYS:
        if name in entries and name != key and entries[name].is_numeric and max(entries[name].shape, default=0) > 1:
            wavelengths = np.ravel(guarded(file, "array", entries[name].load)).astype(np.float64)
            break
    return RawArray(np.asarray(guarded(file, "array", entries[key].load)), key, wavelengths)


def _axes(shape: tuple[int, ...]) -> int:
    """Number of axes, where a MATLAB row, column or single number counts as a vector, not as a table."""
    return 1 if len(shape) == 2 and min(shape) == 1 else len(shape)


def _mat_entries(file: Path) -> dict[str, _Entry]:
    """Variables of a .mat file of either generation."""
    with file.open("rb") as stream:
        head = stream.read(1024)
    # A v7.3 file is HDF5 behind a 512-byte MATLAB header; bare HDF5 under the name .mat occurs as well.
    if b"\x89HDF\r\n\x1a\n" in (head[:8], head[512:520]):
        return _hdf5_entries(file)
    import scipy.io

    def loader(name: str) -> Callable[[], np.ndarray]:
        return lambda: np.asarray(scipy.io.loadmat(str(file), variable_names=[name])[name])

    found = guarded(file, "MATLAB file", lambda: scipy.io.whosmat(str(file)))
    numeric = ("double", "single", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    return {name: _Entry(tuple(shape), kind, loader(name), kind in numeric) for name, shape, kind in found}


def _hdf5_entries(file: Path) -> dict[str, _Entry]:
    import h5py

    def loader(name: str) -> Callable[[], np.ndarray]:
        def load() -> np.ndarray:
            with h5py.File(file, "r") as handle:
                return np.asarray(np.asarray(handle[name][()]).T)  # MATLAB writes columns first: axes come reversed

        return load

    def scan() -> dict[str, _Entry]:
        entries = {}
        with h5py.File(file, "r") as handle:
            for name, item in handle.items():
                if isinstance(item, h5py.Dataset):
                    is_numeric = item.dtype.kind in "iuf" and "MATLAB_empty" not in item.attrs
                    entries[name] = _Entry(tuple(item.shape[::-1]), str(item.dtype), loader(name), is_numeric)
        return entries

    found: dict[str, _Entry] = guarded(file, "MATLAB v7.3 file", scan)
    return found


def _npz_entries(file: Path) -> dict[str, _Entry]:
    """Arrays of a .npz: only their headers are read here."""
    import zipfile

    def loader(name: str) -> Callable[[], np.ndarray]:
        def load() -> np.ndarray:
            with np.load(file, allow_pickle=False) as archive:
                return np.asarray(archive[name])

        return load

    def scan() -> dict[str, _Entry]:
        entries = {}
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                if not member.endswith(".npy"):
                    continue
                with archive.open(member) as stream:
                    version = np.lib.format.read_magic(stream)
                    reader = np.lib.format.read_array_header_1_0
                    if version != (1, 0):
                        reader = np.lib.format.read_array_header_2_0
                    shape, _, dtype = reader(stream)
                entries[member[:-4]] = _Entry(shape, str(dtype), loader(member[:-4]), dtype.kind in "iuf")
        return entries

    found: dict[str, _Entry] = guarded(file, ".npz file", scan)
    return found


def _read_tiff(file: Path) -> tuple[np.ndarray, bool]:
    """The array, and whether its own header makes it a picture: rows, columns, samples of a pixel."""
    import tifffile  # comes with scikit-image

    def read() -> tuple[np.ndarray, bool]:
        with tifffile.TiffFile(str(file)) as tiff:
            return np.asarray(tiff.asarray()), tiff.series[0].axes == "YXS"

    values, is_picture = guarded(file, "TIFF file", read)
    return values, is_picture


def _read_picture(file: Path) -> np.ndarray:
    """A picture as (H, W, 3) in the order R, G, B, or (H, W) if it is grey."""
    picture = read_unchanged(file)
    if picture.ndim == 2:
        return picture
    return np.ascontiguousarray(picture[:, :, 2::-1])  # OpenCV has B, G, R(, alpha)


def read_unchanged(file: Path) -> np.ndarray:
    """A picture with the depth and the channels that it has in the file (OpenCV's order B, G, R, alpha).

    Raises:
        DataError: Not readable.
    """
    import cv2

    # Through memory: cv2.imread cannot open paths with letters outside the Windows code page.
    data = np.frombuffer(file.read_bytes(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if picture is None:
        raise DataError("cannot be read as a picture", where=file, hint="is it damaged or cut short?")
    return np.asarray(picture)


def guarded(file: Path, kind: str, action: Callable[[], Any]) -> Any:
    """Runs a foreign reader; whatever it raises on a damaged file becomes one line."""
    try:
        return action()
    except UmsftError:
        raise
    except Exception as error:  # readers raise anything from KeyError to zlib.error on damaged files
        reason = f"{type(error).__name__}: {error}".split("\n")[0][:160]
        hint = "is it damaged, cut short or of another kind?"
        article = "an" if kind[0] in "aeiou" else "a"
        raise DataError(f"cannot be read as {article} {kind}", where=file, got=reason, hint=hint) from error

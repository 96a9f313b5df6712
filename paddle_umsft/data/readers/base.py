"""What every reader shares: what it is asked, what it answers, and how a foreign reader's failure becomes one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np

from paddle_umsft.data.facts import FileFacts
from paddle_umsft.errors import DataError, UmsftError

# Top, left, height, width, in pixels of the image as it is read: upright.
Window = tuple[int, int, int, int]
# A part without a pixel: asks for what a file says of its image, and its size, before any of it is read.
GLANCE: Window = (0, 0, 0, 0)

# A message is one line: a foreign reader's own words are cut to this length.
SHOWN_REASON = 160


@dataclass(frozen=True)
class Request:
    """What is wanted of a file.

    Attributes:
        key: Name of the array, where the format has names; None: the only one that fits.
        axes: Numbers of axes that fit, the preferred one first; used only where no key is given.
        option: Config key that `key` came from, named in a message.
        window: The part that is wanted; None: all of it. A reader that can reads no more than that and says so in
            `RawArray.window`; any other reads the whole, and whoever asked cuts.
        layout: Order of the axes where a file does not tell it, "hwc", "chw" or "auto": only so can a part be found.
        bands: Number of bands, if known beforehand; tells the order of the axes too.
        is_head: Nothing but what stands before the values is wanted: `values` may be a `stand_in`, and a reader that
            would have to read them raises `ValuesNeeded`. Asked only of formats that have such a head.
        is_single: Values may be float32 as soon as they are read, where that loses nothing (`RawArray.stored`); a
            reader that cannot do so reads them in the file's own type.
    """

    key: Optional[str] = None
    axes: tuple[int, ...] = (3,)
    option: str = "data.key"
    window: Optional[Window] = None
    layout: str = "auto"
    bands: Optional[int] = None
    is_head: bool = False
    is_single: bool = False


class ValuesNeeded(DataError):
    """A file does not say how large its image is before its values."""


@dataclass(frozen=True)
class RawArray:
    """An array as a file holds it: unscaled, in the file's own type unless float32 was asked for.

    Attributes:
        values: Any shape, any type.
        key: Its name in the file, "" if the file holds only one.
        wavelengths: A list of wavelengths found beside it, as it stands in the file, or None.
        wavelength_unit: Their unit as the file names it, "" if it does not.
        is_upright: Rows, columns, bands for certain: the kind of file, or its header, says so.
        is_stacked: Bands, rows, columns by the file's own order (pages of one band each), unless the shape speaks
            against it.
        is_photograph: A camera's picture: black is black in it, not "no data".
        facts: What the file says beside the numbers; its bands' wavelengths go before `wavelengths`.
        mask: (rows, columns) bool by the file's own mask, True where there is a value; None: it has none.
        notes: How something in the file was taken, a line each.
        window: `values` are this part of the image, upright; None: they are all of it.
        size: Rows and columns of the whole image, where a part was read.
        stored: The type that the file has, where `values` are its numbers in float32, in an array of their own that may
            be written to; None: they have the file's type.
    """

    values: np.ndarray
    key: str = ""
    wavelengths: Optional[np.ndarray] = None
    wavelength_unit: str = ""
    is_upright: bool = False
    is_stacked: bool = False
    is_photograph: bool = False
    facts: FileFacts = field(default_factory=FileFacts)
    mask: Optional[np.ndarray] = None
    notes: tuple[str, ...] = ()
    window: Optional[Window] = None
    size: Optional[tuple[int, int]] = None
    stored: Optional[np.dtype] = None


# Of a file that exists, the array that was asked for.
Reader = Callable[[Path, Request], RawArray]


def stand_in(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """Return an array as large as an image that takes no more memory than one number, for what only its size tells."""
    return np.broadcast_to(np.zeros((), dtype=dtype), shape)


def path_of(name: Union[str, Path]) -> Path:
    """Return the path that a name from outside means, whether or not there is anything.

    Raises:
        DataError: Nobody could look there: the name is too long, its folder closed, its home unknown.
    """
    try:
        path = Path(name).expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:
        reason = str(error)
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        raise DataError("cannot be looked for", where=name, got=reason) from None
    return path


def require_file(path: Union[str, Path]) -> Path:
    """Return the path of a file that exists.

    Raises:
        DataError: There is none.
    """
    found = path_of(path)
    if not found.exists():
        hint = None
        if not found.parent.exists():
            hint = f"the folder {found.parent} does not exist either"
        raise DataError("no such file", where=found, hint=hint)
    if not found.is_file():
        raise DataError(
            "not a file",
            where=found,
            expected="a file",
            got="a folder",
        )
    return found


def guarded(
    file: Path,
    kind: str,
    action: Callable[[], Any],
) -> Any:
    """Run a foreign reader; whatever it raises on a damaged file becomes one line.

    Args:
        file: The file, for the message.
        kind: What it should have been, for the message: "TIFF file".
        action: Reads it.

    Returns:
        What `action` returns.

    Raises:
        DataError: `action` raised anything.
    """
    try:
        return action()
    except UmsftError:
        raise
    except Exception as error:  # readers raise anything from KeyError to zlib.error on damaged files
        # What went wrong first: "see previous exception" tells nothing.
        reason: BaseException = error
        while reason.__cause__ is not None:
            reason = reason.__cause__
        first_line = f"{type(reason).__name__}: {reason}".split("\n")[0]
        article = "a"
        if kind[0] in "aeiouAEIOU":
            article = "an"
        raise DataError(
            f"cannot be read as {article} {kind}",
            where=file,
            got=first_line[:SHOWN_REASON],
            hint="is it damaged, cut short or of another kind?",
        ) from error

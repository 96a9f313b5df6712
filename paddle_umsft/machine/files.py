"""Files that are written whole or not at all: text, JSON, tables, and whatever another library writes.

A file is made under a temporary name beside its target and moved there when it is complete. A reader never meets half
a file, and what was there before is lost only once its successor is whole.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Optional

from paddle_umsft.errors import DataError
from paddle_umsft.machine.plain_files import SEAL, seal_of
from paddle_umsft.machine.tables import harmless

# What the name of a file begins with until it is whole; a process that was killed leaves it.
TEMPORARY = ".tmp_"


def write_whole(
    path: Path,
    write: Callable[[Path], Any],
    *,
    make_folder: bool = True,
    error: type[DataError] = DataError,
    hint: Optional[str] = None,
) -> None:
    """Write a file under a temporary name of this process's own and move it when it is whole.

    Whatever stops the writing, no temporary file stays behind.

    Args:
        path: Where it ends up. What was there is replaced, or kept if anything fails.
        write: Called with the temporary path, which lies in the same folder and has the same suffix.
        make_folder: Whether to make the folder, and those above it, where they are missing.
        error: Kind of error to raise.
        hint: The way out to name in it.

    Raises:
        DataError: It cannot be written (or the given kind of it).
    """
    # The number keeps launched processes apart; the suffix stays last, as numpy and scipy append one that is missing.
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}_{path.name}")
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as refused:
        reason = _reason(refused, temporary)
        raise error("cannot be written", where=path, got=reason, hint=hint) from refused
    finally:
        # Not `except`: a stop from the keyboard, too, must leave nothing behind.
        # Nothing is left to remove after success, and a file may stand where the folder should be.
        with suppress(OSError):
            temporary.unlink()


def write_text(
    path: Path,
    text: str,
    *,
    error: type[DataError] = DataError,
    hint: Optional[str] = None,
) -> None:
    """Write text as UTF-8, whole or not at all; line ends stay as they are, on every system.

    Of a file's name that is no UTF-8 Python makes halves of characters. They are written as JSON and YAML write them,
    and are read back as they were.

    Args:
        path: Where it ends up.
        text: What to write.
        error: Kind of error to raise.
        hint: The way out to name in it.

    Raises:
        DataError: It cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    write_whole(path, lambda temporary: temporary.write_bytes(content), error=error, hint=hint)


def write_json(
    path: Path,
    content: Mapping[str, Any],
    *,
    sort_keys: bool = False,
    error: type[DataError] = DataError,
    hint: Optional[str] = None,
) -> None:
    """Write readable JSON, whole or not at all.

    Args:
        path: Where it ends up.
        content: What to write. Array libraries' numbers become plain ones; NaN and infinity, which JSON
            has not, null.
        sort_keys: Whether to sort by name instead of keeping the order.
        error: Kind of error to raise.
        hint: The way out to name in it.

    Raises:
        DataError: It cannot be written.
    """
    text = json.dumps(
        plain(content),
        indent=2,
        sort_keys=sort_keys,
        ensure_ascii=False,
        allow_nan=False,
    )
    write_text(path, text + "\n", error=error, hint=hint)


def write_sealed(path: Path, content: Mapping[str, Any], *, hint: Optional[str] = None) -> None:
    """Write readable JSON with the sum of itself: `plain_files.read_sealed` takes nothing else for it.

    Args:
        path: Where it ends up.
        content: What to write, as `write_json` takes it.
        hint: The way out, where it cannot be written.

    Raises:
        DataError: It cannot be written.
    """
    sealed = plain(content)
    sealed[SEAL] = seal_of(sealed)
    write_json(path, sealed, hint=hint)


def write_csv(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    error: type[DataError] = DataError,
    hint: Optional[str] = None,
) -> None:
    """Write a table of comma-separated values, whole or not at all.

    Args:
        path: Where it ends up.
        columns: Names of the columns, in their order.
        rows: A value per column; a cell whose column is missing stays empty, a column that is not listed is a mistake.
        error: Kind of error to raise.
        hint: The way out to name in it.

    Raises:
        DataError: It cannot be written.
        ValueError: A row has a column that is not listed.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writerow({column: harmless(column) for column in columns})
    for row in rows:
        writer.writerow({column: harmless(cell) for column, cell in row.items()})
    write_text(path, text.getvalue(), error=error, hint=hint)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: neither arrays nor their numbers, NaN nor infinity; else its text.

    Args:
        value: Anything; dicts, lists and tuples are gone through.
    """
    # NumPy's and Paddle's arrays and numbers answer to this name, so that neither library need be known here.
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _reason(error: OSError, temporary: Path) -> str:
    """Return why the system refused; a temporary name says nothing to anybody, another file's name may."""
    reason = error.strerror or str(error)
    named = error.filename
    if named is None or os.fspath(named) == os.fspath(temporary):
        return reason
    return f"{reason}: {named}"

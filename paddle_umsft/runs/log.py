"""The log of a run: on the screen and in log.txt."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paddle_umsft.errors import DataError, without_commands
from paddle_umsft.machine.plain_files import NOT_PLAIN, is_plain
from paddle_umsft.runs.folder import LOG

LOGGER = "paddle_umsft"


class LogFile(logging.FileHandler):
    """log.txt. A full disk is said once, in one line, and the log goes on on the screen alone."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say why a line cannot be written, the first time."""
        if not getattr(self, "_said", False):
            self._said = True
            print(f"{self.baseFilename}: no longer written, got {sys.exc_info()[1]}", file=sys.stderr)

    def close(self) -> None:
        """Close; what cannot be written by now is on the screen."""
        with suppress(OSError):
            super().close()


class _Harmless(logging.Formatter):
    """Lines that command nothing to the terminal in which somebody looks at the file."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return without_commands(super().format(record))


@contextmanager
def logging_to(folder: Path, debug: bool) -> Iterator[logging.Logger]:
    """Log to the screen and to `log.txt` in the folder."""
    log = logging.getLogger(LOGGER)
    log.setLevel(logging.DEBUG if debug else logging.INFO)
    log.propagate = False
    screen = logging.StreamHandler(sys.stdout)
    screen.setFormatter(logging.Formatter("%(message)s"))
    handlers: list[logging.Handler] = [screen]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(folder / LOG) and not is_plain(folder / LOG):
            raise OSError(errno.EINVAL, f"{LOG} is {NOT_PLAIN}")
        # Names of files that are no UTF-8 are written as their bytes.
        file = LogFile(folder / LOG, encoding="utf-8", errors="backslashreplace")
        file.setFormatter(_Harmless("%(asctime)s %(message)s"))
        handlers.append(file)
    except OSError as error:
        raise DataError("output folder not writable", where=folder, got=error, hint="--output DIR") from None
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield log
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()

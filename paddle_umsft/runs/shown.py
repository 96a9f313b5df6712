"""What a run shows of a fused scene: curves, pictures, a page. None of it can cost the scene: failures are warnings."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.data.records import Record
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.machine.plain_files import NOT_PLAIN, is_own_folder
from paddle_umsft.runs.watching import Callback, SceneRun


@contextmanager
def only_a_warning(what: str, log: logging.Logger) -> Iterator[None]:
    """Turn any failure into a line of the log.

    Args:
        what: What is missing then.
        log: The run's log.
    """
    try:
        yield
    # Fonts, backends, codecs, full disks: libraries of pictures raise anything.
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        log.warning("warning    no %s: %s; the results are not touched by it", what, words)


class Harmless(Callback):
    """A callback whose failures are a line each, and end it.

    Args:
        inner: What may fail.
        what: What is missing then.
    """

    def __init__(self, inner: Callback, what: str) -> None:
        self._inner = inner
        self._what = what
        self._works = True

    def on_record(self, record: Record, run: SceneRun) -> None:
        """Pass the record on while that works."""
        if self._works:
            self._works = False
            with only_a_warning(f"{self._what} from here on", run.log):
                self._inner.on_record(record, run)
                self._works = True


def open_curves(
    folder: Path,
    config: Config,
    log: logging.Logger,
) -> Optional[Any]:
    """Open a fresh VisualDL log of a scene; None where there is none, which is said.

    Args:
        folder: The scene's.
        config: All settings.
        log: Is told what does not work.
    """
    with only_a_warning("VisualDL log", log):
        from paddle_umsft.runs.visualdl import open_log  # brings matplotlib along

        logs = folder / "vdl"
        if os.path.lexists(logs) and not is_own_folder(logs):
            raise OSError(f"{logs} is {NOT_PLAIN}")
        scenes = [entry.name for entry in list_scenes(config.data)]
        return open_log(folder, log, scenes)
    return None


def show_means(
    folder: Path,
    config: Config,
    log: logging.Logger,
) -> None:
    """Log the means over the finished scenes of a run, as far as that works.

    Args:
        folder: The run's.
        config: All settings.
        log: Is told what does not work.
    """
    if not config.output.visualdl:
        return
    with only_a_warning("mean over the scenes in VisualDL", log):
        from paddle_umsft.runs.mean_curves import write_mean_curves  # brings matplotlib along

        logs = folder / "vdl"
        if os.path.lexists(logs) and not is_own_folder(logs):
            raise OSError(f"{logs} is {NOT_PLAIN}")
        write_mean_curves(folder, config, log)


def close_curves(writer: Optional[Any], log: logging.Logger) -> None:
    """Close a VisualDL log, if there is one."""
    if writer is not None:
        with only_a_warning("end of the VisualDL log", log):
            writer.close()


def show_finished(
    case: Case,
    result: FusionResult,
    metrics: Mapping[str, Any],
    config: Config,
    folder: Path,
    log: logging.Logger,
    writer: Optional[Any],
) -> None:
    """Draw and log a finished scene, as far as that works.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.
        metrics: Content of metrics.json.
        config: All settings.
        folder: The scene's.
        log: Is told what does not work.
        writer: VisualDL's log, if there is one.
    """
    if config.output.figures:
        with only_a_warning("pictures", log):
            from paddle_umsft.runs.pictures import write_pictures

            write_pictures(case, result, metrics, config, folder)
    if writer is not None:
        with only_a_warning("end of the VisualDL log", log):
            from paddle_umsft.runs.visualdl import add_finished

            add_finished(writer, case, result, metrics, config)

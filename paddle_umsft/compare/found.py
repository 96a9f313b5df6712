"""Which fused files there are: in a run's folder, in a scene's, in a folder of another program's results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from paddle_umsft.compare.settings import Settings
from paddle_umsft.config.data import DataConfig
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.errors import DataError
from paddle_umsft.runs.folder import CONFIG

RESULT_FILES = ("fused.npy", "fused.mat")


@dataclass(frozen=True)
class FoundResult:
    """A fused file and what is known about it.

    Attributes:
        file: The file.
        folder: The run or folder whose scenes are averaged.
        scene: Name of its scene.
        config: Configuration of the run that made it; None: it is another program's.
    """

    file: Path
    folder: Path
    scene: str
    config: Optional[Config]


def find_all_results(settings: Settings) -> list[FoundResult]:
    """Return the fused files of all arguments, in the order given.

    Raises:
        DataError: A path without any result.
    """
    overrides = settings.run_overrides()
    return [found for path in settings.results for found in find_results(path, overrides)]


def find_results(path: str, overrides: Sequence[str] = ()) -> list[FoundResult]:
    """Return the fused files that an argument stands for.

    Args:
        path: A file, a scene's folder, a run's folder or a folder of files.
        overrides: `key.sub=value` on top of a run's config.

    Raises:
        DataError: Nothing there.
    """
    given = Path(path).expanduser()
    if given.is_file():
        return [_single_file(given, overrides)]
    if not given.is_dir():
        raise DataError("no such file or folder", where=path)

    alone = _in_scene_folder(given, overrides)
    if alone is not None:
        return [alone]

    folders = [folder for folder in sorted(given.iterdir()) if folder.is_dir()]
    inside = [_in_scene_folder(folder, overrides) for folder in folders]
    run = [found for found in inside if found is not None]
    if run:
        return run

    entries = list_scenes(DataConfig(path=str(given)))
    return [_foreign(Path(str(entry.settings.path)), given, entry.name) for entry in entries]


def group_names(results: Sequence[FoundResult]) -> dict[Path, str]:
    """Return names of the folders whose scenes are averaged.

    A folder is named by the last part of its path; by all of it where two have the same.

    Args:
        results: What was found.

    Returns:
        Name by folder.
    """
    folders = dict.fromkeys(found.folder for found in results)
    last_parts = [folder.name for folder in folders]
    names = {}
    for folder in folders:
        unique = last_parts.count(folder.name) == 1
        names[folder] = folder.name if unique else str(folder)
    return names


def _single_file(file: Path, overrides: Sequence[str]) -> FoundResult:
    """Return a file as part of a run, where its name and folder say so, or as another program's."""
    if file.name in RESULT_FILES:
        found = _in_scene_folder(file.parent, overrides)
        if found is not None:
            return found
    return _foreign(file, file.parent, file.stem)


def _foreign(
    file: Path,
    folder: Path,
    scene: str,
) -> FoundResult:
    """Return a file that no run's config belongs to."""
    return FoundResult(
        file=file,
        folder=folder.resolve(),
        scene=scene,
        config=None,
    )


def _in_scene_folder(folder: Path, overrides: Sequence[str]) -> Optional[FoundResult]:
    """Return the result in a scene's folder of a run, `fused.npy` or `fused.mat`; None where it has neither."""
    files = [folder / name for name in RESULT_FILES if (folder / name).is_file()]
    if not files:
        return None
    config = None
    if (folder / CONFIG).is_file():
        config = load_config(folder / CONFIG, overrides)
    whole = folder.resolve()  # "." has no name
    return FoundResult(
        file=files[0],
        folder=whole.parent,
        scene=whole.name,
        config=config,
    )

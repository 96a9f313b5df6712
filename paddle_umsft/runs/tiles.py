"""A scene trained tile by tile in a run: tiles on the disk, claimed by processes, resumed, put together by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TypeVar

import numpy as np

from paddle_umsft import __version__
from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.machine.files import write_sealed, write_whole
from paddle_umsft.machine.memory import in_words, peak_bytes
from paddle_umsft.machine.plain_files import digest_of, read_sealed
from paddle_umsft.methods.networks.blend_tiles import blended_whole
from paddle_umsft.methods.networks.tile_plan import TilePlan
from paddle_umsft.methods.table import Input, find_method, imported, surroundings
from paddle_umsft.runs.folder import OUTPUT_HINT
from paddle_umsft.runs.strip_plan import check_disk
from paddle_umsft.runs.strips import PAUSE_SECONDS, PLAN, PLANNING, StripFolder, work_through

Finished = TypeVar("Finished")
# Claims that a process holds while it learns the cameras, and while it writes.
LEARN, FINISH = "learn", "finish"


class Tiles:
    """Results of tiles in a folder, a file each, and a record with its sum and what else is told of it.

    Args:
        folder: Of the scene's tiles.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _file(self, number: int) -> Path:
        return self.folder / f"tile_{number:05d}.npy"

    def _record(self, number: int) -> Path:
        return self.folder / f"tile_{number:05d}.json"

    def write(
        self,
        number: int,
        cube: np.ndarray,
        told: dict[str, Any],
    ) -> None:
        """Write a tile's cube, then its record.

        Args:
            number: Of the tile.
            cube: (rows * s, columns * s, C) float32.
            told: What else is kept, as JSON can hold it.
        """
        file = self._file(number)

        def save(path: Path) -> None:
            with path.open("wb") as stream:
                np.save(stream, np.ascontiguousarray(cube, dtype="<f4"))

        write_whole(file, save, hint=OUTPUT_HINT)
        record = self._record(number)
        # With its name: copied to another one it is no record of that tile.
        content = {"name": record.name, "sha256": digest_of(file), "told": told}
        write_sealed(record, content, hint=OUTPUT_HINT)

    def is_recorded(self, number: int) -> bool:
        """Whether a tile has a record."""
        return self._record(number).is_file()

    def is_done(self, number: int) -> bool:
        """Whether a tile is there as it was written."""
        path = self._record(number)
        try:
            record = read_sealed(path)
            return bool(record["name"] == path.name and digest_of(self._file(number)) == record["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def read(self, number: int) -> np.ndarray:
        """A tile's cube, read where it is looked at."""
        cube: np.ndarray = np.load(self._file(number), mmap_mode="r", allow_pickle=False)
        return cube

    def told(self, number: int) -> dict[str, Any]:
        """What was told of a tile."""
        told: dict[str, Any] = read_sealed(self._record(number))["told"]
        return told


@dataclass(frozen=True)
class Trained:
    """A scene of which all tiles are trained.

    Attributes:
        observation: The pair that the method was given.
        plan: The tiles.
        cameras: Learned on the whole pair.
        tiles: On the disk.
        method: Its name.
    """

    observation: Observation
    plan: TilePlan
    cameras: Any
    tiles: Tiles
    method: str

    def with_cube(self, fused: np.ndarray) -> FusionResult:
        """The result of all tiles.

        Args:
            fused: (n, W, C) what is held of it.
        """
        from paddle_umsft.methods.networks.tiles import put_together

        told = [self.tiles.told(number) for number in range(self.plan.count)]
        return put_together(
            fused,
            self.observation,
            self.plan,
            self.cameras,
            told,
            self.method,
        )

    def whole(self) -> FusionResult:
        """The result, its cube blended in memory."""
        return self.with_cube(blended_whole(self.plan.grid, self.tiles.read))


def plan_at_work(work: Path) -> Optional[TilePlan]:
    """The tiles that a scene was begun in, by this process or another one; None: it was not.

    What memory there is differs from process to process and from day to day: what was begun in tiles is ended in them.
    """
    try:
        plan = TilePlan(**read_sealed(work / PLAN)["plan"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return plan


def fuse_by_tiles(
    given: Input,
    plan: TilePlan,
    config: Config,
    work: Path,
    *,
    facts: dict[str, Any],
    write: Callable[[Trained], Finished],
    first_share: float = 0.0,
    say: Callable[[str], None],
) -> Optional[Finished]:
    """Fuse a scene tile by tile, beside other processes.

    Args:
        given: The pair that the method is given.
        plan: The tiles.
        config: All settings.
        work: Folder of its own for what is on the way; what a killed run left there is gone on with.
        facts: What tells the pair from another one.
        write: Called once all tiles are there, while no other process may write; after it the work folder is removed.
        first_share: Where among the tiles to begin, between 0 and 1.
        say: Is told how far it is.

    Returns:
        What `write` returns; None: another process has written it.

    Raises:
        DataError: It cannot be fused, or there is no room for the tiles.
    """
    check_disk(work, plan)
    strips = StripFolder(work)
    asked = {**facts, "config": config.digest(), "version": __version__}
    try:
        plan = _settled(strips, plan, asked)
        for line in plan.lines():
            say(line)
        with surroundings(find_method(config.method)):
            return _Work(given, plan, config, strips, say).finished(write, first_share)
    except FileNotFoundError:
        if strips.is_there():
            raise
        # Another process was done with all of it meanwhile.
        return None


def _settled(
    strips: StripFolder,
    plan: TilePlan,
    asked: dict[str, Any],
) -> TilePlan:
    """The plan that all processes follow: that of the first one."""
    while True:
        with strips.claimed(PLANNING) as is_mine:
            if is_mine:
                return strips.settled(plan, asked)
        if not strips.folder.is_dir():
            raise FileNotFoundError(strips.folder)
        time.sleep(PAUSE_SECONDS)


class _Work:
    """What this process does of a scene.

    Args:
        given: The pair that the method is given.
        plan: The tiles.
        config: All settings.
        strips: The folder.
        say: Is told how far it is.
    """

    def __init__(
        self,
        given: Input,
        plan: TilePlan,
        config: Config,
        strips: StripFolder,
        say: Callable[[str], None],
    ) -> None:
        method = find_method(config.method)
        assert method.trained is not None
        self.given = given
        self.plan = plan
        self.config = config
        self.strips = strips
        self.say = say
        self.build = imported(method.trained)
        self.settings = method.settings(config)
        self.tiles = Tiles(strips.folder)

    def finished(
        self,
        write: Callable[[Trained], Finished],
        first_share: float,
    ) -> Optional[Finished]:
        """Learn, train and write what other processes leave of it."""
        from paddle_umsft.methods.networks import tiles

        cameras = self._cameras()
        if cameras is None:
            return None

        def train(number: int) -> float:
            result = tiles.fit_tile(
                self.given.observation,
                self.plan,
                number,
                self.build,
                self.settings,
                cameras,
                seed=self.config.seed,
            )
            told = tiles.told_of_tile(result, number)
            self.tiles.write(number, result.fused, told)
            line = f"tile {number + 1} of {self.plan.count}: {result.seconds:.1f} s"
            # Without a step, where given weights are applied, there is no loss.
            if result.history:
                loss = result.history[-1]["loss"]
                line += f", loss {loss:.4g}"
            self.say(line)
            return result.seconds

        work_through(
            self.strips,
            self.tiles,
            self.plan.count,
            train,
            first=int(first_share * self.plan.count),
            what="tiles",
            say=self.say,
        )
        # Another process writes: should it die before it is done, this one takes over.
        while self.strips.is_there():
            with self.strips.claimed(FINISH) as is_mine:
                if is_mine and self.strips.is_there():
                    done = Trained(
                        observation=self.given.observation,
                        plan=self.plan,
                        cameras=cameras,
                        tiles=self.tiles,
                        method=self.config.method,
                    )
                    finished = write(done)
                    self.say(f"memory     at most {in_words(peak_bytes() or 0)} (VmHWM)")
                    self.strips.remove()
                    return finished
            time.sleep(PAUSE_SECONDS)
        return None

    def _cameras(self) -> Any:
        """PSF and SRF of the whole pair, learned by the one process that is first; None: all is done already."""
        from paddle_umsft.methods.networks import tiles

        while self.strips.is_there():
            kept = tiles.kept_cameras(self.strips.folder)
            if kept is not None:
                return kept
            with self.strips.claimed(LEARN) as is_mine:
                if is_mine and tiles.kept_cameras(self.strips.folder) is None:
                    started = time.perf_counter()
                    learned = tiles.learn_cameras(
                        self.given.observation,
                        self.build,
                        self.settings,
                        seed=self.config.seed,
                    )
                    learned.keep(self.strips.folder)
                    self.say(f"learned    PSF and SRF of the whole pair in {time.perf_counter() - started:.1f} s")
            if not is_mine:
                time.sleep(PAUSE_SECONDS)
        return None

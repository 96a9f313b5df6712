"""Networks trained tile by tile: cameras learned once and held, one start, and the GPU of a rank."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_cases import make_case

from paddle_umsft import fuse
from paddle_umsft.config.load import load_config
from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.networks import runtime, tiles
from paddle_umsft.methods.networks.solver import SceneSolver, run_all
from paddle_umsft.methods.networks.tile_grid import Tile
from paddle_umsft.methods.networks.tile_plan import plan_tiles

UMSFT = ["network.width=4", "network.skip=2", "warm_up.iterations=2", "solver.iterations=2", "runtime.tile=128"]
UHNTC = [
    *["uhntc.warm_up.iterations=2", "uhntc.warm_up.joint_iterations=1", "uhntc.iterations=1"],
    *["runtime.tile=48"],
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("method", "settings", "shape"),
    [
        pytest.param("umsft", UMSFT, (128, 136), marks=pytest.mark.slow),
        ("uhntc", UHNTC, (48, 56)),
    ],
)
def test_cameras_are_learned_once_and_held_in_every_tile(
    method: str,
    settings: list[str],
    shape: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = make_case(*shape, 5)
    before: list[np.ndarray] = []
    after: list[dict[str, np.ndarray]] = []

    def watched(solver: SceneSolver, on_record: Any) -> Any:
        before.append(solver.model.network.parameters()[0].numpy().copy())
        result = run_all(solver, on_record)
        after.append(solver.model.cameras())
        return result

    monkeypatch.setattr(tiles, "run_all", watched)
    stages: list[str] = []
    result = fuse(
        case.observation,
        config=load_config("published.yml", [*settings, f"method={method}"]),
        on_record=lambda record: stages.append(record["stage"]),
    )
    assert result.fused.shape == (*shape, 5)
    assert np.isfinite(result.fused).all()
    assert result.extras["tiles"] == 2
    # Both cameras of both tiles are the same to the bit, and so is the start of their networks.
    assert len(after) == 2
    for name, values in after[0].items():
        assert np.array_equal(values, after[1][name])
    assert np.array_equal(before[0], before[1])
    # The warm-up was done once, as long as it is for a whole scene.
    assert [stages.count(name) for name in ("srf", "psf")] == [2, 2]
    steps = stages.count("degradation") + 4
    assert {"srf", "psf", "degradation"}.isdisjoint(stages[steps:])
    assert len(stages) > steps
    assert [record["tile"] for record in result.history if "tile" in record] == [0, 1]


def test_a_picture_that_wraps_around_is_mirrored_beyond_a_tile() -> None:
    observation = make_case(48, 64, 5).observation
    part = tiles.cut(observation, Tile(1, 5, 2, 7))
    assert part.lr_hsi.shape == (4, 5, 5)
    assert np.array_equal(part.hr_msi, observation.hr_msi[8:40, 16:56])
    assert part.meta["observe"]["border"] == "reflect"
    assert observation.meta["observe"]["border"] != "reflect"


def test_the_border_of_the_result_is_the_pictures() -> None:
    observation = make_case(48, 64, 5).observation
    plan = plan_tiles(
        observation,
        RuntimeConfig(tile=48),
        smallest=8,
        memory_of=lambda *sizes: 1.0,
    )
    assert plan is not None
    cameras = tiles.Cameras({}, np.ones((1, 1)), np.ones((3, 5)), [])
    told = [{"seconds": 1.0, "last": {}, "extras": {"border": "reflect"}, "notes": ["n"]}] * plan.count
    result = tiles.put_together(np.zeros((48, 64, 5)), observation, plan, cameras, told, "umsft")
    assert result.extras["border"] == "wrap"
    assert result.seconds == plan.count
    # A note that all tiles have is said once.
    assert len(result.notes) == 2


def test_masks_are_cut_along() -> None:
    observation = make_case(48, 64, 5).observation
    mask_hsi = np.arange(48).reshape(6, 8) % 7 > 0
    mask_msi = np.arange(48 * 64).reshape(48, 64) % 5 > 0
    part = tiles.cut(replace(observation, mask_hsi=mask_hsi, mask_msi=mask_msi), Tile(1, 5, 2, 7))
    assert part.mask_hsi is not None
    assert part.mask_msi is not None
    assert np.array_equal(part.mask_hsi, mask_hsi[1:5, 2:7])
    assert np.array_equal(part.mask_msi, mask_msi[8:40, 16:56])


def test_cameras_of_a_scene_without_end_are_learned_on_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "MOST_LEARNED", 24 * 32)
    observation = make_case(48, 64, 5).observation
    given: list[Observation] = []

    def build(pair: Observation, settings: Any, **more: Any) -> Any:
        given.append(pair)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiles.learn_cameras(observation, build, None, seed=1)
    assert given[0].shape == (24, 32)
    assert np.array_equal(given[0].lr_hsi, observation.lr_hsi[1:4, 2:6])


def test_ranks_take_turns_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    # There is no GPU here: Paddle's count is made up, and what Paddle does with the name has not been run on one.
    monkeypatch.setattr(runtime.paddle.device.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("FLAGS_selected_gpus", raising=False)
    monkeypatch.setenv("PADDLE_TRAINER_ID", "3")
    assert runtime.device_of_rank("gpu") == "gpu:1"
    assert runtime.device_of_rank("cpu") == "cpu"
    # The launcher has chosen one.
    monkeypatch.setenv("FLAGS_selected_gpus", "3")
    assert runtime.device_of_rank("gpu") == "gpu"
    monkeypatch.delenv("FLAGS_selected_gpus")
    monkeypatch.delenv("PADDLE_TRAINER_ID")
    assert runtime.device_of_rank("gpu") == "gpu"

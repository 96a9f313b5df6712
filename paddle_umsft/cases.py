"""From the configuration to jobs: which scenes there are, and each as a `Case`."""

from __future__ import annotations

from paddle_umsft.data.readers import SceneEntry, read_pair, read_scene
from paddle_umsft.data.scene import Case
from paddle_umsft.data.settings import ObserveConfig
from paddle_umsft.degradation.observe import pair, simulate


def load_case(entry: SceneEntry, observe: ObserveConfig, seed: int = 0) -> Case:
    """Reads one scene and simulates its observation, or reads a given pair.

    Args:
        entry: One of `list_scenes`.
        observe: Section `observe`.
        seed: Seed of the simulated noise.

    Raises:
        ConfigError: Settings that do not fit each other or the data.
        DataError: Missing, unreadable or unusable data.
    """
    if not entry.settings.is_pair:
        return simulate(read_scene(entry.settings, entry.name), observe, seed)
    images = read_pair(entry.settings)
    return pair(
        images.lr_hsi,
        images.hr_msi,
        observe,
        name=images.name,
        wavelengths_nm=images.wavelengths_nm,
        meta=images.meta,
    )

"""Bands that are of little use, found in the numbers before anything is fused: `umsft info` names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from paddle_umsft.data.scene import Scene

# So many pixels tell what bands have in common; more of them cost time alone.
MOST_PIXELS = 20_000


def drowned_lines(scene: Scene) -> Iterator[str]:
    """Yield which bands are mostly noise, and what comes of them; nothing where none is.

    Args:
        scene: As it was read; what is dead or constant was left out and named by the reading.
    """
    from paddle_umsft.data.bad_bands import named_bands
    from paddle_umsft.preparation.drowned import drowned_bands

    found = drowned_bands(_some_pixels(scene))
    if found.size == 0:
        return
    # Counted as in the file, also where bands were sorted or left out.
    places = [int(band) for band in found]
    if scene.facts is not None and scene.facts.order is not None:
        places = [scene.facts.order[band] for band in places]
    places.sort()
    yield (
        f"drowned    {named_bands(places)}: mostly noise, the other bands tell less than half of what is in them; a "
        f"fusion rebuilds them from the others, data.bad_bands={_as_setting(places)} leaves them out"
    )


def _as_setting(places: list[int]) -> str:
    """Return bands as `data.bad_bands` takes them: numbers from 0, and half-open ranges of neighbours."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][1]:
            runs[-1][1] = place + 1
        else:
            runs.append([place, place + 1])
    listed = []
    for first, stop in runs:
        text = str(first)
        if stop > first + 1:
            text = f"[{first},{stop}]"
        listed.append(text)
    return f"[{','.join(listed)}]"


def _some_pixels(scene: Scene) -> np.ndarray:
    """Return (n, 1, C): pixels with data, spread over the image."""
    import numpy as np

    cube = scene.hr_hsi
    pixels = cube.reshape(-1, cube.shape[2])
    if scene.mask_hsi is not None:
        pixels = pixels[scene.mask_hsi.ravel()]
    step = max(1, len(pixels) // MOST_PIXELS)
    return np.asarray(pixels[::step, None, :], np.float64)

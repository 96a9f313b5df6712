"""A look at images that no memory holds: at their middle, where the file can be read in parts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_umsft.errors import UmsftError

if TYPE_CHECKING:
    from paddle_umsft.config.data import DataConfig

# Numbers of an image from which on a look at its middle has to do (0.5 to 4 GB), and how much that is about.
MANY = 500_000_000
LOOKED_AT = 50_000_000


def with_middle(settings: DataConfig) -> DataConfig:
    """Return the settings with a crop to the middle of an image that is very large; as they came for any other.

    Args:
        settings: Section `data`: a crop of the user's own goes before.
    """
    from paddle_umsft.data.readers.base import GLANCE, Request
    from paddle_umsft.data.readers.envi_header import HEADER_SUFFIX
    from paddle_umsft.data.readers.many import read_image

    if settings.crop is not None or settings.path is None:
        return settings
    file = Path(settings.path).expanduser()
    # What is made here, and folders of scenes, are no large files.
    if not file.is_file():
        return settings
    # A header says how large the image beside it is.
    is_header = file.suffix.lower() == HEADER_SUFFIX
    if not is_header and file.stat().st_size < MANY:
        return settings
    request = Request(
        key=settings.key,
        layout=settings.layout,
        window=GLANCE,
    )
    try:
        found = read_image(settings.path, request)
    except UmsftError:
        # What is wrong with it is said when it is read.
        return settings
    if found.size is None:
        return settings
    bands = 1
    if found.values.ndim > 2:
        bands = found.values.shape[2]
    rows, columns = found.size
    count = rows * columns * bands
    if count < MANY:
        return settings
    # A window of the image's own proportions.
    share = math.sqrt(LOOKED_AT / count)
    height = max(1, int(rows * share))
    width = max(1, int(columns * share))
    top = (rows - height) // 2
    left = (columns - width) // 2
    return settings.model_copy(update={"crop": [top, left, height, width]})

"""Small scenes of whole numbers, written as a file of any kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.reading import read_scene
from paddle_umsft.errors import ConfigError, UmsftError

H, W, C = 40, 56, 7


def cube(dtype: Any = np.uint16, shape: tuple[int, ...] = (H, W, C), seed: int = 0) -> np.ndarray:
    values = np.random.RandomState(seed).randint(1, 200, shape)
    return values.astype(dtype)


def write(path: Path, **arrays: np.ndarray) -> str:
    """Writes one file of the kind that its name says; .mat73 stands for a v7.3 .mat."""
    first = next(iter(arrays.values()))
    if path.suffix == ".npy":
        np.save(path, first)
    elif path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".mat73":
        path = path.with_suffix(".mat")
        with h5py.File(path, "w", userblock_size=512) as handle:
            for name, array in arrays.items():
                handle.create_dataset(name, data=array.T)  # MATLAB writes its column-major memory
        with path.open("r+b") as stream:
            stream.write(b"MATLAB 7.3 MAT-file".ljust(512, b" "))
    elif path.suffix == ".mat":
        scipy.io.savemat(path, arrays)
    elif path.suffix == ".tif":
        import tifffile

        tifffile.imwrite(path, np.moveaxis(first, -1, 0), photometric="minisblack")
    elif path.suffix == ".hdr":
        import spectral.io.envi as envi

        meta = {"wavelength": [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7], "wavelength units": "Micrometers"}
        envi.save_image(str(path), first, metadata=meta, interleave="bil", ext=".img")
    return str(path)


def refused(kind: type[UmsftError], settings: DataConfig, *facts: str) -> None:
    """The scene is refused with one line that names these facts."""
    with pytest.raises(kind) as caught:
        read_scene(settings)
    message = str(caught.value)
    assert caught.value.exit_code == (2 if kind is ConfigError else 3)
    assert "\n" not in message
    for fact in facts:
        assert fact in message, message

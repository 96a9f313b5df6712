"""A file's values are its own: HDF5 can point at other files, which are not read; a pipe is not waited for."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from paddle_umsft.data.readers.base import Request
from paddle_umsft.data.readers.table import read_array
from paddle_umsft.errors import DataError


@pytest.mark.parametrize("suffix", ["mat", "h5"])
@pytest.mark.parametrize("kind", ["raw", "link", "by a link", "virtual"])
def test_values_kept_in_another_file_are_not_read(tmp_path: Path, suffix: str, kind: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET " * 100)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(48.0).reshape(4, 4, 3)
    path = tmp_path / f"made.{suffix}"
    with h5py.File(path, "w") as file:
        if kind == "raw":
            file.create_dataset("x", (4, 4, 4), "u1", external=[(str(secret), 0, 64)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4, 4, 3), "f8")
            layout[...] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", shape=(4, 4, 3))
            file.create_virtual_dataset("x", layout)
        else:
            file["there"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
            if kind == "by a link":
                file["x"] = h5py.SoftLink("/there/x")
    with pytest.raises(DataError):
        read_array(path, Request())
    # Not by name either.
    for name in ("x", "there/x"):
        with pytest.raises(DataError):
            read_array(path, Request(key=name))


@pytest.mark.skipif(os.name == "nt", reason="needs a pipe")
def test_a_pipe_among_the_bands_of_a_scene_is_a_missing_band(tmp_path: Path) -> None:
    import cv2

    from paddle_umsft.data.readers.cave import read_cave

    for band in range(1, 31):
        cv2.imwrite(str(tmp_path / f"a_{band:02d}.png"), np.full((4, 5), band, np.uint16))
    os.mkfifo(tmp_path / "a_31.png")
    with pytest.raises(DataError, match="without 31"):
        read_cave(tmp_path)

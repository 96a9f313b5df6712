"""Rows of an array in a file: those of the array itself, and of no other file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddle_umsft.machine.stored_rows import StoredRows


def test_rows_are_those_of_the_array(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((13, 7, 3), dtype=np.float32)
    np.save(tmp_path / "image.npy", image)
    stored = StoredRows(tmp_path / "image.npy")
    assert (stored.shape, stored.dtype, stored.size, len(stored)) == (image.shape, image.dtype, image.size, 13)
    for rows in (np.array([11, 12, 0, 1, 5, 5]), np.arange(0), slice(3, 9), slice(None), np.arange(13) % 3 == 0):
        np.testing.assert_array_equal(stored[rows], image[rows])
    np.testing.assert_array_equal(stored[np.array([2, 3]), 1:5], image[[2, 3], 1:5])
    with pytest.raises(TypeError, match="by their numbers"):
        stored[..., 1]
    stored.close()


def test_what_was_not_written_is_not_read(tmp_path: Path) -> None:
    image = np.ones((4, 3, 2), dtype=np.float32)
    np.save(tmp_path / "image.npy", image)
    (tmp_path / "link.npy").symlink_to(tmp_path / "image.npy")
    with pytest.raises(OSError, match="not followed"):
        StoredRows(tmp_path / "link.npy")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="not what was written"):
        StoredRows(tmp_path / "objects.npy")
    whole = (tmp_path / "image.npy").read_bytes()
    (tmp_path / "image.npy").write_bytes(whole[:-5])
    with pytest.raises(OSError, match="too short"):
        StoredRows(tmp_path / "image.npy")[np.array([3])]

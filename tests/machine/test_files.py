"""Writing whole or not at all: what a reader finds after a failure is what was there before, and nothing beside it."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddle_umsft.errors import ConversionError, DataError
from paddle_umsft.machine.files import plain, write_csv, write_json, write_text, write_whole


def full_disk(path: Path) -> None:
    path.write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def stopped(path: Path) -> None:
    path.write_text("half")
    raise KeyboardInterrupt


def mistaken(path: Path) -> None:
    path.write_text("half")
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("write", "raised"), [(full_disk, DataError), (stopped, KeyboardInterrupt), (mistaken, ZeroDivisionError)]
)
def test_what_was_there_is_kept(write: Any, raised: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("before")
    with pytest.raises(raised):
        write_whole(target, write)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_the_error_is_one_line_without_the_temporary_name(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(ConversionError) as caught:
        write_whole(target, full_disk, error=ConversionError, hint="make room")
    assert str(caught.value) == f"{target}: cannot be written, got No space left on device; make room"


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(DataError, match=f"got .*: {tmp_path / 'a'}$"):
        write_text(tmp_path / "a" / "b.txt", "text")


def test_folders_are_made_unless_it_is_forbidden(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "ä\r\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "ä\r\n".encode()
    with pytest.raises(DataError, match="cannot be written"):
        write_whole(tmp_path / "d" / "e.txt", full_disk, make_folder=False)
    assert not (tmp_path / "d").exists()


def test_libraries_that_append_a_suffix_find_it_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.npy", lambda path: np.save(path, np.arange(3)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), [0, 1, 2])


def test_json_of_numbers_that_json_does_not_have(tmp_path: Path) -> None:
    content = {
        "array": np.array([1.5, np.nan, np.inf]),
        "number": np.float32(0.5),
        "whole": np.int64(3),
        "flag": np.bool_(True),
        "path": Path("a"),
        "rows": ({1: None}, [True]),
    }
    write_json(tmp_path / "a.json", content)
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert found == {
        "array": [1.5, None, None],
        "number": 0.5,
        "whole": 3,
        "flag": True,
        "path": "a",
        "rows": [{"1": None}, [True]],
    }
    assert plain(found) == found


def test_csv_is_read_back_as_written(tmp_path: Path) -> None:
    rows = [{"scene": 'a, "b"\nc', "PSNR": 30.25}, {"scene": "d"}]
    write_csv(tmp_path / "a.csv", ["scene", "PSNR"], rows)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [{"scene": 'a, "b"\nc', "PSNR": "30.25"}, {"scene": "d", "PSNR": ""}]
    with pytest.raises(ValueError, match="SAM"):
        write_csv(tmp_path / "a.csv", ["scene"], [{"scene": "e", "SAM": 1.0}])


def test_csv_has_no_formulas(tmp_path: Path) -> None:
    """Neither from a scene's name nor from a metric's, which may come out of a folder that somebody sent."""
    write_csv(tmp_path / "a.csv", ["scene", "@PSNR"], [{"scene": "=1+1", "@PSNR": -3.5}])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["scene", "'@PSNR"], ["'=1+1", "-3.5"]]

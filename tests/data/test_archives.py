"""Data sets as they arrive: packed, in a subfolder, half unpacked, damaged."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.archives import find_scenes
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.errors import DataError

SCENES = {"1.mat": b"one" * 50, "2.mat": b"two" * 60, "10.mat": b"ten" * 70}


def packed(folder: Path, prefix: str = "") -> Path:
    """An archive of three files, as packed on a Mac."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "CAVE.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in SCENES.items():
            file.writestr(f"{prefix}{name}", content)
        file.writestr(f"__MACOSX/{prefix}._1.mat", b"nothing")
    return archive


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.mat")}


@pytest.mark.parametrize("prefix", ["", "CAVE/", "a/b/"])
def test_an_archive_is_unpacked_once(tmp_path: Path, prefix: str) -> None:
    packed(tmp_path / "data", prefix)
    found = find_scenes(tmp_path / "data", tmp_path / "spare")
    assert found == tmp_path / "data" / "CAVE" / prefix.rstrip("/")
    assert contents(found) == SCENES
    assert sorted(item.name for item in (tmp_path / "data" / "CAVE").rglob("*.part")) == []
    (found / "1.mat").write_bytes(b"eno" * 50)  # in its full size: it is left as it is
    assert find_scenes(tmp_path / "data", tmp_path / "spare") == found
    assert (found / "1.mat").read_bytes() == b"eno" * 50
    # And the data set's own folder stands for its scenes.
    names = [entry.name for entry in list_scenes(DataConfig(path=str(tmp_path / "data")))]
    assert names == ["1", "2", "10"]


def test_half_unpacked_is_made_whole_where_it_lies(tmp_path: Path) -> None:
    archive = packed(tmp_path / "data")
    (archive.parent / "1.mat").write_bytes(SCENES["1.mat"])
    (archive.parent / "2.mat").write_bytes(SCENES["2.mat"][:20])
    assert find_scenes(archive.parent, tmp_path / "spare") == archive.parent
    assert contents(archive.parent) == SCENES


def test_what_cannot_be_written_to_is_unpacked_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path / "data")
    (archive.parent / "1.mat").write_bytes(SCENES["1.mat"])
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = find_scenes(archive.parent, tmp_path / "spare")
    assert found == tmp_path / "spare" / "CAVE"
    assert contents(found) == SCENES


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    archive = packed(tmp_path / "data")
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"CAVE\.zip: cannot be unpacked.*upload it again"):
        find_scenes(archive.parent, tmp_path / "spare")
    flipped = bytearray(whole)
    flipped[40] ^= 0xFF  # within the first file's content
    archive.write_bytes(bytes(flipped))
    with pytest.raises(DataError, match="cannot be unpacked"):
        find_scenes(archive.parent, tmp_path / "spare")
    assert "1.mat" not in contents(tmp_path / "data" / "CAVE")


def test_names_that_lead_out_stay_within(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("../../out.mat", b"x")
    find_scenes(tmp_path, tmp_path / "spare")
    assert not (tmp_path.parent / "out.mat").exists()
    assert not (tmp_path / "out.mat").exists()


def test_a_folder_without_scenes_says_what_is_in_it(tmp_path: Path) -> None:
    assert find_scenes(tmp_path / "none", tmp_path) is None
    assert find_scenes(tmp_path, tmp_path / "spare") is None
    settings = DataConfig(path=str(tmp_path))
    packed(tmp_path)
    with pytest.raises(DataError, match=r"got packed: CAVE\.zip; unpack it first; on AI Studio"):
        list_scenes(settings)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.mat").touch()
    with pytest.raises(DataError, match="subfolders with scenes: a, b; name one of them"):
        list_scenes(settings)


def test_nothing_is_unpacked_through_a_link(tmp_path: Path) -> None:
    archive = packed(tmp_path / "data", "a/")
    outside = tmp_path / "outside"
    outside.mkdir()
    (archive.parent / "CAVE").mkdir()
    (archive.parent / "CAVE" / ".part").symlink_to(outside)
    (archive.parent / "CAVE" / "a").symlink_to(outside)
    with pytest.raises(DataError, match="leads out of the folder"):
        find_scenes(archive.parent, tmp_path / "spare")
    assert list(outside.iterdir()) == []


def test_nothing_is_unpacked_outside_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with zipfile.ZipFile(tmp_path / "data" / "CAVE.zip", "w") as file:
        for name in ("a/../../../up.mat", "/absolute.mat", "1.mat"):
            file.writestr(name, b"x" * 50)
    found = find_scenes(tmp_path / "data", tmp_path / "spare")
    assert found is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
    assert not Path("/absolute.mat").exists()


def test_an_archive_larger_than_the_disk_is_refused_before_any_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(tmp_path / "data")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(DataError, match="GB free"):
        find_scenes(archive.parent, tmp_path / "spare")
    assert [path.name for path in archive.parent.iterdir()] == ["CAVE.zip"]

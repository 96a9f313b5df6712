"""Damaged and hostile files: each refused with one line, nothing executed, nothing written, soon and small."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hostile_files import FILES, legacy, zipped

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import convert_file, load_vgg_features

# Calls that refusing a file may take, whatever its size, and for each of its bytes. Measured: 3739 for the worst of the
# small files, and 7 a byte for the worst of the large ones (a pickle nested 200 000 deep).
FEW_CALLS = 8_000
CALLS_PER_BYTE = 10


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Calls:
    """How many calls of Python and C functions were made."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            self.count += 1


@contextmanager
def calls_counted() -> Iterator[Calls]:
    """Counts instead of a clock: the same on any machine, however busy it is."""
    calls = Calls()
    before = sys.getprofile()
    sys.setprofile(calls)
    try:
        yield calls
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("kind", FILES)
def test_bad_file_is_refused(kind: str, tmp_path: Path) -> None:
    content, message = FILES[kind]
    data = content() if callable(content) else content
    source = tmp_path / "source.pth"
    source.write_bytes(data)
    with pytest.raises(ConversionError, match=message) as caught, calls_counted() as calls:
        convert_file(source, tmp_path / "result.pdparams")
    # The work grows no faster than the file: nothing in it is done over and over.
    assert calls.count < FEW_CALLS + CALLS_PER_BYTE * len(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert caught.value.exit_code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["source.pth"]


@pytest.mark.parametrize(
    "kind",
    [name for name in FILES if any(word in name for word in ("over and over", "bomb", "2**", "GB", "deep", "lie"))],
)
def test_bad_file_costs_little_memory(kind: str, tmp_path: Path) -> None:
    content, _ = FILES[kind]
    data = content() if callable(content) else content
    source = tmp_path / "source.pth"
    source.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ConversionError):
            convert_file(source, tmp_path / "result.pdparams")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A million steps of pushing small objects, and half a gigabyte of text turned to bytes, at the very most.
    assert peak < (600e6 if "over and over" in kind else 120e6)


@pytest.mark.parametrize("kind", [name for name, (content, _) in FILES.items() if isinstance(content, bytes)])
def test_bad_vgg_file_is_refused(kind: str, tmp_path: Path) -> None:
    content = FILES[kind][0]
    assert isinstance(content, bytes)
    source = tmp_path / "vgg.pth"
    source.write_bytes(content)
    with pytest.raises(ConversionError):
        load_vgg_features(source)
    assert [path.name for path in tmp_path.iterdir()] == ["vgg.pth"]


def test_missing_file_folder_and_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "folder.pth").mkdir()
    for name, message in (
        ("none.pth", "no such file"),
        ("folder.pth", "cannot be read"),
        ("pipe.pth", "no plain file"),
    ):
        with pytest.raises(ConversionError, match=message):
            convert_file(tmp_path / name, tmp_path / "result.pdparams")
    assert not (tmp_path / "result.pdparams").exists()


def test_existing_result_survives_a_bad_source(tmp_path: Path) -> None:
    source, target = tmp_path / "source.pth", tmp_path / "result.pdparams"
    source.write_bytes(zipped(offset=3))
    target.write_bytes(b"kept")
    with pytest.raises(ConversionError):
        convert_file(source, target)
    assert target.read_bytes() == b"kept"


def test_the_builders_make_a_sound_file(tmp_path: Path) -> None:
    """Else the tests above might pass for the wrong reason."""
    for name, data in (("zip.pth", zipped()), ("legacy.pth", legacy())):
        (tmp_path / name).write_bytes(data)
        assert convert_file(tmp_path / name, tmp_path / f"{name}.pdparams").problems() == ""

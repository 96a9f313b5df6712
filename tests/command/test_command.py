"""`umsft`, as a user calls it: help, exit codes, one line where something is wrong, and what the subcommands leave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spectral.io.envi as spy

from paddle_umsft.command import fuse as fuse_command
from paddle_umsft.command.base import parser_of
from paddle_umsft.command.main import COMMANDS, main
from paddle_umsft.data.pairing import pairs_in
from paddle_umsft.errors import DataError

ROOT = Path(__file__).parents[2]
WAVELENGTHS = np.linspace(400, 700, 12)


def scene(seed: int = 0, height: int = 48, width: int = 64, bands: int = 12) -> np.ndarray:
    """Patches of smooth spectra under uneven light: no symmetry."""
    rng = np.random.RandomState(seed)
    axis = np.linspace(0, 1, bands)
    centres, widths = rng.uniform(0, 1, 6), rng.uniform(0.15, 0.5, 6)
    spectra = np.array([0.1 + 0.8 * np.exp(-(((axis - c) / w) ** 2)) for c, w in zip(centres, widths)])
    labels = np.zeros((height, width), int)
    for _ in range(40):
        row, column = rng.randint(height), rng.randint(width)
        labels[row : row + rng.randint(4, 20), column : column + rng.randint(4, 20)] = rng.randint(6)
    shade = 0.6 + 0.4 * np.linspace(0, 1, height)[:, None] * np.linspace(1, 0.3, width)[None]
    return spectra[labels] * (shade + 0.03 * rng.rand(height, width))[..., None]


def envi(path: Path, image: np.ndarray, pixel: float, kind: str = "<u2", code: int = 12, bands: bool = False) -> Path:
    """Write an ENVI image by hand: BIP, with a place on the ground."""
    image.astype(kind).tofile(path.with_suffix(".img"))
    height, width, count = image.shape
    lines = [
        "ENVI", f"samples = {width}", f"lines = {height}", f"bands = {count}", "header offset = 0",
        "file type = ENVI Standard", f"data type = {code}", "interleave = bip", "byte order = 0",
        f"map info = {{UTM, 1, 1, 380952.5, 5820372.5, {pixel}, {pixel}, 33, North, WGS-84, units=Meters}}",
    ]  # fmt: skip
    if bands:
        lines.append(f"wavelength units = Nanometers\nwavelength = {{{', '.join(f'{nm:g}' for nm in WAVELENGTHS)}}}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_pair(folder: Path, name: str = "a", seed: int = 0, counts: float = 10000.0) -> tuple[Path, Path]:
    truth = np.rint(scene(seed) * counts)
    low = truth.reshape(12, 4, 16, 4, 12).mean(axis=(1, 3))
    msi = np.stack([truth[:, :, first : first + 4].mean(axis=2) for first in (0, 4, 8)], axis=2)
    hsi_file = envi(folder / f"{name}_hsi.hdr", np.rint(low), 40.0, bands=True)
    return hsi_file, envi(folder / f"{name}_msi.hdr", np.rint(msi), 10.0)


def test_help_of_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    for command in COMMANDS.values():
        with pytest.raises(SystemExit) as stop:
            main([command.name, "--help"])
        assert stop.value.code == 0
        text = capsys.readouterr().out
        assert command.summary in text
        assert "Exit codes" in text
        assert "%(prog)s" not in text
        parser = parser_of(command, "x")
        assert all(action.help for action in parser._actions), command.name
    assert main(["--version"]) == 0


def test_wrong_use_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, high = write_pair(tmp_path)
    cases = {
        ("fus",): (2, "did you mean fuse?"),
        ("fuse", str(low), str(high), "-o", str(tmp_path / "x.jpg")): (2, "unknown kind of file"),
        ("fuse", str(low), str(high), "-o", str(tmp_path / "x.hdr"), "--format", "tif"): (2, "two formats"),
        ("fuse", str(tmp_path / "no.hdr"), str(high), "-o", str(tmp_path / "x.hdr")): (3, "no such file"),
        ("fuse", str(low), str(high), "-o", str(tmp_path / "x.hdr"), "-m", "fats"): (2, "unknown method"),
        ("fuse", str(low), str(high), "-o", str(tmp_path / "x.hdr"), "--set", "observe.skale=3"): (2, "observe.scale"),
        ("check", str(low), str(tmp_path / "no.tif")): (3, "no such file"),
        ("convert", str(low), str(tmp_path / "x.doc")): (2, "unknown kind of file"),
        ("convert", str(tmp_path / "no.pth"), str(tmp_path / "x.pdparams")): (3, "no such file"),
        ("simulate", "-c", "nothing.yml"): (2, "no such configuration"),
        ("train",): (2, "no configuration"),
    }
    for arguments, (code, words) in cases.items():
        assert main(list(arguments)) == code, arguments
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert words in lines[0], lines
    assert main(["info", str(tmp_path / "no.tif")]) == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a_hsi.hdr", "a_hsi.img", "a_msi.hdr", "a_msi.img"]


def test_no_arguments_where_some_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("fuse", "check", "info", "convert", "simulate"):
        assert main([name]) == 2
        assert "Exit codes" in capsys.readouterr().err


def test_two_files_to_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The result is the HSI's: counts, type, bands; the ground is the MSI's."""
    low, high = write_pair(tmp_path)
    assert main(["fuse", str(low), str(high), "-o", str(tmp_path / "fused.hdr")]) == 0
    assert "fused.hdr" in capsys.readouterr().out.splitlines()[-1]
    image = spy.open(str(tmp_path / "fused.hdr"))
    fused = np.array(image.open_memmap(interleave="bip"))
    truth = np.rint(scene() * 10000)
    assert fused.shape == truth.shape
    assert fused.dtype == np.uint16
    assert np.sqrt(np.mean((fused - truth) ** 2)) < 0.02 * truth.max()
    np.testing.assert_allclose(image.bands.centers, WAVELENGTHS, atol=1e-3)
    error = spy.open(str(tmp_path / "fused_expected_error.hdr"))
    expected = np.sqrt(np.mean(np.square(error.open_memmap(interleave="bip"))))
    # In counts. Six spectra under one light are found to a count, and held-out LR pixels say that little is hidden.
    assert np.sqrt(np.mean((fused - truth) ** 2)) < expected < 10
    assert error.metadata["band names"][0].endswith("MSI") or "MSI's bands" in error.metadata["band names"][0]
    assert [float(part) for part in image.metadata["map info"][3:7]] == [380952.5, 5820372.5, 10, 10]


def test_a_folder_of_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs, out = tmp_path / "pairs", tmp_path / "out"
    pairs.mkdir()
    for seed, name in enumerate(("first", "second")):
        write_pair(pairs, name, seed)
    (pairs / "third_hsi.hdr").write_text("ENVI\n")
    (pairs / "third_msi.hdr").write_text("ENVI\n")
    # One that cannot be read does not stop the others.
    assert main(["fuse", str(pairs), "-o", str(out), "--format", "envi", "--quiet", "--alone"]) == 3
    assert sorted(file.name for file in out.iterdir()) == ["first.hdr", "first.img", "second.hdr", "second.img"]
    assert "error: third: " in capsys.readouterr().err
    before = (out / "first.img").stat().st_mtime_ns
    assert main(["fuse", str(pairs), "-o", str(out), "--format", "envi", "--quiet", "--alone", "--skip-existing"]) == 3
    assert (out / "first.img").stat().st_mtime_ns == before
    assert main(["fuse", str(pairs), "-o", str(tmp_path / "one.tif")]) == 2
    assert "several pairs and one file" in capsys.readouterr().err


def test_pairs_by_their_names(tmp_path: Path) -> None:
    for name in ("x_HSI.npy", "x-msi.tif", "2021_prisma_b.npy", "2021_s2_b.png", "notes.txt"):
        (tmp_path / name).touch()
    found = pairs_in(tmp_path, tmp_path)
    assert [(pair.name, pair.hsi.name, pair.msi.name) for pair in found] == [
        ("2021_b", "2021_prisma_b.npy", "2021_s2_b.png"),
        ("x", "x_HSI.npy", "x-msi.tif"),
    ]
    (tmp_path / "alone_hsi.npy").touch()
    with pytest.raises(DataError, match=r"without a partner.*alone_hsi\.npy"):
        pairs_in(tmp_path, tmp_path)
    low, high = tmp_path / "low", tmp_path / "high"
    low.mkdir()
    high.mkdir()
    (low / "a.npy").touch()
    (high / "a.tif").touch()
    assert [pair.name for pair in pairs_in(low, high)] == ["a"]


def test_check_tells_strangers_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, high = write_pair(tmp_path)
    _, other = write_pair(tmp_path, "b", seed=7)
    assert main(["check", str(low), str(high)]) == 0
    shown = capsys.readouterr().out
    assert "VERDICT    they belong together" in shown
    assert "overlap    100% of the HSI and 100% of the MSI" in shown
    assert "ratio 4" in shown
    assert main(["check", str(low), str(other)]) == 3
    assert "VERDICT    they do not belong together" in capsys.readouterr().out


def test_info_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, _ = write_pair(tmp_path)
    np.savez(tmp_path / "two.npz", cube=scene(), mask=np.ones((3, 3)))
    assert main(["info", str(low), str(tmp_path / "two.npz"), "--bands"]) == 0
    shown = capsys.readouterr().out
    for words in ("12 rows, 16 columns, 12 bands, stored as uint16", "400...700 nm", "EPSG:32633", "pixels 40 x 40",
                  "cube (48, 64, 12) float64; mask (3, 3) float64", "band 12"):  # fmt: skip
        assert words in shown, words


def test_convert_keeps_numbers_and_facts(tmp_path: Path) -> None:
    low, _ = write_pair(tmp_path)
    assert main(["convert", str(low), str(tmp_path / "copy.hdr")]) == 0
    before, after = spy.open(str(low)), spy.open(str(tmp_path / "copy.hdr"))
    np.testing.assert_array_equal(before.open_memmap(interleave="bip"), after.open_memmap(interleave="bip"))
    assert after.metadata["data type"] == "12"
    np.testing.assert_allclose(after.bands.centers, WAVELENGTHS, atol=1e-3)


def test_stopped_by_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    low, high = write_pair(tmp_path)
    monkeypatch.setattr(fuse_command, "_fuse_one", stopped)
    assert main(["fuse", str(low), str(high), "-o", str(tmp_path / "x.hdr")]) == 130
    assert capsys.readouterr().err.startswith("interrupted; 0 of 1 pairs")


@pytest.mark.parametrize("tool", ["eval", "simulate", "train", "convert_weights"])
def test_without_numpy_a_tool_says_so(tool: str) -> None:
    """Once `UnboundLocalError`: what the except clauses named was imported inside the try."""
    arguments = {
        "eval": ["x.npy"],
        "simulate": ["-c", "demo.yml"],
        "train": ["-c", "demo.yml"],
        "convert_weights": ["a.pth", "b.pdparams"],
    }
    code = (
        "import sys, runpy; sys.modules['numpy'] = None; sys.argv = sys.argv[1:];"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, str(ROOT / "tools" / f"{tool}.py")]
    done = subprocess.run([*command, *arguments[tool]], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "install first" in done.stderr
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert shown.returncode == 0
    assert "Exit codes" in shown.stdout

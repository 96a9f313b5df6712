"""Anything at all as configuration, arguments, files, run folders and command lines: a finite result, or an own error.

A minute in CI; ten on demand: `PADDLE_UMSFT_FUZZ_SECONDS=600 python -m pytest -m slow tests/test_fuzz.py`.
Another `PADDLE_UMSFT_FUZZ_SEED` (a number) tries other things.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import TEXTS, VALUES, damage_folder, damaged, for_a_while, odd_arrays, only_own_warnings
from hypothesis import strategies as st
from odd_files import envi, geotiff, image
from programs import program
from train_calls import scene_file

from paddle_umsft import fuse, read_pair, read_scene, simulate
from paddle_umsft.command.main import main
from paddle_umsft.config.load import load_config, make_config
from paddle_umsft.config.run import MORE_SECTIONS, Config
from paddle_umsft.errors import UmsftError
from paddle_umsft.methods.table import METHODS, Method
from paddle_umsft.metrics import CONVENTIONS, evaluate

pytestmark = pytest.mark.slow
SCALE, LR, HR = 4, (6, 8, 5), (24, 32, 3)
RNG = np.random.default_rng(1)
BANDS_OF = RNG.uniform(0.2, 1.0, (LR[2], HR[2]))
TRUTH = RNG.uniform(0.1, 1.0, (3, 4, LR[2])).repeat(8, 0).repeat(8, 1)
LR_HSI = TRUTH.reshape(LR[0], SCALE, LR[1], SCALE, LR[2]).mean(axis=(1, 3)).astype(np.float32)
HR_MSI = (TRUTH @ BANDS_OF).astype(np.float32)
QUICK_METHODS = ["bicubic", "gsa", "sfim", "cnmf", "subspace", "umsft", "nothing"]


def dotted(content: dict[str, Any], before: str = "") -> list[str]:
    """Keys of nested settings, "section.key"."""
    keys = []
    for key, value in content.items():
        keys.append(before + key)
        if isinstance(value, dict):
            keys += dotted(value, f"{before}{key}.")
    return keys


KEYS = st.one_of(st.sampled_from(dotted(Config().model_dump())), st.sampled_from(TEXTS), st.text(max_size=6))


def nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def test_any_configuration(tmp_path: Path) -> None:
    file = tmp_path / "any.yml"

    def check(key: str, value: Any, text: str, signs: str) -> None:
        with only_own_warnings():
            for attempt in (
                lambda: make_config(nested(key, value)),
                lambda: load_config(None, [f"{key}={text}"]),
                lambda: load_config(None, [signs]),
                lambda: load_config(file),
                lambda: load_config(text),
            ):
                file.write_bytes(f"{key.split('.')[-1]}: {text}\n{signs}".encode("utf-8", "surrogatepass"))
                with contextlib.suppress(UmsftError):
                    attempt().digest()

    yaml = st.one_of(st.text(max_size=12), VALUES.map(str), st.sampled_from(YAML))
    assert for_a_while(check, 0.15, key=KEYS, value=VALUES, text=yaml, signs=yaml) > 0


YAML = [
    "!!python/object/apply:os.system [true]", "&a [*a]", "*a", "{a: {a: ", "- 1", "[[[[", "0x", "1_000", "2026-11-28",
    "? a\n: b", "<<: 1", "!!binary abc", ".inf", "-.nan", "1:30", "'", "a: b: c", "[" * 3000, "\t", "%", "@",
    "_base_: any.yml",
]  # fmt: skip


def given_or_odd(array: np.ndarray) -> Any:
    """The right thing most of the time: one oddity at once goes furthest."""
    return st.one_of(st.just(array), st.just(array), odd_arrays(array.shape))


def known(shape: tuple[int, ...]) -> Any:
    return st.one_of(st.none(), st.none(), odd_arrays(shape), VALUES)


def rarely(*values: Any) -> Any:
    return st.one_of(st.none(), st.none(), st.sampled_from(values), VALUES)


def test_any_arguments() -> None:
    def check(lr_hsi: Any, hr_msi: Any, method: Any, **others: Any) -> None:
        given = {name: value for name, value in others.items() if value is not None}
        try:
            with only_own_warnings():
                result = fuse(lr_hsi, hr_msi, method=method, **given)
        except UmsftError:
            return
        fused = np.asarray(result.fused)
        valid = np.ones(fused.shape[:2], bool) if result.valid is None else result.valid
        assert np.isfinite(fused[valid]).all(), "no finite result"

    calls = for_a_while(
        check,
        0.35,
        lr_hsi=given_or_odd(LR_HSI),
        hr_msi=given_or_odd(HR_MSI),
        method=st.sampled_from(QUICK_METHODS),
        scale=rarely(4, 4.0, 3.5),
        psf=known((5, 5)),
        srf=known((HR[2], LR[2])),
        wavelengths_nm=known((LR[2],)),
        mask_hsi=known(LR[:2]),
        mask_msi=known(HR[:2]),
        supports=rarely([[0, 2], [1, 3], [2, 5]], [[0, 9]]),
        seed=rarely(1),
        config=rarely(Config(), "fast.yml"),
        overrides=rarely(["seed=2"], ["preparation.shift=false"]),
        weights=st.one_of(st.none(), st.none(), st.none(), VALUES),
        iterations=st.one_of(st.none(), st.none(), st.none(), VALUES),
    )
    assert calls > 0


def test_any_arguments_of_the_other_calls(tmp_path: Path) -> None:
    scene = read_scene("demo://dead_leaves", crop=[0, 0, 24, 32])

    def check(first: Any, second: Any, convention: Any, key: str, value: Any, call: str) -> None:
        section, _, name = key.partition(".")
        try:
            with only_own_warnings():
                if call == "evaluate":
                    evaluate(first, second, scale=value, convention=convention)
                elif call == "simulate":
                    seen = simulate(scene, **{name or section: value}).observation
                    assert np.isfinite(seen.lr_hsi).all()
                    assert np.isfinite(seen.hr_msi).all()
                elif call == "read_scene":
                    assert np.isfinite(read_scene("demo://dead_leaves", **{name or section: value}).hr_hsi).all()
                else:
                    read_pair(value, value, observe={name or section: value})
        except UmsftError:
            return

    calls = for_a_while(
        check,
        0.15,
        first=given_or_odd(TRUTH),
        second=given_or_odd(TRUTH),
        convention=st.one_of(st.sampled_from(sorted(CONVENTIONS)), VALUES),
        key=st.sampled_from([key for key in dotted(Config().model_dump()) if key.startswith(("observe.", "data."))]),
        value=VALUES,
        call=st.sampled_from(["evaluate", "simulate", "read_scene", "read_pair"]),
    )
    assert calls > 0


def seeds_of_files(folder: Path) -> list[Path]:
    """One folder a format, each with a small image of it."""
    import h5py
    import imageio.v3 as imageio
    import scipy.io
    import tifffile

    cube = image()
    made = {}
    for name in ("npy", "npz", "mat", "h5", "tif", "png", "envi", "geotiff", "csv"):
        made[name] = folder / name
        made[name].mkdir(parents=True)
    np.save(made["npy"] / "x.npy", cube)
    np.savez(made["npz"] / "x.npz", cube=cube, wavelengths=np.arange(6.0))
    scipy.io.savemat(made["mat"] / "x.mat", {"cube": cube, "word": "a"}, do_compression=True)
    with h5py.File(made["h5"] / "x.h5", "w") as file:
        file.create_dataset("cube", data=cube, chunks=True, compression="gzip").attrs["units"] = "1"
    tifffile.imwrite(made["tif"] / "x.tif", cube, photometric="minisblack", compression="zlib")
    imageio.imwrite(made["png"] / "x.png", cube[..., :3].astype(np.uint8))
    envi(lines="wavelength = {450, 520, 570, 660, 850, 1600}\nmap info = {UTM, 1, 1, 5, 5, 10, 10, 33, North}\n")(
        made["envi"]
    )
    geotiff()(made["geotiff"])
    table = "".join(f"{400 + 10 * row},{row / 40},{1 - row / 40}\n" for row in range(40))
    (made["csv"] / "x.csv").write_text(f"nm,a,b\n{table}", encoding="utf-8")
    return list(made.values())


def test_any_file(tmp_path: Path) -> None:
    seeds = seeds_of_files(tmp_path / "seeds")
    copy = tmp_path / "copy"
    scene = read_scene("demo://dead_leaves", crop=[0, 0, 24, 32])

    def check(number: int) -> None:
        rng = random.Random(number)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(rng.choice(seeds), copy)
        path = rng.choice(sorted(copy.iterdir()))
        path.write_bytes(damaged(path.read_bytes(), rng))
        given = next(item for item in sorted(copy.iterdir()) if item.suffix in GIVEN)
        try:
            with only_own_warnings():
                if given.suffix == ".csv":
                    seen = simulate(scene, scale=4, srf=str(given)).observation.hr_msi
                else:
                    seen = read_scene(given).hr_hsi
        except UmsftError:
            return
        assert np.isfinite(seen).all()

    assert for_a_while(check, 0.15, number=st.integers(0, 2**40)) > 0


GIVEN = (".hdr", ".npy", ".npz", ".mat", ".h5", ".tif", ".png", ".csv")


def test_any_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = program("tests/runs/test_toy_method.py")
    monkeypatch.setitem(MORE_SECTIONS, "toy", toy.ToySettings)
    row = Method(fuse=toy.fuse_toy, settings=lambda config: config.toy, trained=toy.ToySolver)  # type: ignore[attr-defined]
    monkeypatch.setitem(METHODS, "toy", row)
    settings = [*toy.TOY, "output.figures=false", "output.visualdl=false", f"data.path={scene_file(tmp_path)}"]
    settings += ["observe.scale=4", "output.checkpoint_every=1"]
    command = ["train", "-c", "demo_umsft.yml", "-o", *settings, "--output", str(tmp_path / "whole"), "--quiet"]
    assert main(command) == 0
    finished = tmp_path / "whole" / "demo_umsft"
    good = (finished / "a" / "fused.npy").read_bytes()
    stopped = tmp_path / "stopped"
    shutil.copytree(finished, stopped)
    for name in ("metrics.json", "fused.npy"):
        (stopped / "a" / name).unlink()
    shutil.rmtree(stopped / "a" / "iter_6")
    copy = tmp_path / "copy"

    def check(number: int) -> None:
        rng = random.Random(number)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(rng.choice([finished, stopped]), copy)
        was_forged = damage_folder(copy, rng)
        said = io.StringIO()
        with only_own_warnings(), contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            code = main(["train", "--resume", str(copy), "--quiet"])
        assert code in (0, 2, 3), said.getvalue()
        assert "a mistake of the program" not in said.getvalue()
        if code == 0 and not was_forged:
            assert (copy / "a" / "fused.npy").read_bytes() == good
        elif code == 0:
            assert np.isfinite(np.load(copy / "a" / "fused.npy")).all()

    assert for_a_while(check, 0.1, number=st.integers(0, 2**40)) > 0


def test_any_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a.npy", HR_MSI)
    for name in ODD_NAMES:
        with (tmp_path / name).open("wb") as file:
            np.save(file, LR_HSI)
    words = [*COMMAND_WORDS, *ODD_NAMES]

    def check(first: str, rest: list[str], odd: str) -> None:
        said = io.StringIO()
        with only_own_warnings(), contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                code = main([first, *rest, odd])
            except SystemExit as ended:  # of argparse
                code = ended.code
        assert code in (0, 2, 3), said.getvalue()
        assert "Traceback" not in said.getvalue()

    rest = st.lists(st.sampled_from(words), max_size=7)
    odd = st.one_of(st.sampled_from(words), VALUES.map(str))
    assert for_a_while(check, 0.1, first=st.sampled_from(COMMAND_WORDS[:7]), rest=rest, odd=odd) > 0


ODD_NAMES = ["[1].npy", "10", "a: b.npy", "=1.npy", "~", "é高.npy", "x'y.npy", "None"]
COMMAND_WORDS = [
    *["fuse", "check", "info", "train", "eval", "simulate", "convert"],
    *["-o", "-c", "--set", "--method", "-m", "--resume", "--reference", "--scale", "4", "--skip-existing", "--csv"],
    *["a.npy", "out", "out.tif", "out.npy", "fast.yml", "gsa", "observe.scale=4", "data.path=a.npy", "."],
]


def test_the_scenes_of_this_file_can_be_fused() -> None:
    """A fuzz test whose right arguments are refused would find nothing."""
    for method in QUICK_METHODS[:-2]:
        with only_own_warnings():
            assert np.isfinite(fuse(LR_HSI, HR_MSI, method=method).fused).all()

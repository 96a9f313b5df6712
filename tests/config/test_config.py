"""Configuration: inheritance, overrides, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from paddle_umsft.config.files import find_config
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.errors import ConfigError

CONFIGS = sorted(path.name for path in (Path(__file__).parents[2] / "configs").glob("*.yml"))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_shipped_configuration_loads(name: str) -> None:
    config = load_config(name)
    assert isinstance(config, Config)
    assert config.output.name == Path(name).stem


def test_published_schedule_is_the_default() -> None:
    published = load_config("published.yml").model_dump(exclude={"output"})
    assert published == Config().model_dump(exclude={"output"})


def test_base_is_merged_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "base.yml").write_text("solver: {iterations: 7, joint_lr: 0.5}\nseed: 3\n")
    (tmp_path / "mine.yml").write_text("_base_: base.yml\nsolver: {iterations: 9}\n")
    config = load_config(tmp_path / "mine.yml")
    assert (config.solver.iterations, config.solver.joint_lr, config.seed) == (9, 0.5, 3)


def test_a_preset_is_a_base_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    mine = tmp_path / "deep" / "mine.yml"
    mine.write_text("_base_: cave.yml\nseed: 3\n")
    config = load_config(mine)
    assert (config.method, config.observe.scale, config.seed) == ("umsft", 32, 3)
    # What lies beside the file goes before what the package has.
    (tmp_path / "deep" / "cave.yml").write_text("method: gsa\n")
    assert load_config(mine).method == "gsa"
    mine.write_text("_base_: nowhere.yml\n")
    with pytest.raises(ConfigError, match=r"mine\.yml: its _base_ does not exist.*fast\.yml.*got nowhere\.yml"):
        load_config(mine)


@pytest.mark.parametrize("base", ["5", "[5]", "null", "[base.yml, null]", "{a: b}"])
def test_a_base_that_is_no_name(tmp_path: Path, base: str) -> None:
    (tmp_path / "base.yml").write_text("seed: 3\n")
    (tmp_path / "mine.yml").write_text(f"_base_: {base}\n")
    with pytest.raises(ConfigError, match=r"mine\.yml: _base_, expected a file's name"):
        load_config(tmp_path / "mine.yml")


@pytest.mark.parametrize("name", ["", ".", "/", "a" * 400])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ConfigError, match="no such configuration"):
        load_config(name)


@pytest.mark.parametrize(
    "words",
    [
        ["data.crop=[0,", "0,", "64,", "64]", "seed=5"],
        ["seed=5", "data.crop=[0,", "0,64,", "64]"],
        ["data.crop=[0, 0, 64, 64]", "seed=5"],
    ],
)
def test_a_list_that_a_shell_took_apart(words: list[str]) -> None:
    config = load_config(overrides=words)
    assert (config.data.crop, config.seed) == ([0, 0, 64, 64], 5)


def test_off_needs_no_quotes(tmp_path: Path) -> None:
    assert load_config(overrides=["runtime.amp=off"]).runtime.amp == "off"
    (tmp_path / "mine.yml").write_text("runtime: {amp: off}\n")
    assert load_config(tmp_path / "mine.yml").runtime.amp == "off"
    with pytest.raises(ConfigError, match=r"runtime\.amp"):
        load_config(overrides=["runtime.amp=on"])


def test_a_list_that_never_ends() -> None:
    with pytest.raises(ConfigError, match=r"data\.crop: value is not YAML, got '\[0, 0'"):
        load_config(overrides=["data.crop=[0,", "0", "seed=5"])


def test_overrides_are_yaml() -> None:
    config = load_config(
        overrides=["data.crop=[0, 8, 128, 136]", "observe.psf={type: box, size: 4}", "solver.rate.lr=1e-3", "seed=5"]
    )
    assert config.data.crop == [0, 8, 128, 136]
    assert (config.observe.psf.type, config.observe.psf.size) == ("box", 4)
    assert config.solver.rate.lr == 1e-3
    assert config.seed == 5


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("data.path=field #1.mat", "field #1.mat"),
        ("data.path=#1.mat", "#1.mat"),
        ("data.path= 'a #1.mat' ", "a #1.mat"),
        ("data.path=C:\\data: new\\a.mat", "C:\\data: new\\a.mat"),
        ("data.path=null", None),
        ("data.path=", None),
        ("output.name=2024", "2024"),
        ("output.name=007", "007"),
        ("output.name=yes", "yes"),
        ("data.key=1e3", "1e3"),
        ("observe.srf=1.5", "1.5"),
        ('observe.psf={type: file, path: "a #1.npy"}', "a #1.npy"),
        ("observe.psf.path=a #1.npy", "a #1.npy"),
    ],
)
def test_text_is_taken_as_it_stands(override: str, value: Optional[str]) -> None:
    section, _, key = override.partition("=")[0].partition(".")
    found = getattr(load_config(overrides=[override]), section)
    if section == "observe" and key.startswith("psf"):
        found, key = found.psf, "path"
    assert getattr(found, key) == value


def test_resolved_configuration_reads_back_the_same(tmp_path: Path) -> None:
    config = load_config("cave.yml", ["observe.snr_hsi_db=30"])
    (tmp_path / "again.yml").write_text(config.to_yaml())
    again = load_config(tmp_path / "again.yml")
    assert again == config
    assert again.digest() == config.digest()


def test_digest_is_of_what_decides_the_numbers() -> None:
    base = load_config()
    assert load_config(overrides=["output.root=elsewhere"]).digest() == base.digest()
    assert load_config(overrides=["seed=9"]).digest() != base.digest()
    for elsewhere in ("runtime.device=cpu", "runtime.threads=1", "evaluate.interval=7", "evaluate.images=1"):
        assert load_config(overrides=[elsewhere]).digest() == base.digest()
    numbers = ("runtime.dtype=float64", "runtime.precision=bf16", "warm_up.srf.lr=0.5")
    for other in ("evaluate.convention=dian", "observe.known_srf=true", *numbers):
        assert load_config(overrides=[other]).digest() != base.digest()


def test_digest_survives_a_later_version_with_a_new_key() -> None:
    class Later(Config):
        novelty: int = 3

    assert Later(seed=5).digest() == Config(seed=5).digest()
    assert Later(seed=5, novelty=4).digest() != Config(seed=5).digest()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("solver.iteration=3", "did you mean solver.iterations?"),
        ("solvr.iterations=3", "did you mean"),
        ("iterations=3", "unknown key iterations"),
        ("solver.iterations.more=3", "unknown key solver.iterations.more"),
        ("solver.iterations=many", "solver.iterations"),
        ("solver.iterations=-5", "greater than or equal to 0"),
        ("observe.scale=1", "observe.scale"),
        ("observe.scale=-8", "observe.scale"),
        ("observe.psf.type=", "observe.psf.type"),
        ("seed=[1", "not YAML"),
        ("seed=5 # the fifth", "-o seed: a comment in the value"),
        ("observe.bands=[B2, B3] #B4", "'#B4'"),
        ("observe.psf={type: file, path: a #1.npy}", "not YAML"),
        ("seed=#5", "a comment in the value"),
        ("seed", "key.sub=value"),
        ("=3", "key.sub=value"),
        ("__class__=3", "unknown key"),
    ],
)
def test_wrong_overrides_are_refused_in_one_line(override: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("published.yml", [override])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_unknown_key_in_a_file_names_the_file_and_the_nearest_key(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("solver:\n  iteratoins: 3\n")
    with pytest.raises(ConfigError, match=r"mine.yml: unknown key solver.iteratoins; did you mean solver.iterations\?"):
        load_config(tmp_path / "mine.yml")


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("method=hybrid", "published.yml: method"),
        ("hybrid.members=3", "hybrid.members=3"),
        ("hybrid={members: 3}", "hybrid={members: 3}"),
    ],
)
def test_an_earlier_name_is_told_its_present_one(override: str, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("published.yml", [override])
    assert str(caught.value) == f"{where}: hybrid is called ensemble now; write ensemble instead of hybrid"


@pytest.mark.parametrize("text", ["method: hybrid\n", "hybrid:\n  members: 3\n"])
def test_an_earlier_name_in_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yml.*: hybrid is called ensemble now"):
        load_config(tmp_path / "mine.yml")


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", "just words"])
def test_files_that_are_no_configuration(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"odd.yml"):
        load_config(tmp_path / "odd.yml")


def test_base_may_not_lead_back(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("_base_: b.yml\n")
    (tmp_path / "b.yml").write_text("_base_: a.yml\n")
    with pytest.raises(ConfigError, match="back to itself"):
        load_config(tmp_path / "a.yml")


def test_missing_file_suggests_a_known_name() -> None:
    with pytest.raises(ConfigError, match=r"did you mean cave.yml\?"):
        find_config("cavee.yml")
    assert find_config("cave") == find_config("cave.yml")


def test_a_file_or_a_list_of_files() -> None:
    """A path may hold what begins a comment in YAML; only a bracket begins a list."""
    config = load_config(None, ["data.lr_hsi=my pairs, #1/a: b.tif", "data.hr_msi=[b2.tif, b3.tif]"])
    assert config.data.lr_hsi == "my pairs, #1/a: b.tif"
    assert config.data.hr_msi == ["b2.tif", "b3.tif"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "{a: " * 5000,
        "&a [*a]",
        "["
        + "".join(f"&{c} [*{b}, *{b}, *{b}, *{b}], " for b, c in zip("abcdefghijklmnopqrst", "bcdefghijklmnopqrstu"))
        + "]",
        "!!timestamp x",
        "2026-13-45",
        "!!int x",
        "!!binary a",
        "!!python/object/apply:os.getcwd []",
    ],
    ids=range(9),
)
def test_yaml_that_is_more_than_data_is_one_line(tmp_path: Path, text: str) -> None:
    if text.startswith("[&b"):
        text = text.replace("[&b", "[&a 1, &b", 1)
    file = tmp_path / "odd.yml"
    file.write_text(f"observe: {text}\n", encoding="utf-8")
    for read in (lambda: load_config(file), lambda: load_config(None, [f"observe.supports={text}"])):
        with pytest.raises(ConfigError) as caught:
            read()
        assert len(str(caught.value)) < 1000

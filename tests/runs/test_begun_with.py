"""What a run was begun with stands in its config.yml, and is held to before anything else could tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from train_calls import BICUBIC, bicubic_run, one_line_error, scene_file, train


def begun(tmp_path: Path) -> Path:
    """A run whose only scene failed before anything was made."""
    bad = tmp_path / "a.npy"
    bad.write_bytes(b"no array")
    data = f"data.path={bad.as_posix()}"
    assert train("-c", "fast.yml", "-o", *BICUBIC, data, "output.name=r", "--output", str(tmp_path)) == 3
    scene_file(tmp_path)
    return tmp_path / "r"


@pytest.mark.parametrize(("said", "instead"), [("scale: 4", "scale: 2"), ("begun with", "begun with 0")])
def test_a_setting_changed_before_the_first_result_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str, instead: str
) -> None:
    run = begun(tmp_path)
    good = (run / "config.yml").read_text(encoding="utf-8")
    assert said in good
    (run / "config.yml").write_text(good.replace(said, instead), encoding="utf-8")
    capsys.readouterr()
    assert train("--resume", str(run)) == 3
    assert "not what this run was begun with" in one_line_error(capsys)
    # Put back, it goes on.
    (run / "config.yml").write_text(good, encoding="utf-8")
    assert train("--resume", str(run)) == 0
    assert (run / "a" / "metrics.json").is_file()


def test_a_setting_changed_in_words_is_what_the_run_is_begun_with_from_then_on(tmp_path: Path) -> None:
    run = begun(tmp_path)
    assert train("--resume", str(run), "-o", "observe.scale=2") == 0
    assert "scale: 2" in (run / "config.yml").read_text(encoding="utf-8")
    assert train("--resume", str(run)) == 0


def test_what_decides_no_number_may_be_changed_by_hand(tmp_path: Path) -> None:
    run = begun(tmp_path)
    file = run / "config.yml"
    text = file.read_text(encoding="utf-8")
    assert "\n  keep: 2\n" in text
    file.write_text(text.replace("\n  keep: 2\n", "\n  keep: 3\n"), encoding="utf-8")
    assert train("--resume", str(run)) == 0


def test_an_earlier_run_has_no_such_line_and_goes_on(tmp_path: Path) -> None:
    run = bicubic_run(tmp_path)
    for file in (run / "config.yml", run / "0" / "config.yml"):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        assert lines[0].startswith("# begun with ")
        file.write_text("".join(lines[1:]), encoding="utf-8")
    (run / "0" / "metrics.json").unlink()
    assert train("--resume", str(run)) == 0

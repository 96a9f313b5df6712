"""Names in letters that matplotlib's own font has not."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from paddle_umsft.figures import fonts
from paddle_umsft.figures.style import new_figure, save_figure, styled


def test_a_font_of_the_system_comes_second(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager, "get_font_names", lambda: ["SimHei", "DejaVu Sans", "Noto Sans CJK SC"])
    fonts.cjk_font.cache_clear()
    try:
        assert fonts.families() == ["DejaVu Sans", "Noto Sans CJK SC"]
        with styled():
            assert matplotlib.rcParams["font.family"] == ["DejaVu Sans", "Noto Sans CJK SC"]
    finally:
        fonts.cjk_font.cache_clear()


def test_letters_without_a_font_are_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(fonts, "cjk_font", lambda: None)
    monkeypatch.setattr(fonts, "_said", [])
    monkeypatch.setattr(fonts, "_logger", SimpleNamespace(warning=lambda form, text: notes.append(text)))
    for name in ("a.png", "b.png"):
        with styled():
            figure = new_figure(2, 1)
            figure.suptitle("气球")
        save_figure(figure, tmp_path / name)  # a warning would be an error here
    assert notes == [fonts.NOTICE]


def test_other_warnings_go_their_way() -> None:
    with pytest.warns(UserWarning, match="something else"), fonts.letters_without_font_are_said_once():
        warnings.warn("something else", stacklevel=1)

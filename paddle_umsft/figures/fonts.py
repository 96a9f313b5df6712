"""Fonts for names in Chinese, Japanese and Korean: one of the system's, or question marks and a notice."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Optional

# matplotlib's own, which has all letters but those.
USUAL_FONT = "DejaVu Sans"
# As systems have them: Linux, Windows, macOS.
CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",  # what a file of all five languages counts as
    "Noto Sans CJK TC",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Noto Serif CJK SC",
    "Noto Serif CJK JP",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "AR PL UMing CN",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "SimHei",
    "SimSun",
    "PingFang SC",
    "Heiti SC",
    "Hiragino Sans GB",
    "Arial Unicode MS",
)
# Drawn in place of a letter that no font has: a box says less.
SUBSTITUTE = "?"
# How matplotlib begins what it says of a letter that no font has.
NO_GLYPH = "Glyph "
NOTICE = "letters of a name have no font here and are drawn as question marks: install one such as Noto Sans CJK"
_logger = logging.getLogger("paddle_umsft")
_said: list[str] = []


@lru_cache(maxsize=1)
def cjk_font() -> Optional[str]:
    """Return the name of the first font that is installed; None where there is none."""
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    for name in CJK_FONTS:
        if name in installed:
            return name
    return None


def families() -> list[str]:
    """Return the fonts to draw with: what the first has not, the next is asked for."""
    found = cjk_font()
    if found is None:
        return [USUAL_FONT]
    return [USUAL_FONT, found]


def with_letters_at_hand(text: str) -> str:
    """Return a text without the letters that no font here has; where there are some, it is said once in a process.

    Args:
        text: Of a figure, of any length.
    """
    if text.isascii():
        return text
    fonts = tuple(families())
    letters = set(text) - {"\n"}  # a line's end is none of a font's business
    lacking = [ord(letter) for letter in letters if not _has(letter, fonts)]
    if lacking:
        _say_once()
    return text.translate(dict.fromkeys(lacking, SUBSTITUTE))


@cache
def _has(letter: str, fonts: tuple[str, ...]) -> bool:
    """Whether one of these fonts has a letter."""
    from matplotlib import font_manager

    code = ord(letter)
    for name in fonts:
        font = font_manager.get_font(font_manager.findfont(name))
        if font.get_char_index(code):
            return True
    return False


def _say_once() -> None:
    """Say, once in a process, that letters have no font."""
    if not _said:
        _said.append(NOTICE)
        _logger.warning("note       %s", NOTICE)


@contextmanager
def letters_without_font_are_said_once() -> Iterator[None]:
    """Turn what matplotlib still says of letters without a font into that one line; other warnings go their way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    lacking = [warning for warning in caught if str(warning.message).startswith(NO_GLYPH)]
    for warning in caught:
        if warning not in lacking:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if lacking:
        _say_once()

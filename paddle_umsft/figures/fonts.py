"""Fonts for names in Chinese, Japanese and Korean: one of the system's, or a notice where it has none."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Optional

# matplotlib's own, which has all letters but those.
USUAL_FONT = "DejaVu Sans"
# As systems have them: Linux, Windows, macOS.
CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Heiti SC",
)
# How matplotlib begins what it says of a letter that no font has.
NO_GLYPH = "Glyph "
NOTICE = "letters of a name have no font here and are drawn as boxes: install one such as Noto Sans CJK"
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


@contextmanager
def letters_without_font_are_said_once() -> Iterator[None]:
    """Say in one line, once in a process, that letters have no font; other warnings go their way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    lacking = [warning for warning in caught if str(warning.message).startswith(NO_GLYPH)]
    for warning in caught:
        if warning not in lacking:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if lacking and not _said:
        _said.append(NOTICE)
        _logger.warning("note       %s", NOTICE)

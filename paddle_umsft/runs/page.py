"""What a page of HTML is put together from: tables, facts, pictures inside the page, and the templates."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.figures.fonts import letters_without_font_are_said_once
from paddle_umsft.machine.plain_files import is_plain
from paddle_umsft.machine.versions import versions
from paddle_umsft.metrics.figures import MISSING

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

# A page is read on a screen: fewer dots than in a picture file are enough.
_PICTURE_DPI = 150
_THUMBNAIL_WIDTH = 900  # pixels
_THUMBNAIL_QUALITY = 85  # JPEG, of 100

# JSON has neither NaN nor infinity; where a file of a run holds nothing, the page has this sign.
_NOTHING = MISSING


@dataclass(frozen=True)
class PagePicture:
    """A section with one picture.

    Attributes:
        title: Heading, and what is read where no picture can be seen.
        source: The picture itself, as a data URI.
        caption: A line below; may be empty.
        kind: Class that the page's style knows; may be empty.
        file: The same in full size, beside the page; empty: there is none.
    """

    title: str
    source: str
    caption: str = ""
    kind: str = ""
    file: str = ""


@dataclass(frozen=True)
class PageTable:
    """A table of text.

    Attributes:
        columns: Titles.
        rows: Cells, as they are shown.
        caption: A line above; may be empty.
        addresses: What the first cell of a row leads to, by its text.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        caption: str = "",
    ) -> PageTable:
        """Return a table of any values.

        Args:
            columns: Titles.
            rows: Values; numbers get four digits.
            caption: A line above.
        """
        cells = [[shown(value) for value in row] for row in rows]
        return cls(columns=columns, rows=cells, caption=caption)


def shown(value: Any) -> str:
    """Return a value as text; numbers with a point get four digits."""
    if value is None:
        return _NOTHING
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    return str(value)


def shown_facts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return facts as text, lists and mappings in words.

    Args:
        values: Fact by name.
    """
    facts = {}
    for name, value in values.items():
        facts[name] = _in_words(value)
    return facts


def _in_words(value: Any) -> str:
    """Return a value as a reader wants it: lists with commas, mappings as `name value`, no brackets of a language."""
    if isinstance(value, Mapping):
        parts = [f"{name} {_in_words(item)}" for name, item in value.items()]
        return "; ".join(parts)
    if isinstance(value, (list, tuple)):
        parts = [_in_words(item) for item in value]
        # A list of lists keeps its parts apart, and so does one of sentences.
        is_nested = any(isinstance(item, (list, tuple, Mapping)) or " " in str(item) for item in value)
        return ("; " if is_nested else ", ").join(parts)
    return shown(value)


def picture_of(
    figure: Figure,
    title: str,
    *,
    caption: str = "",
    kind: str = "",
    file: str = "",
) -> PagePicture:
    """Return a figure as a picture inside the page.

    Args:
        figure: What is drawn.
        title: Heading.
        caption: A line below.
        kind: Class that the page's style knows.
        file: The same in full size, beside the page.
    """
    stream = io.BytesIO()
    with letters_without_font_are_said_once():
        figure.savefig(stream, format="png", dpi=_PICTURE_DPI)
    source = _data_uri(stream.getvalue(), "image/png")
    return PagePicture(
        title=title,
        source=source,
        caption=caption,
        kind=kind,
        file=file,
    )


def thumbnail(path: Path) -> Optional[str]:
    """Return a picture file, made smaller, as a data URI; None where there is none."""
    if not is_plain(path):
        return None
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
    except (OSError, ValueError):
        # A picture cut short is one picture less; the page is made all the same.
        return None
    # Only ever made smaller, each pixel the mean of those that it stands for.
    picture.thumbnail((_THUMBNAIL_WIDTH, picture.height), Image.Resampling.BOX)
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=_THUMBNAIL_QUALITY)
    return _data_uri(stream.getvalue(), "image/jpeg")


def render(template: str, config: Config, *, title: str, subtitle: str, **content: Any) -> str:
    """Return a page of HTML in which every value is escaped.

    Args:
        template: Name of the file in `templates/`.
        config: All settings, which every page ends with.
        title: Heading.
        subtitle: The line below it.
        **content: What else the template asks for.
    """
    made = datetime.now().astimezone()
    return _environment().get_template(template).render(
        title=title,
        subtitle=subtitle,
        made=made.strftime("%Y-%m-%d %H:%M %z"),
        configuration=config.to_yaml(),
        versions=shown_facts(versions()),
        **content,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Return what reads the templates; jinja2 is imported when a page is made, not before."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("paddle_umsft.runs", "templates"),
        autoescape=True,
        undefined=StrictUndefined,  # a value that a template asks for in vain is a mistake, not nothing
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _data_uri(content: bytes, kind: str) -> str:
    """Return a file's content as an address that a page needs no loading for."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

"""What a page of HTML is put together from: tables, facts, pictures inside the page, the script, and the templates."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.machine.plain_files import is_plain
from paddle_umsft.machine.versions import versions
from paddle_umsft.metrics.figures import MISSING
from paddle_umsft.runs.words import PHRASES, Text, Words

if TYPE_CHECKING:
    from jinja2 import Environment
    from PIL.Image import Image

# Name of a page, in the folder of a scene or of a run.
REPORT = "report.html"

# Style and script, files of their own; a page has them inside.
_ASSETS = Path(__file__).parent / "page_assets"

# A picture inside a page has no more bytes than this, so that all of them with the cubes stay below 5 MB; in full size
# it lies beside the page.
_PICTURE_BYTES = 240_000
_COLOUR_BYTES = 120_000
# On a narrow screen another picture stands in place of a wide one, no wider than this and with no more bytes, as far
# as the wide ones leave room in what the page has for all: in letters, of which four are three bytes.
_STACKED_WIDTHS = (600, 450, 300, 200)  # pixels; nothing but noise needs the last of these
_STACKED_BYTES = 150_000
_ALL_PICTURES = 3_200_000
# What does not fit without loss is made no wider than a page shows it, and then as good as it fits; nothing but noise
# needs the last of these.
_PAGE_WIDTHS = (1500, 1000, 500)  # pixels
_QUALITIES = (90, 80, 65, 45)  # JPEG, of 100
_THUMBNAIL_QUALITY = 85

# JSON has neither NaN nor infinity; where a file of a run holds nothing, the page has this sign.
_NOTHING = MISSING
# A longer list of numbers is told by its ends.
_LONGEST_LIST = 12


@dataclass(frozen=True)
class PagePicture:
    """A section with one picture.

    Attributes:
        title: Heading, and what is read where no picture can be seen.
        source: The picture itself, as a data URI.
        name: Of the section, for links within the page.
        caption: A line below; may be empty.
        kind: Class that the page's style knows; may be empty.
        file: The same in full size, beside the page; empty: there is none.
        stacked: What a narrow screen shows instead, as a data URI; empty: the same.
    """

    title: Text
    source: str
    name: str
    caption: Text = ""
    kind: str = ""
    file: str = ""
    stacked: str = ""


@dataclass(frozen=True)
class PageTable:
    """A table of text.

    Attributes:
        columns: Titles.
        rows: Cells, as they are shown.
        caption: A line above; may be empty.
        addresses: What the first cell of a row leads to, by its text.
        best: (row, column) of the cells that stand out.
    """

    columns: Sequence[Text]
    rows: Sequence[Sequence[Text]]
    caption: Text = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    best: frozenset[tuple[int, int]] = frozenset()

    @classmethod
    def of(
        cls,
        columns: Sequence[Text],
        rows: Iterable[Sequence[Any]],
        caption: Text = "",
    ) -> PageTable:
        """Return a table of any values.

        Args:
            columns: Titles.
            rows: Values; numbers get four digits.
            caption: A line above.
        """
        cells = [[shown(value) for value in row] for row in rows]
        return cls(columns=columns, rows=cells, caption=caption)


def shown(value: Any) -> Text:
    """Return a value as text; numbers with a point get four digits."""
    if value is None:
        return _NOTHING
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if isinstance(value, Words):
        return value
    return str(value)


def shown_facts(values: Mapping[str, Any]) -> dict[str, Text]:
    """Return facts as text, lists and mappings in words.

    Args:
        values: Fact by name.
    """
    facts: dict[str, Text] = {}
    for name, value in values.items():
        facts[name] = _in_words(value)
    return facts


def _in_words(value: Any) -> Text:
    """Return a value as a reader wants it: lists with commas, mappings as `name value`, no brackets of a language."""
    if isinstance(value, Mapping):
        parts = [f"{name} {_in_words(item)}" for name, item in value.items()]
        return "; ".join(parts)
    if isinstance(value, (list, tuple)):
        if len(value) > _LONGEST_LIST and all(isinstance(item, (int, float)) for item in value):
            return f"{shown(min(value))} … {shown(max(value))} ({len(value)})"
        parts = [str(_in_words(item)) for item in value]
        # A list of lists keeps its parts apart, and so does one of sentences.
        is_nested = any(isinstance(item, (list, tuple, Mapping)) or " " in str(item) for item in value)
        return ("; " if is_nested else ", ").join(parts)
    return shown(value)


def picture_of(
    content: bytes,
    title: Text,
    *,
    name: str,
    caption: Text = "",
    kind: str = "",
    file: str = "",
) -> PagePicture:
    """Return a picture inside the page.

    Args:
        content: Of the picture's file, a PNG.
        title: Heading.
        name: Of the section.
        caption: A line below.
        kind: Class that the page's style knows.
        file: The same in full size, beside the page.
    """
    source = _data_uri(content, "image/png")
    if len(content) > _PICTURE_BYTES:
        source = _lossy(_opened(content), _PICTURE_BYTES)
    return PagePicture(
        title=title,
        source=source,
        name=name,
        caption=caption,
        kind=kind,
        file=file,
    )


def for_phones_too(pictures: Sequence[PagePicture], stacked: Mapping[str, Image]) -> list[PagePicture]:
    """Return pictures with what a narrow screen shows in their place, as good as the page has room for.

    Args:
        pictures: All of the page.
        stacked: The same for a narrow screen, by their names, as far as there are such.
    """
    if not stacked:
        return list(pictures)
    room = _ALL_PICTURES - sum(len(picture.source) for picture in pictures)
    share = room // len(stacked) * 3 // 4
    most = min(share, _STACKED_BYTES)
    both = []
    for picture in pictures:
        source = ""
        if picture.name in stacked:
            source = _lossy(stacked[picture.name].copy(), most, _STACKED_WIDTHS)
        both.append(replace(picture, stacked=source))
    return both


def embedded(image: np.ndarray) -> str:
    """Return a colour picture as a data URI, without loss where it is small.

    Args:
        image: (H, W, 3) uint8.
    """
    from PIL import Image

    picture = Image.fromarray(image)
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    if stream.tell() <= _COLOUR_BYTES:
        return _data_uri(stream.getvalue(), "image/png")
    return _lossy(picture, _COLOUR_BYTES)


def _opened(content: bytes) -> Image:
    """Return the picture that a file holds."""
    from PIL import Image

    return Image.open(io.BytesIO(content)).convert("RGB")


def _lossy(picture: Image, most: int, widths: Sequence[int] = _PAGE_WIDTHS) -> str:
    """Return a picture as a JPEG of no more bytes than that: as large and as good as fits, or as small as it gets."""
    from PIL import Image

    content = b""
    for width in widths:
        if content and width >= picture.width:
            continue  # no smaller than what has been tried
        picture.thumbnail((width, picture.height), Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            stream = io.BytesIO()
            # Colours in full resolution: letters and lines are fine.
            picture.save(stream, format="JPEG", quality=quality, subsampling=0)
            content = stream.getvalue()
            if len(content) <= most:
                return _data_uri(content, "image/jpeg")
    return _data_uri(content, "image/jpeg")


def thumbnail(path: Path, width: int) -> Optional[str]:
    """Return a picture file, made smaller, as a data URI; None where there is none.

    Args:
        path: Of the file.
        width: In pixels, at most.
    """
    if not is_plain(path):
        return None
    return _shrunk(path, width, path.stat().st_mtime_ns)


# The page of a run is written after each scene, with the pictures of all before it.
@lru_cache(maxsize=128)
def _shrunk(path: Path, width: int, written: int) -> Optional[str]:
    """Return a thumbnail of a file as it was at that time, in nanoseconds."""
    from PIL import Image

    try:
        picture = _opened(path.read_bytes())
    except (OSError, ValueError):
        # A picture cut short is one picture less; the page is made all the same.
        return None
    # Only ever made smaller, each pixel the mean of those that it stands for.
    picture.thumbnail((width, picture.height), Image.Resampling.BOX)
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=_THUMBNAIL_QUALITY)
    return _data_uri(stream.getvalue(), "image/jpeg")


def render(
    template: str,
    *,
    title: Text,
    subtitle: Text,
    config: Optional[Config] = None,
    **content: Any,
) -> str:
    """Return a page of HTML in which every value is escaped.

    Args:
        template: Name of the file in `templates/`.
        title: Heading.
        subtitle: The line below it.
        config: All settings, which the page of a run or a scene ends with; None: those of several runs.
        **content: What else the template asks for.
    """
    from markupsafe import Markup

    made = datetime.now().astimezone()
    configuration = None
    if config is not None:
        configuration = config.to_yaml()
    script = _asset("report.js")
    return _environment().get_template(template).render(
        title=title,
        subtitle=subtitle,
        made=made.strftime("%Y-%m-%d %H:%M %z"),
        configuration=configuration,
        versions=shown_facts(versions()),
        words=PHRASES,
        # These two files are the package's own; nothing that a user names ever gets into them.
        style=Markup(_asset("report.css")),
        script=Markup(script),
        script_sum=script_sum(script),
        **content,
    )  # fmt: skip


def script_sum(script: str) -> str:
    """Return what a page's policy knows the script by, and no other one has."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


@cache
def _asset(name: str) -> str:
    """Return style or script, with the line ends that a browser sees whatever a checkout made of them."""
    return (_ASSETS / name).read_text(encoding="utf-8")


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

"""Elements of a product's XML by their names, whatever namespace they are in."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from paddle_umsft.data.readers.base import guarded
from paddle_umsft.errors import DataError

# Metadata of a product has some megabytes at most.
MOST_BYTES = 64 << 20
# What no product's metadata has: words that stand for others, of which a few lines can make gigabytes.
ENTITY = b"<!ENTITY"
# Between the letters of a text in UTF-16.
NOTHING = b"\0"


def read_xml(file: Path) -> ElementTree.Element:
    """Return the root of an XML file.

    Raises:
        DataError: It is no XML, too large, or defines entities.
    """
    content = guarded(
        file,
        "metadata file",
        lambda: _beginning(file),
    )
    if len(content) > MOST_BYTES or ENTITY in content.replace(NOTHING, b""):
        raise DataError("no metadata of a product", where=file, got="entities, or more than 64 MB")
    root = guarded(
        file,
        "metadata file",
        lambda: ElementTree.fromstring(content),
    )
    assert isinstance(root, ElementTree.Element)
    return root


def _beginning(file: Path) -> bytes:
    """Return what a file holds, and no more than shows that it is too large."""
    with file.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)


def elements(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """Return all elements of a name, in any case and namespace."""
    # ElementTree writes a namespace in braces in front of the name.
    wanted = name.lower()
    return [element for element in root.iter() if element.tag.rpartition("}")[2].lower() == wanted]


def text_of(root: ElementTree.Element, name: str) -> str:
    """Return the text of the first element of a name that has any, "" without one."""
    for element in elements(root, name):
        if element.text and element.text.strip():
            return element.text.strip()
    return ""

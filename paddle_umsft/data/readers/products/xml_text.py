"""Elements of a product's XML by their names, whatever namespace they are in."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from paddle_umsft.data.readers.base import guarded


def read_xml(file: Path) -> ElementTree.Element:
    """Return the root of an XML file.

    Raises:
        DataError: It is no XML.
    """
    root = guarded(
        file,
        "metadata file",
        lambda: ElementTree.parse(file).getroot(),
    )
    assert isinstance(root, ElementTree.Element)
    return root


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

"""Files that are not what their names say: pointers of Git LFS, web pages, nothing at all. Named as such."""

from __future__ import annotations

from pathlib import Path

from paddle_umsft.errors import DataError

# So much of a file's beginning tells what it is.
HEAD_BYTES = 512
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
ANNEX_POINTER = b"/annex/objects/"
WEB_PAGES = (b"<!doctype html", b"<html")
ERROR_PAGES = (b"<?xml",)
HDF4 = b"\x0e\x03\x13\x01"
ZIP = b"PK\x03\x04"
# What people save or attach beside data.
DOCUMENTS = (
    (b"%PDF", "a PDF document"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"SQLite format 3", "an SQLite database"),
)
# Formats that no text is; the bytes that text is made of.
BINARY_SUFFIXES = (
    ".mat",
    ".npy",
    ".npz",
    ".tif",
    ".tiff",
    ".h5",
    ".hdf5",
    ".he5",
    ".nc",
    ".nc4",
    ".png",
    ".jpg",
    ".jp2",
)
TEXT_BYTES = bytes([9, 10, 13, *range(32, 127)])
SHOWN_TEXT = 60
MATLAB = b"MATLAB"
GZIP = b"\x1f\x8b"
# Formats that are XML, zip or gzip themselves, or may be.
XML_SUFFIXES = (".xml", ".vrt")
ZIP_SUFFIXES = (".npz",)
# An ENVI data file may be compressed so by its own header: under other names nothing begins with these two bytes.
GZIP_SUFFIXES = (".gz", ".tgz", ".mat", ".npy", ".tif", ".tiff", ".h5", ".he5", ".nc")


def check_is_data(file: Path) -> None:
    """Refuse a file that holds something else than its name says, and say what.

    Args:
        file: It exists.

    Raises:
        DataError: It is empty, a pointer, a web page, an error report, or an archive under another name.
    """
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise DataError(
            "the file is empty",
            where=file,
            hint="copy or download it again",
        )
    if head.startswith(LFS_POINTER):
        raise DataError(
            "a Git LFS pointer, not the file itself",
            where=file,
            hint="git lfs install; git lfs pull in its repository fetches it",
        )
    if head.startswith(HDF4):
        raise DataError(
            "HDF4, which h5py does not know",
            where=file,
            hint="gdal_translate takes an image out of it: gdalinfo lists their names",
        )
    if head.startswith(ANNEX_POINTER):
        raise DataError(
            "a git-annex pointer, not the file itself",
            where=file,
            hint="git annex get FILE fetches it",
        )
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    suffix = file.suffix.lower()
    if text.startswith(WEB_PAGES):
        raise DataError(
            "a web page saved under the name of a data file",
            where=file,
            hint="the download asked for a login or a consent: open the address in a browser",
        )
    if text.startswith(ERROR_PAGES) and suffix not in XML_SUFFIXES:
        raise DataError(
            "an XML text under the name of a data file",
            where=file,
            hint="most likely a server's error report: read it in an editor, and download again",
        )
    if head.startswith(ZIP) and suffix not in ZIP_SUFFIXES:
        raise DataError(
            "a zip archive",
            where=file,
            hint="unzip it, and give what is in it",
        )
    for signature, label in DOCUMENTS:
        if head.startswith(signature):
            raise DataError(
                f"{label} under the name of a data file",
                where=file,
                hint="give the data themselves",
            )
    is_text = not head.translate(None, TEXT_BYTES)
    # MATLAB's own files begin with a line of text, which other programs fill up with blanks.
    if suffix in BINARY_SUFFIXES and is_text and not head.startswith(MATLAB):
        first_line = head.decode("ascii").strip().split("\n")[0]
        raise DataError(
            "a text under the name of a data file",
            where=file,
            got=repr(first_line[:SHOWN_TEXT]),
            hint="most likely a server's answer or a list of values: open it in an editor",
        )
    if head.startswith(GZIP) and suffix in GZIP_SUFFIXES:
        raise DataError(
            "a gzip archive",
            where=file,
            hint="gunzip it (or tar xf), and give what is in it",
        )

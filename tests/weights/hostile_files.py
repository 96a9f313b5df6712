"""Weight files that are damaged or made to harm, each with what must be said of it."""

from __future__ import annotations

import argparse
import io
import pickle
import struct
import tarfile
import zipfile
from typing import Any, Callable

import numpy as np
import weight_files as wf

SENTINEL = "touch executed"
SYSTEM = wf.Call(wf.Global("os", "system"), SENTINEL)
NINE = np.ones(9, np.float32).tobytes()


def psf(storage: Any = None, **changes: Any) -> dict[str, Any]:
    """A PSF net's state_dict of one 3×3 kernel, one thing about it changed."""
    stored = wf.Stored("0", "float32", 9) if storage is None else storage
    view = {"size": (1, 1, 3, 3), "stride": (9, 9, 3, 1), "offset": 0, **changes}
    kernel = wf.tensor(stored, view["size"], view["stride"], view["offset"])
    return {"net.down.weight": kernel, "net.spadown.weight": kernel}


def zipped(**changes: Any) -> bytes:
    """The same as a file of the zip format."""
    return wf.zip_bytes(psf(**changes), {"0": NINE})


def legacy(**changes: Any) -> bytes:
    """The same as a file of the older format."""
    return wf.legacy_bytes(psf(), {"0": NINE}, **changes)


def patched(data: bytes, marker: bytes, at: int, new: bytes) -> bytes:
    """Overwrites bytes at a distance from the last place where ``marker`` stands."""
    where = data.rindex(marker) + at
    return data[:where] + new + data[where + len(new) :]


def tar_bytes() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"), io.BytesIO())
    return file.getvalue()


def pickled_claiming(shape: tuple[int, ...], data: bytes) -> bytes:
    """A NumPy array whose state says another shape than its bytes have."""
    kind = wf.Call(wf.Global("numpy", "dtype"), "f4", state=(3, "<", None, None, None, -1, -1, 0))
    array = wf.Call(
        wf.Global("numpy.core.multiarray", "_reconstruct"),
        wf.Global("numpy", "ndarray"),
        (0,),
        b"b",
        state=(1, shape, kind, False, data),
    )
    return wf.dump({"kernel": array}, 4)


def overlapping() -> bytes:
    """A second entry in the table that points into the first member."""
    data = wf.plain_zip_bytes({"archive/data.pkl": b"N.", "archive/more": b"N."}, zipfile.ZIP_STORED)
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    # The second member's own name and header, put where the first one begins.
    return data[: second + 42] + struct.pack("<L", 0) + data[second + 46 :]


def long_table() -> bytes:
    """A table of 180 000 entries of one member: 46 bytes each, which cost a reader 600."""
    one = wf.plain_zip_bytes({"a": b""}, zipfile.ZIP_STORED)
    begin, end = one.index(b"PK\1\2"), one.index(b"PK\5\6")
    table = one[begin:end] * 180_000
    return one[:begin] + table + one[end : end + 12] + struct.pack("<LLH", len(table), begin, 0)


def exponential_key() -> bytes:
    """A dict key of 2**60 elements in 180 bytes: hashing it takes for ever."""
    program = b"\x80\x02)q\x00"
    for n in range(60):
        program += b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1])
    return program + b"}h" + bytes([60]) + b"Ns."


def exponential_list(then: bytes) -> bytes:
    """A list of 2**60 elements when written out, in 400 bytes; then something is done with it."""
    program = b"\x80\x02]q\x00"
    for n in range(60):
        program += b"](h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1])
    return program + then


def size_of_bytes() -> bytes:
    """A size given as 30 MB of bytes, each of which would become an integer."""
    storage = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\x09tQ"
    size = wf.dump(bytes(30 * 10**6), 3)[2:-1]
    program = b"\x80\x03ctorch._utils\n_rebuild_tensor\n(" + storage + b"K\0" + size + b"2tR."
    return wf.zip_bytes(None, {"0": NINE}, raw=program)


def colliding_keys() -> bytes:
    """50 000 integers that all hash to 0."""
    keys = (n * (2**61 - 1) for n in range(1, 50_001))
    return b"\x80\x02}(" + b"".join(b"\x8a\x0a" + key.to_bytes(10, "little") + b"N" for key in keys) + b"u."


def reused_list() -> bytes:
    """One list of 20 000 pairs, made an ordered dict 20 000 times."""
    pairs = b"](" + b"X\1\0\0\0aK\1\x86" * 20_000 + b"e"
    return b"\x80\x02ccollections\nOrderedDict\nq\1" + pairs + b"q\2" + b"h\1h\2\x85R" * 20_000 + b"."


def reused_text() -> bytes:
    """A megabyte of text, turned into bytes 100 000 times."""
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20)
    return b"\x80\x02c_codecs\nencode\nq\1" + text + b"q\2" + b"h\1h\2\x85R" * 100_000 + b"."


def safetensors(entries: dict[str, Any], data: bytes = b"1234") -> bytes:
    return wf.safetensors_bytes(entries, data)


def entry(begin: int = 0, end: int = 4, shape: Any = (1,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


EVAL = wf.Call(wf.Global("builtins", "eval"), "1")
POSIX = b"\x80\x04\x8c\5posix\x8c\6system\x93\x8c\x0etouch executed\x85R."
UNFILLED = wf.Call(wf.Global("numpy.core.multiarray", "_reconstruct"), wf.Global("numpy", "ndarray"))
BAD_STATE = wf.Call(wf.Global("numpy", "dtype"), "f4", state=SYSTEM)
NESTED_STORAGE = wf.Call(wf.Global("torch.storage", "_load_from_bytes"), wf.legacy_bytes(SYSTEM, {}))
MODULE_ID = b"\x80\x02(X\6\0\0\0modulec__main__\nNet\nX\1\0\0\0aX\1\0\0\0btQ."
SELF_CONTAINING = b"\x80\x02}q\x00X\1\0\0\0ah\x00s."
CUT = zipped()
DEEP = b"\x80\x02" + b"](" * 200_000 + b"e" * 200_000 + b"."

FILES: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    # cut short, overwritten, something else
    "empty file": (b"", "empty"),
    "one byte": (b"\x80", "cut short"),
    "noise": (bytes(range(1, 200)), "no weight file"),
    "text": (b"weights, honestly\n", "no weight file|damaged"),
    "zip cut short": (CUT[: len(CUT) // 2], "cut short"),
    "zip without its last byte": (CUT[:-1], "damaged zip"),
    "older format cut in the pickle": (legacy()[:200], "cut short"),
    "older format cut in the last storage": (legacy()[:-3], "cut short"),
    "older format, wrong magic number": (legacy(magic=wf.MAGIC + 1), "not a set of named weights"),
    "older format, wrong protocol number": (legacy(version=7), "protocol number"),
    "older format, big-endian": (legacy(system={"little_endian": False}), "big-endian"),
    "zip format, big-endian": (wf.zip_bytes(psf(), {"0": NINE}, more={"archive/byteorder": b"big"}), "big-endian"),
    "tar of 2016": (tar_bytes(), "tar file"),
    "flipped bit in a storage": (patched(CUT, NINE[:8], 0, b"\1"), "checksum"),
    "bytes after a number": (b"\x80\x02K\1.", "not a set"),
    # code
    "os.system, zip": (wf.zip_bytes(SYSTEM, {}), r"os\.system.*nothing of it was executed"),
    "os.system, older format": (wf.legacy_bytes(SYSTEM, {}), r"os\.system"),
    "os.system by its real name": (POSIX, r"posix\.system"),
    "os.system in protocol 0": (b"cos\nsystem\n(S'touch executed'\ntR.", r"os\.system"),
    "os.system as an instance": (b"(S'touch executed'\nios\nsystem\n.", r"os\.system"),
    "eval among the weights": (wf.zip_bytes({**psf(), "a": EVAL}, {"0": NINE}), "eval"),
    "os.system in a storage's own file": (wf.dump({"a": NESTED_STORAGE}, 3), r"os\.system"),
    "os.system in .pdparams": (wf.dump({"kernel": SYSTEM}, 4), r"os\.system"),
    "os.system in an array's state": (wf.dump({"a": BAD_STATE}), r"os\.system"),
    "getattr": (wf.dump(wf.Call(wf.Global("builtins", "getattr"), "a", "b")), "getattr"),
    "a listed name with a dot in it": (wf.dump(wf.Global("torch", "nn.Module")), "refused"),
    "extension registry": (b"\x80\x02\x82\x01.", "no opcode"),
    "whole module, zip": (
        wf.zip_bytes(wf.Call(wf.Global("torch.nn.modules.container", "Sequential")), {}),
        r"Sequential.*whole module.*state_dict",
    ),
    "whole module with its source, older format": (
        wf.dump(wf.MAGIC) + wf.dump(1001) + wf.dump(wf.SYSTEM) + MODULE_ID,
        r"__main__\.Net.*whole module",
    ),
    "other objects beside the weights": (pickle.dumps({"args": argparse.Namespace(lr=1)}), "argparse.Namespace"),
    "TorchScript": (wf.zip_bytes(psf(), {"0": NINE}, more={"archive/code/a.py": b""}), "TorchScript"),
    "array of objects": (pickle.dumps({"kernel": np.array([SENTINEL], object)}), "no plain number"),
    "structured array": (pickle.dumps({"kernel": np.zeros(2, "f4,f4")}), "no plain number"),
    # storages and views that lie
    "missing storage, zip": (wf.zip_bytes(psf(), {}), "missing"),
    "missing storage, older format": (wf.legacy_bytes(psf(), {}), "without data"),
    "unlisted storage, older format": (legacy(keys=["1"]), "unknown"),
    "storage listed twice": (legacy(keys=["0", "0"]), "list of different names"),
    "storage shorter than stated": (wf.zip_bytes(psf(), {"0": NINE[:-4]}), "36 bytes with 32"),
    "storage longer than stated": (wf.zip_bytes(psf(), {"0": NINE + NINE}), "36 bytes with 72"),
    "count that lies, older format": (legacy(counts=lambda key, count: 2**40), "not of the size"),
    "negative count, older format": (legacy(counts=lambda key, count: -1), "not of the size"),
    "negative stride": (zipped(stride=(9, 9, -3, 1)), "stride -3"),
    "negative size": (zipped(size=(1, 1, -3, 3)), "size -3"),
    "negative offset": (zipped(offset=-1), "offset -1"),
    "offset outside": (zipped(offset=1), "reaches to element 9"),
    "stride outside": (zipped(stride=(9, 9, 4, 1)), "reaches to element 10"),
    "sizes that overflow": (zipped(size=(2**61, 2**61, 1, 1)), "reaches|spread"),
    "a size of 2**64": (zipped(size=(2**64, 1, 1, 1)), "size"),
    "a million by a million from one number": (zipped(size=(1, 1, 10**6, 10**6), stride=(0, 0, 0, 0)), "spread over"),
    "an empty tensor of impossible size": (zipped(size=(2**61, 0, 2**61, 3)), "impossible size"),
    "more strides than sizes": (zipped(stride=(1, 1)), "strides"),
    "size that is text": (zipped(size=("a", 1, 1, 1)), "size str"),
    "unknown storage type": (zipped(storage=wf.Call(wf.Global("torch", "QInt8Storage"))), "QInt8Storage"),
    "persistent id of something else": (b"\x80\x02X\1\0\0\0aQ.", "persistent id"),
    "view beyond its root": (
        wf.legacy_bytes(psf(storage=wf.Stored("0", "float32", 9, ("v", 5, 9))), {"0": NINE}),
        "beyond its storage",
    ),
    "array of another size than its bytes": (
        pickle.dumps({"kernel": np.zeros(3, np.float32)}).replace(b"K\3\x85", b"K\4\x85"),
        "16 bytes with 12",
    ),
    "an empty array that reserves 8 GB": (pickled_claiming((0, 2147483648), b""), "impossible size"),
    "an array that lies": (pickled_claiming((10**12,), b"1234"), "4000000000000 bytes"),
    "array without values": (wf.dump({"kernel": UNFILLED}), "never gets"),
    # zip files that lie
    "zip inside a zip": (wf.plain_zip_bytes({"weights.pth": CUT}), "zip file inside"),
    "zip without a checkpoint": (wf.plain_zip_bytes({"readme.txt": b"a"}), "no PyTorch checkpoint"),
    "two checkpoints in one zip": (wf.zip_bytes(psf(), {}, more={"b/data.pkl": b"N."}), "or several"),
    "zip bomb": (
        lambda: wf.zip_bytes(psf(), {"0": b"\0" * 10**8}, method=zipfile.ZIP_DEFLATED),
        "is compressed",
    ),
    "compressed checkpoint": (wf.zip_bytes(psf(), {"0": NINE}, method=zipfile.ZIP_DEFLATED), "compressed"),
    "NumPy's .npz": (wf.plain_zip_bytes({"a.npy": b"\0" * 10**6}), r"\.npz is not read"),
    "members that overlap": (overlapping(), "overlap"),
    "a table of 9 MB, lies in 46 bytes": (long_table, "table too long"),
    "two members of one name": (
        wf.plain_zip_bytes({"a.npy": b"", "b.npy": b""}).replace(b"b.npy", b"a.npy"),
        "two members",
    ),
    "encrypted member": (patched(CUT, b"PK\1\2", 8, b"\1"), "encrypted"),
    "member outside the file": (patched(CUT, b"PK\1\2", 42, b"\xff\xff\xff\x7f"), "damaged zip"),
    "member larger than the file": (patched(CUT, b"PK\1\2", 20, b"\xff\xff\xff\x7f" * 2), "outside"),
    "two sizes for a stored member": (patched(CUT, b"PK\1\2", 24, b"\1\0\0\0"), "lies about its size"),
    "table outside the file": (patched(CUT, b"PK\5\6", 16, b"\xff\xff\xff\x7f"), "damaged zip"),
    "60 000 members that are not there": (patched(CUT, b"PK\5\6", 8, b"\xff\xee\xff\xee"), "damaged zip"),
    # small files that cost much
    "memo index of 2**32": (b"\x80\x02Nr\xff\xff\xff\xff.", "not a set"),
    "integer of 2 GB": (b"\x80\x02\x8b\xff\xff\xff\x7f.", "integer"),
    "integer of negative length": (b"\x80\x02\x8b\xff\xff\xff\xff.", "integer"),
    "text of 2**63 bytes": (b"\x80\x02\x8d" + b"\xff" * 7 + b"\x7f" + b".", "cut short"),
    "bytes of 4 GB": (b"\x80\x02B\xff\xff\xff\xffa.", "cut short"),
    "nested 200 000 deep": (DEEP, "not a set"),
    "nested dicts": (b"\x80\x02" + b"}X\1\0\0\0a" * 50 + b"K\1" + b"s" * 50 + b".", "too deeply"),
    "dict that contains itself": (SELF_CONTAINING, "too deeply"),
    "key that cannot be hashed in time": (exponential_key(), "dict key"),
    "keys that all hash to one number": (colliding_keys, "dict key"),
    "storage names without end": (
        wf.dump(wf.MAGIC) + wf.dump(1001) + wf.dump(wf.SYSTEM) + wf.dump({}) + exponential_list(b"]h\x3ca."),
        "list of different names",
    ),
    "encoding without end": (exponential_list(b"c_codecs\nencode\nX\1\0\0\0ah\x3c\x86R."), "another encoding"),
    "protocol number without end": (wf.dump(wf.MAGIC) + exponential_list(b"h\x3c.") + wf.dump({}), "protocol number"),
    "persistent id without end": (wf.zip_bytes(None, {}, raw=exponential_list(b"h\x3cQ.")), "persistent id"),
    "size of 30 million bytes": (size_of_bytes, "no short list"),
    "one list used over and over": (reused_list, "more steps"),
    "one text used over and over": (reused_text, "more steps"),
    "stack that underflows": (b"\x80\x02u.", "damaged"),
    "integer of 100 000 digits": (b"I" + b"9" * 100_000 + b"\n.", "damaged|no weight file"),
    # safetensors
    "safetensors, table of a terabyte": (wf.safetensors_bytes({}, length=2**39), "table of"),
    "safetensors, no JSON": (wf.safetensors_bytes(b"{'kernel'"), "damaged safetensors"),
    "safetensors, nested JSON": (wf.safetensors_bytes(b'{"a":' + b"[" * 100_000), "damaged safetensors"),
    "safetensors, endless number": (wf.safetensors_bytes(b'{"a":' + b"9" * 100_000 + b"}"), "19 digits"),
    "safetensors, overlap": (safetensors({"kernel": entry(), "b": entry()}), "overlap"),
    "safetensors, gap": (safetensors({"kernel": entry(4, 8)}, b"12345678"), "gaps"),
    "safetensors, outside": (safetensors({"kernel": entry(0, 40, (10,))}), "outside"),
    "safetensors, size that lies": (safetensors({"kernel": entry(0, 4, (2**61, 2**61))}), "bytes with 4"),
    "safetensors, negative size": (safetensors({"kernel": entry(0, 4, (-1,))}), "outside"),
    "safetensors, unknown type": (safetensors({"kernel": entry(dtype="F8_E4M3")}), "unknown type"),
    "safetensors, a name twice": (wf.safetensors_bytes(b'{"a":{},"a":{}}'), "twice"),
    # sound files of no use
    "wrong type": (pickle.dumps({"kernel": np.zeros((1, 1, 3, 3), np.int32)}), "wrong type: kernel .int32"),
    "wrong shape": (pickle.dumps({"kernel": np.zeros((3, 3), np.float32)}), "wrong shape: kernel"),
    "missing and extra": (
        pickle.dumps({"srf_list.0": np.zeros(3), "conv_lst.0.bias": np.zeros(1), "x": np.zeros(1)}),
        r"missing: conv_lst\.0\.weight; extra: x",
    ),
    "two kernels that differ": (
        pickle.dumps({f"net.{n}down.weight": np.full((1, 1, 3, 3), len(n), "f4") for n in ("", "spa")}),
        "another kernel",
    ),
    "no network known": (pickle.dumps({"fc.weight": np.zeros(3)}), "no network known"),
    "the network twice": (pickle.dumps({"a": {"kernel": np.ones(1)}, "b": {"kernel": np.ones(1)}}), "--key"),
    "a tensor alone": (wf.zip_bytes(psf()["net.down.weight"], {"0": NINE}), "single tensor"),
    "a list": (pickle.dumps([np.zeros(1)]), "not a set"),
    "terminal codes in a name": (pickle.dumps({"kernel": np.ones(1), "\x1b[2J": np.ones(1)}), "unprintable"),
    "an endless name": (pickle.dumps({"kernel" * 100: np.ones(1)}), "300 characters"),
}  # fmt: skip

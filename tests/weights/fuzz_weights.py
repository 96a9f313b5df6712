"""Damages weight files at random and reads them: whatever comes, an error of our own or an answer, soon and small.

``python tests/weights/fuzz_weights.py --minutes 10`` runs it for long; the test suite runs a few seconds of it.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import weight_files as wf

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import convert_file, read_weights
from paddle_umsft.weights.recognise import recognise

INTERESTING = b"\0\1\x7f\x80\xff(.RQbchjqr\x8a\x8b\x8d\x8e\x95"
LENGTHS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)


def seeds() -> list[bytes]:
    """Sound files of every kind, small."""
    arrays = {
        "net.down.weight": np.ones((1, 1, 3, 3), np.float32),
        "net.spadown.weight": np.ones((1, 1, 3, 3), np.float32),
        "conv_lst.0.weight": np.ones((1, 1, 3), np.float16),
        "conv_lst.0.bias": np.ones(1, np.float16),
        "srf_list.0": np.arange(4.0),
        "optimizer.step": np.array(3, np.int64),
    }
    obj, storages = wf.state_dict(arrays)
    sizes = {str(n): a.itemsize for n, a in enumerate(arrays.values())}
    view = wf.tensor(wf.Stored("0", "float32", 9, ("v", 1, 4)), (2, 2), (2, 1))
    training = {"epoch": 3, "optimizer": {"lr": 0.1, "s": {0: [1, 2]}}}
    wrapped = {"net": {f"module.{k}": v for k, v in obj.items()}, **training}
    numpy_pickles = [wf.pickle.dumps(arrays, protocol) for protocol in (2, 3, 4)]
    table = {
        "kernel": {"dtype": "F32", "shape": [1, 1, 1, 1], "data_offsets": [0, 4]},
        "scaler.b": {"dtype": "BF16", "shape": [2], "data_offsets": [4, 8]},
    }
    return [
        wf.zip_bytes(obj, storages),
        wf.zip_bytes(wrapped, storages),
        wf.legacy_bytes(obj, storages, sizes),
        wf.legacy_bytes({**obj, "optim.view": view}, storages, sizes),
        *numpy_pickles,
        wf.safetensors_bytes({**table, "__metadata__": {"a": "b"}}, b"01234567"),
        wf.plain_zip_bytes({f"archive/{name}": array.tobytes() for name, array in arrays.items()}),
    ]


def damage(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Applies one to six random changes."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(8)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = rng.choice(INTERESTING)
        elif kind == 2:
            out[at:at] = bytes(rng.choice(INTERESTING) for _ in range(rng.randint(1, 8)))
        elif kind == 3:
            del out[at : at + rng.randint(1, 40)]
        elif kind == 4:
            width = rng.choice((2, 4, 8))
            value = rng.choice(LENGTHS) & ((1 << 8 * width) - 1)
            out[at : at + width] = value.to_bytes(width, "little")
        elif kind == 5:
            begin = rng.randrange(len(other))
            out[at:at] = other[begin : begin + rng.randint(1, 60)]
        elif kind == 6:
            begin = rng.randrange(len(out) + 1)
            out[at:at] = out[begin : begin + rng.randint(1, 60)] * rng.choice((1, 1, 2, 50))
        else:
            del out[at:]
        if not out:
            out = bytearray(b"\x80")
    return bytes(out)


def damaged_file(corpus: list[bytes], rng: random.Random) -> bytes:
    """Makes one damaged file; a quarter are zip files with the right checksums, so that what is inside is read."""
    if rng.random() < 0.25:
        obj, storages = wf.state_dict({"kernel": np.ones((1, 1, 2, 2), np.float32), "conv_lst.0.bias": np.ones(1)})
        return wf.zip_bytes(None, storages, raw=damage(wf.dump(obj), rng.choice(corpus), rng))
    return damage(rng.choice(corpus), rng.choice(corpus), rng)


def try_file(path: Path, data: bytes) -> str:
    """Reads a file; returns what came of it. Anything but our own error escapes."""
    path.write_bytes(data)
    try:
        found = recognise(read_weights(path))
        for part in found.parts.values():
            for leaf in part.tensors.values():
                leaf.values()
        convert_file(path, path.with_name("result.pdparams"))
        return "converted"
    except ConversionError as error:
        if "\n" in str(error):
            raise ValueError("an error of several lines") from error
        return "refused"


def main(argv: list[str] | None = None) -> int:
    """Runs for some minutes; prints how many files came to what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    rng = random.Random(arguments.seed)
    corpus, counts, slowest = seeds(), Counter[str](), 0.0
    end = time.monotonic() + 60 * arguments.minutes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.pth"
        while time.monotonic() < end:
            data = damaged_file(corpus, rng)
            begin = time.monotonic()
            signal.alarm(20)
            try:
                counts[try_file(path, data)] += 1
            except BaseException:
                Path("fuzz_crash.bin").write_bytes(data)
                raise
            signal.alarm(0)
            slowest = max(slowest, time.monotonic() - begin)
    print(
        f"{sum(counts.values())} files: {dict(counts)}, slowest {slowest:.3f} s, "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What fuzz tests share: odd values, arrays and damage to files, and a clock that hypothesis works by.

The only outcomes allowed are a finite result and an own error; a warning of NumPy's is neither.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

# Seconds of all fuzz tests together in CI; `PADDLE_UMSFT_FUZZ_SECONDS=600` for ten on demand.
SECONDS_VARIABLE = "PADDLE_UMSFT_FUZZ_SECONDS"
SEED_VARIABLE = "PADDLE_UMSFT_FUZZ_SEED"
USUAL_SECONDS = 60.0
EXAMPLES_A_ROUND = 30


def for_a_while(check: Callable[..., None], share: float, **strategies: Any) -> int:
    """Let hypothesis call a check until its share of the seconds is over; return how many calls that were.

    Args:
        check: Raises where something is wrong.
        share: Of all fuzz tests' seconds.
        **strategies: Of its arguments.
    """
    calls = 0

    def counted(**arguments: Any) -> None:
        nonlocal calls
        calls += 1
        check(**arguments)

    deadline = time.monotonic() + share * float(os.environ.get(SECONDS_VARIABLE, USUAL_SECONDS))
    number = 1000 * int(os.environ.get(SEED_VARIABLE, "0"))
    by_time = settings(
        max_examples=EXAMPLES_A_ROUND,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        # Shrinking what was found can take longer than all the rest.
        phases=[Phase.generate],
    )
    while time.monotonic() < deadline:
        number += 1
        seed(number)(by_time(given(**strategies)(counted)))()
    return calls


@contextmanager
def only_own_warnings() -> Iterator[None]:
    """Let verdicts pass, which `fuse` says as UserWarning, and take any other warning for a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        yield


NUMBERS = [0, 1, -1, 2, 3, 4, 7, 10**9, 10**30, 0.5, 4.5, -0.0, np.nan, np.inf, -np.inf, 1e-300, 1e300, 1e39]
TEXTS = ["", " ", "a", "nan", "1e999", "\x00", "\ud800", "é高", "x" * 300, "../..", "demo://", "a.npy", "=1", "[", "{}"]
OTHERS: list[Any] = [None, True, False, b"x", 1j, [], {}, [[]], [None], [1, 2], (4, 4), object, {"a": 1}, np.int8(4)]
VALUES = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(TEXTS),
    st.sampled_from(OTHERS),
    st.floats(),
    st.integers(-5, 40),
    st.text(max_size=8),
)


@st.composite
def odd_arrays(draw: Any, shape: tuple[int, ...]) -> Any:
    """An array that is, most of the time, not quite of this shape or not quite of ordinary numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    array: Any = rng.uniform(0.1, 1.0, shape)
    for _ in range(draw(st.integers(0, 2))):
        change = draw(st.sampled_from(CHANGES))
        value = draw(st.sampled_from(NUMBERS))
        # What a change makes of infinite numbers is what is tried; it is not the package that warns here.
        with np.errstate(all="ignore"):
            array = change(array, value, rng)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            break
    return array


def _somewhere(array: np.ndarray, value: float, rng: np.random.Generator) -> np.ndarray:
    """Put a number in one place."""
    if array.size and array.dtype.kind == "f":
        array = array.copy()
        array.flat[int(rng.integers(array.size))] = value
    return array


def _with_value(array: np.ndarray, value: float) -> np.ndarray:
    """The brightest become one value, however large: what its type cannot hold is what is tried."""
    return np.where(array > 0.9, value, array)


def _cast(kind: str) -> Callable[..., np.ndarray]:
    def cast(array: np.ndarray, value: float, rng: np.random.Generator) -> np.ndarray:
        return (array * 200).astype(kind)

    return cast


def _times(array: np.ndarray, value: float, rng: np.random.Generator) -> np.ndarray:
    return array.astype(np.float64) * float(value)


# Each `(array, number, generator) -> anything`.
CHANGES: list[Callable[..., Any]] = [
    _somewhere,
    _times,
    *(_cast(kind) for kind in ("f2", "f4", ">f8", "u1", "i2", "u8", "?", "c8", "O", "S3", "U3", "M8[s]")),
    lambda array, value, rng: np.full(array.shape, float(value)),
    lambda array, value, rng: array[..., :1],
    lambda array, value, rng: array[:1],
    lambda array, value, rng: array[:0],
    lambda array, value, rng: array[:-1],
    lambda array, value, rng: array.T,
    lambda array, value, rng: array[::-1],
    lambda array, value, rng: array[None],
    lambda array, value, rng: np.repeat(array, 2, axis=-1),
    lambda array, value, rng: array.ravel(),
    lambda array, value, rng: array * 0,
    lambda array, value, rng: _with_value(array, float(value)),
    lambda array, value, rng: np.ma.masked_greater(array, 0.9),
    lambda array, value, rng: array.tolist(),
    lambda array, value, rng: value,
    lambda array, value, rng: None,
    lambda array, value, rng: np.broadcast_to(array[:1], array.shape),
]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a file's bytes with one to four damages: flips, cuts, insertions, digits, repeats."""
    spoilt = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(spoilt) + 1)
        kind = rng.randrange(7)
        if kind == 0 and place < len(spoilt):
            spoilt[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del spoilt[place:]
        elif kind == 2:
            spoilt[place:place] = rng.choice([b"\x00", b"\xff" * 4, b"9" * 9, b"-", b"nan", b"\xff\xfe", b"[" * 3000])
        elif kind == 3:
            del spoilt[place : place + rng.randint(1, 40)]
        elif kind == 4:
            spoilt[place : place + 4] = rng.randbytes(4)
        elif kind == 5:
            _other_digit(spoilt, rng)
        else:
            spoilt[place:place] = spoilt[place : place + 30]
    return bytes(spoilt)


def _other_digit(content: bytearray, rng: random.Random) -> None:
    """Replace one digit, of a header or of JSON, by another sign that may stand in a number."""
    digits = [place for place, sign in enumerate(content[:4000]) if sign in b"0123456789"]
    if digits:
        content[rng.choice(digits)] = rng.choice(b"0123456789-.eE")


def damage_folder(folder: Path, rng: random.Random) -> bool:
    """Damage one file in a folder, put something else in its place, or forge it so that its sum fits.

    Returns:
        Whether it was forged: then nobody can tell.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = rng.choice(files)
    kind = rng.randrange(10)
    if kind >= 7:
        return _forge(rng.choice([path for path in files if path.suffix == ".json"]), rng)
    if kind == 0:
        path.unlink()
    elif kind == 1:
        path.unlink()
        path.mkdir()
    elif kind == 2:
        path.write_bytes(rng.choice(files).read_bytes())
    elif kind == 3:
        path.unlink()
        path.symlink_to(rng.choice(files))
    else:
        path.write_bytes(damaged(path.read_bytes(), rng))
    return False


FORGED: list[Any] = [None, True, -1, 0, 3, 10**30, 1e300, "", "x", "../a", "\ud800", "=1", [], {}, [[[]]], {"a": {}}]


def _forge(path: Path, rng: random.Random) -> bool:
    """Replace one value of a JSON file, at any depth, as somebody would who knows about its seal."""
    content = json.loads(path.read_text(encoding="utf-8"))
    was_sealed = content.pop("seal", None) is not None
    place: Any = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.3:
            break
        place = inner
    place[key] = rng.choice(FORGED)
    if was_sealed:
        content["seal"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content), encoding="utf-8")
    return True

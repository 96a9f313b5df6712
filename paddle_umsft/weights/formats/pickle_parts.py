"""What the pickle reader works with: names of its closed list, long strings, plain dict keys, a count of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Name:
    """A global name of the closed list; ``call`` makes its object, or is None where it only stands for itself."""

    module: str
    name: str
    call: Handler | None

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class BigText:
    """A string too long to be a name: its UTF-8 bytes, still in the file.

    Args:
        view: Those bytes.
    """

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self._bytes: bytes | None = None

    def latin1(self) -> bytes:
        """Returns the bytes that protocol 2 hid in a string, one character each; made once, however often asked."""
        if self._bytes is None:
            self._bytes = str(self.view, "utf-8").encode("latin-1")
        return self._bytes


class Budget:
    """Counts steps, so that no small file costs much time or memory.

    Args:
        size: Bytes of the file. A checkpoint of 500 tensors takes about 30 000 steps; a million are allowed, and more
            for a large file.
    """

    def __init__(self, size: int) -> None:
        self.left = 1_000_000 + size // 64

    def spend(self, steps: int) -> None:
        """Takes ``steps`` off. Raises: OverflowError: nothing is left."""
        self.left -= steps
        if self.left < 0:
            raise OverflowError("more steps than any weight file needs")


def plain_key(key: Any) -> Any:
    """Returns a dict key if it is text or an integer that is quick to hash.

    Hashing a tuple that contains the one before it twice, forty times over, takes for ever; and so does a dict of
    integers that differ by multiples of 2**61 - 1, as all their hashes are equal.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(key, str) or (isinstance(key, int) and abs(key) < 1 << 60):
        return key
    raise TypeError(f"a dict key of type {type(key).__name__}")

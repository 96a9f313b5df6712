"""What the pickle reader works with: names of its closed list, long strings, plain dict keys, a count of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

Handler = Callable[..., Any]

# A checkpoint of 500 tensors takes about 30 000 steps. A large file may hold more of them: one step for every so many
# of its bytes.
_STEPS_OF_ANY_FILE = 1_000_000
_BYTES_PER_STEP = 64

# Python hashes integers modulo 2**61 - 1; below half of that, two of them never share a hash by design.
_LARGEST_KEY = 1 << 60


@dataclass(frozen=True)
class ListedName:
    """A global name of the closed list.

    Args:
        module: Its module.
        name: Its name there.
        call: Makes its object; None where the name only stands for itself.
    """

    module: str
    name: str
    call: Optional[Handler]

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class BigText:
    """A string too long to be a name: its UTF-8 bytes, still in the file.

    Args:
        view: Those bytes.
    """

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self._bytes: Optional[bytes] = None

    def latin1(self) -> bytes:
        """Return the bytes that protocol 2 hid in a string, one character each; made once, however often asked."""
        if self._bytes is None:
            text = str(self.view, "utf-8")
            self._bytes = text.encode("latin-1")
        return self._bytes


class Budget:
    """Counts steps, so that no small file costs much time or memory.

    Args:
        size: Bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self.left = _STEPS_OF_ANY_FILE + size // _BYTES_PER_STEP

    def spend(self, steps: int) -> None:
        """Take steps off.

        Args:
            steps: How many.

        Raises:
            OverflowError: Nothing is left.
        """
        self.left -= steps
        if self.left < 0:
            raise OverflowError("more steps than any weight file needs")


def plain_key(key: Any) -> Any:
    """Return a dict key if it is text or an integer that is quick to hash.

    Hashing a tuple that contains the one before it twice, forty times over, takes for ever; and so does a dict of
    integers that differ by multiples of 2**61 - 1, as all their hashes are equal.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(key, str):
        return key
    if isinstance(key, int) and abs(key) < _LARGEST_KEY:
        return key
    raise TypeError(f"a dict key of type {type(key).__name__}")

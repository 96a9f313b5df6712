"""A pickle reader that can only build plain values, dicts, lists and tensors.

`pickle.Unpickler` with `find_class` overridden would refuse foreign names too, but it still lets a file of a few bytes
reserve gigabytes (a memo index of 2**31, a length of 2**62) and lets any allowed class be fed anything. This reader
keeps its own stack, looks every name up in a closed table of handlers, counts what it does, and never calls anything
else. What each opcode does with it is in `opcodes.py`.

References:
    Python's `pickletools` module, which documents every opcode.
"""

from __future__ import annotations

import pickle  # for the opcodes' names alone
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional, Union

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.formats.pickle_parts import BigText, Budget, Handler, ListedName, plain_key

# Names that a pickle may ask for: (module, name) -> handler, or None for names that only stand for themselves.
ListedNames = Mapping[tuple[str, str], Optional[Handler]]

MARK = object()
_STOP = pickle.STOP[0]
# Longer strings stay views of the file (BigText), as nothing but raw data is that long.
_MAX_TEXT = 1 << 20
# Bytes of an integer; the largest that a weight file needs is the 10-byte magic number.
_MAX_INTEGER_BYTES = 64
# Bytes of a line of protocol 0 and 1: a name, a number.
_MAX_LINE = 1024
# One step is charged for so many bytes that a handler may copy.
_BYTES_PER_STEP = 256
# How much of a foreign name goes into a message.
_SHOWN = 80


class Unpickler:
    """Reads one pickle after another from a buffer.

    Args:
        data: The bytes.
        where: The file, for messages.
        names: The closed list.
        opcodes: Opcode -> what it does with this reader (see `opcodes.py`).
        persistent: Handler of persistent ids, or None where there may be none.
        explain: Given a refused name, returns a hint.
        budget: Shared between nested readers.
    """

    def __init__(
        self,
        data: memoryview,
        where: Union[Path, str],
        names: ListedNames,
        *,
        opcodes: Mapping[int, Callable[[Unpickler], Any]],
        persistent: Optional[Handler] = None,
        explain: Optional[Callable[[str, str], str]] = None,
        budget: Optional[Budget] = None,
    ) -> None:
        self.data = data
        self.where = where
        self.at = 0
        self.budget = budget or Budget(len(data))
        self._names = names
        self._opcodes = opcodes
        self._persistent = persistent
        self._explain = explain
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """Read the pickle that begins here and move behind it.

        Returns:
            Its object.

        Raises:
            ConversionError: It is damaged, or brings a name that is not on the list.
        """
        self._stack = []
        self._memo = {}
        start = self.at
        try:
            return self._run()
        except (IndexError, struct.error):
            near = min(self.at, len(self.data))
            raise self.error(f"pickle cut short or damaged near byte {near}") from None
        except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, UnicodeError, MemoryError) as error:
            reason = _one_line(error)
            raise self.error(f"damaged pickle near byte {self.at} (from {start}): {reason}") from None

    def error(self, what: str, hint: Optional[str] = None) -> ConversionError:
        """Return the error to raise for this file."""
        return ConversionError(
            what,
            where=self.where,
            hint=hint,
        )

    def _run(self) -> Any:
        while True:
            self.budget.spend(1)
            code = self.data[self.at]
            self.at += 1
            if code == _STOP:
                return self._stack.pop()
            action = self._opcodes.get(code)
            if action is None:
                raise self.error(f"damaged pickle (byte 0x{code:02x} at {self.at - 1} is no opcode in use)")
            action(self)

    # What follows takes from the bytes.

    def take(self, count: int) -> memoryview:
        """Return the next `count` bytes.

        Raises:
            IndexError: There are not as many.
        """
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise IndexError
        view = self.data[self.at : end]
        self.at = end
        return view

    def number(self, form: str) -> int:
        """Return the next number, `form` as in struct."""
        size = struct.calcsize(form)
        (value,) = struct.unpack(form, self.take(size))
        return int(value)

    def line(self, limit: int = _MAX_LINE) -> str:
        """Return the text up to the next newline.

        Raises:
            IndexError: There is none within `limit` bytes.
        """
        raw = bytes(self.data[self.at : self.at + limit])
        end = raw.find(b"\n")
        if end < 0:
            raise IndexError
        self.at += end + 1
        return raw[:end].decode("utf-8")

    # What follows works on the stack and the memo.

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the top off the stack.

        Raises:
            IndexError: There is none above the last mark.
        """
        value = self._stack.pop()
        if value is MARK:
            raise IndexError
        return value

    def pop_anything(self) -> None:
        """Take the top off the stack, even if it is a mark."""
        self._stack.pop()

    def pop_mark(self) -> list[Any]:
        """Take everything above the last mark off the stack."""
        items: list[Any] = []
        while True:
            value = self._stack.pop()
            if value is MARK:
                items.reverse()
                return items
            items.append(value)

    def top(self) -> Any:
        """Return the top of the stack and leave it there."""
        value = self._stack[-1]
        if value is MARK:
            raise IndexError
        return value

    def get(self, index: int) -> None:
        """Push what the memo holds."""
        self.push(self._memo[index])

    def put(self, index: int) -> None:
        """Store the top in the memo (a dict: a huge index costs nothing)."""
        self._memo[index] = self.top()

    def put_next(self) -> None:
        """Store the top in the memo under the next free index."""
        self.put(len(self._memo))

    # What follows makes values.

    def push_text(self, view: memoryview) -> None:
        """Push a UTF-8 string; a very long one stays a view of the file."""
        if len(view) > _MAX_TEXT:
            self.push(BigText(view))
        else:
            self.push(str(view, "utf-8", "surrogatepass"))

    def push_old_text(self, view: memoryview) -> None:
        """Push a Python 2 string: text where it is short, else bytes."""
        if len(view) > _MAX_TEXT:
            self.push(view)
        else:
            self.push(str(view, "latin-1"))

    def push_integer(self, count: int) -> None:
        """Push an integer of so many bytes.

        Raises:
            ValueError: Of more than any integer in use has, or of less than none.
        """
        if not 0 <= count <= _MAX_INTEGER_BYTES:
            raise ValueError(f"an integer of {count} bytes")
        raw = self.take(count)
        self.push(
            int.from_bytes(
                raw,
                "little",
                signed=True,
            )
        )

    def push_name(self, module: Any, name: Any) -> None:
        """Push a name of the closed list.

        Raises:
            ConversionError: It is not on it.
        """
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name that is no text")
        if (module, name) not in self._names:
            shown = f"{_printable(module)}.{_printable(name)}"
            hint = None
            if self._explain is not None:
                hint = self._explain(module, name)
            raise self.error(f"refused: the pickle asks for {shown}, which a weight file has no need of", hint)
        handler = self._names[module, name]
        self.push(
            ListedName(
                module=module,
                name=name,
                call=handler,
            )
        )

    def push_persistent(self, pid: Any) -> None:
        """Push what a persistent id stands for."""
        if self._persistent is None:
            raise ValueError("a persistent id where there may be none")
        self.push(self._persistent(pid))

    def call(self) -> None:
        """Push a listed name's handler applied to the arguments on the stack."""
        arguments = self.pop()
        function = self.pop()
        if not isinstance(function, ListedName) or function.call is None or not isinstance(arguments, tuple):
            raise TypeError("a call of something that is no function")
        self._charge(arguments)
        self.push(function.call(*arguments))

    def build(self) -> None:
        """Give an object its state: arrays and types take theirs, an ordered dict's attributes are passed over."""
        state = self.pop()
        target = self.top()
        if isinstance(state, tuple):
            self._charge(state)
        set_state = getattr(target, "set_state", None)
        if set_state is not None:
            set_state(state)
        elif not isinstance(target, dict):
            raise TypeError(f"state for a {type(target).__name__}")

    def set_items(self, items: list[Any]) -> None:
        """Put key-value pairs into the dict on top."""
        target = self.top()
        if not isinstance(target, dict) or len(items) % 2 != 0:
            raise TypeError("items for something that is no dict")
        for key, value in zip(items[::2], items[1::2]):
            target[plain_key(key)] = value

    def extend(self, items: list[Any]) -> None:
        """Append to the list on top."""
        target = self.top()
        if not isinstance(target, list):
            raise TypeError("items for something that is no list")
        target.extend(items)

    def _charge(self, values: tuple[Any, ...]) -> None:
        """Count the data that a handler may copy: one long string, used over and over, must not fill the memory."""
        copied = 0
        for value in values:
            if isinstance(value, (str, bytes, memoryview)):
                copied += len(value)
        self.budget.spend(copied // _BYTES_PER_STEP)


def _printable(text: str) -> str:
    """Return a foreign text without what could steer a terminal."""
    shown = ""
    for character in text[:_SHOWN]:
        if character.isprintable():
            shown += character
        else:
            shown += "?"
    return shown


def _one_line(error: Exception) -> str:
    words = str(error).split()
    text = _printable(" ".join(words))
    return text or type(error).__name__

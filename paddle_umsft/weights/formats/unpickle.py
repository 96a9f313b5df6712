"""A pickle reader that can only build plain values, dicts, lists and tensors.

``pickle.Unpickler`` with ``find_class`` overridden would refuse foreign names too, but it still lets a file of a few
bytes reserve gigabytes (a memo index of 2**31, a length of 2**62) and lets any allowed class be fed anything. This
reader keeps its own stack, looks every name up in a closed table of handlers, counts what it does, and never calls
anything else.

References:
    Python's ``pickletools`` module, which documents every opcode.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.formats.pickle_parts import BigText, Budget, Handler, Name, plain_key

_MARK = object()
_MAX_TEXT = 1 << 20  # bytes; longer strings stay views of the file (BigText), as nothing but raw data is that long
_MAX_LONG = 64  # bytes of an integer; the largest a weight file needs is the 10-byte magic number


class Unpickler:
    """Reads one pickle after another from a buffer.

    Args:
        data: The bytes.
        where: The file, for messages.
        names: The closed list: (module, name) -> handler, or None for names that only stand for themselves.
        persistent: Handler of persistent ids, or None where there may be none.
        explain: Given a refused name, returns a hint.
        budget: Shared between nested readers.
    """

    def __init__(
        self,
        data: memoryview,
        where: Path | str,
        names: Mapping[tuple[str, str], Handler | None],
        *,
        persistent: Handler | None = None,
        explain: Callable[[str, str], str] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.data = data
        self.where = where
        self.at = 0
        self.budget = budget or Budget(len(data))
        self._names = names
        self._persistent = persistent
        self._explain = explain
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """Reads the pickle that begins here and moves behind it.

        Returns:
            Its object.

        Raises:
            ConversionError: It is damaged, or brings a name that is not on the list.
        """
        self._stack, self._memo = [], {}
        start = self.at
        try:
            while True:
                self.budget.spend(1)
                code = self.data[self.at]
                self.at += 1
                if code == 0x2E:  # STOP
                    return self._stack.pop()
                opcode = _OPCODES.get(code)
                if opcode is None:
                    raise self.error(f"damaged pickle (byte 0x{code:02x} at {self.at - 1} is no opcode in use)")
                opcode(self)
        except (IndexError, struct.error):
            raise self.error(f"pickle cut short or damaged near byte {min(self.at, len(self.data))}") from None
        except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, UnicodeError, MemoryError) as error:
            raise self.error(f"damaged pickle near byte {self.at} (from {start}): {_short(error)}") from None

    def error(self, what: str, hint: str | None = None) -> ConversionError:
        """Returns the error to raise for this file."""
        return ConversionError(what, where=self.where, hint=hint)

    # The rest is the machine: each method takes what its opcode needs from the bytes and from the stack.

    def take(self, count: int) -> memoryview:
        """Returns the next ``count`` bytes. Raises: IndexError: there are not as many."""
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise IndexError
        view = self.data[self.at : end]
        self.at = end
        return view

    def number(self, form: str) -> int:
        """Returns the next number, ``form`` as in struct."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def line(self, limit: int = 1024) -> str:
        """Returns the text up to the next newline."""
        raw = bytes(self.data[self.at : self.at + limit])
        end = raw.find(b"\n")
        if end < 0:
            raise IndexError
        self.at += end + 1
        return raw[:end].decode("utf-8")

    def push(self, value: Any) -> None:
        """Puts a value on the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Takes the top off the stack."""
        value = self._stack.pop()
        if value is _MARK:
            raise IndexError
        return value

    def pop_mark(self) -> list[Any]:
        """Takes everything above the last mark off the stack."""
        items: list[Any] = []
        while True:
            value = self._stack.pop()
            if value is _MARK:
                items.reverse()
                return items
            items.append(value)

    def top(self) -> Any:
        """Returns the top of the stack and leaves it there."""
        value = self._stack[-1]
        if value is _MARK:
            raise IndexError
        return value

    def text(self, form: str) -> None:
        """Pushes a counted UTF-8 string."""
        view = self.take(self.number(form))
        self.push(str(view, "utf-8", "surrogatepass") if len(view) <= _MAX_TEXT else BigText(view))

    def raw(self, form: str) -> None:
        """Pushes counted bytes, as a view of the file."""
        self.push(self.take(self.number(form)))

    def old_text(self, form: str) -> None:
        """Pushes a Python 2 string: text where it is short, else bytes."""
        view = self.take(self.number(form))
        self.push(str(view, "latin-1") if len(view) <= _MAX_TEXT else view)

    def long(self, form: str) -> None:
        """Pushes an integer of counted bytes."""
        count = self.number(form)
        if not 0 <= count <= _MAX_LONG:
            raise ValueError(f"an integer of {count} bytes")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def get(self, index: int) -> None:
        """Pushes what the memo holds."""
        self.push(self._memo[index])

    def put(self, index: int | None = None) -> None:
        """Stores the top in the memo (a dict: a huge index costs nothing)."""
        self._memo[len(self._memo) if index is None else index] = self.top()

    def name(self, module: Any, name: Any) -> None:
        """Pushes a name of the closed list. Raises: ConversionError: it is not on it."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name that is no text")
        if (module, name) not in self._names:
            shown = f"{_printable(module)}.{_printable(name)}"
            hint = self._explain(module, name) if self._explain else None
            raise self.error(f"refused: the pickle asks for {shown}, which a weight file has no need of", hint)
        self.push(Name(module, name, self._names[module, name]))

    def call(self) -> None:
        """Pushes a listed name's handler applied to the arguments on the stack."""
        arguments = self.pop()
        function = self.pop()
        if not isinstance(function, Name) or function.call is None or not isinstance(arguments, tuple):
            raise TypeError("a call of something that is no function")
        self.charge(arguments)
        self.push(function.call(*arguments))

    def charge(self, values: tuple[Any, ...]) -> None:
        """Counts the data that a handler may copy: one long string, used over and over, must not fill the memory."""
        self.budget.spend(sum(len(v) for v in values if isinstance(v, (str, bytes, memoryview))) // 256)

    def build(self) -> None:
        """Gives an object its state: arrays and types take theirs, an ordered dict's attributes are passed over."""
        state = self.pop()
        target = self.top()
        if isinstance(state, tuple):
            self.charge(state)
        setter = getattr(target, "set_state", None)
        if setter is not None:
            setter(state)
        elif not isinstance(target, dict):
            raise TypeError(f"state for a {type(target).__name__}")

    def set_items(self, items: list[Any]) -> None:
        """Puts key-value pairs into the dict on top."""
        target = self.top()
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError("items for something that is no dict")
        for key, value in zip(items[::2], items[1::2]):
            target[plain_key(key)] = value

    def extend(self, items: list[Any]) -> None:
        """Appends to the list on top."""
        target = self.top()
        if not isinstance(target, list):
            raise TypeError("items for something that is no list")
        target.extend(items)

    def persistent(self, pid: Any) -> None:
        """Pushes what a persistent id stands for."""
        if self._persistent is None:
            raise ValueError("a persistent id where there may be none")
        self.push(self._persistent(pid))

    def tuple_of(self, count: int) -> None:
        """Pushes a tuple of the last ``count`` values."""
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def refuse_name(self) -> None:
        """INST names a class in the text: refused like any other name, and no class on the list is made this way."""
        module, name = self.line(), self.line()
        self.name(module, name)
        raise ValueError("an instance made the old way")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:80])


def _short(error: Exception) -> str:
    text = _printable(" ".join(str(error).split()))
    return text or type(error).__name__


def _integer_line(machine: Unpickler) -> None:
    text = machine.line()
    if text in ("00", "01"):
        machine.push(text == "01")
    elif len(text) <= 40:
        machine.push(int(text.rstrip("L")))
    else:
        raise ValueError("an integer of many digits")


def _text_line(machine: Unpickler) -> None:
    # Protocol 0 quotes strings as Python source. Nothing that saves weights writes it; names are all that is read.
    machine.push(machine.line(4096).strip("'\""))


def _stack_name(machine: Unpickler) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _global(machine: Unpickler) -> None:
    module = machine.line()
    machine.name(module, machine.line())


_OPCODES: dict[int, Callable[[Unpickler], Any]] = {
    ord("("): lambda m: m.push(_MARK),
    ord("0"): lambda m: m._stack.pop(),
    ord("1"): lambda m: m.pop_mark(),
    ord("2"): lambda m: m.push(m.top()),
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("K"): lambda m: m.push(m.number("<B")),
    ord("M"): lambda m: m.push(m.number("<H")),
    ord("J"): lambda m: m.push(m.number("<i")),
    0x8A: lambda m: m.long("<B"),
    0x8B: lambda m: m.long("<i"),
    ord("G"): lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    ord("I"): _integer_line,
    ord("L"): _integer_line,
    ord("F"): lambda m: m.push(float(m.line())),
    ord("S"): _text_line,
    ord("V"): _text_line,
    ord("X"): lambda m: m.text("<I"),
    0x8C: lambda m: m.text("<B"),
    0x8D: lambda m: m.text("<Q"),
    ord("B"): lambda m: m.raw("<I"),
    ord("C"): lambda m: m.raw("<B"),
    0x8E: lambda m: m.raw("<Q"),
    0x96: lambda m: m.raw("<Q"),
    ord("T"): lambda m: m.old_text("<i"),
    ord("U"): lambda m: m.old_text("<B"),
    ord("]"): lambda m: m.push([]),
    ord("}"): lambda m: m.push({}),
    ord(")"): lambda m: m.push(()),
    ord("t"): lambda m: m.push(tuple(m.pop_mark())),
    ord("l"): lambda m: m.push(m.pop_mark()),
    ord("d"): lambda m: _dict_from_mark(m),
    0x85: lambda m: m.tuple_of(1),
    0x86: lambda m: m.tuple_of(2),
    0x87: lambda m: m.tuple_of(3),
    ord("a"): lambda m: m.extend([m.pop()]),
    ord("e"): lambda m: m.extend(m.pop_mark()),
    ord("s"): lambda m: m.set_items(_last_two(m)),
    ord("u"): lambda m: m.set_items(m.pop_mark()),
    ord("h"): lambda m: m.get(m.number("<B")),
    ord("j"): lambda m: m.get(m.number("<I")),
    ord("g"): lambda m: m.get(int(m.line(24))),
    ord("q"): lambda m: m.put(m.number("<B")),
    ord("r"): lambda m: m.put(m.number("<I")),
    ord("p"): lambda m: m.put(int(m.line(24))),
    0x94: lambda m: m.put(),
    ord("c"): _global,
    0x93: _stack_name,
    ord("i"): lambda m: m.refuse_name(),
    ord("R"): lambda m: m.call(),
    0x81: lambda m: m.call(),
    ord("b"): lambda m: m.build(),
    ord("Q"): lambda m: m.persistent(m.pop()),
    ord("P"): lambda m: m.persistent(m.line()),
    0x80: lambda m: m.number("<B"),
    0x95: lambda m: m.number("<Q"),
}


def _last_two(machine: Unpickler) -> list[Any]:
    value, key = machine.pop(), machine.pop()
    return [key, value]


def _dict_from_mark(machine: Unpickler) -> None:
    items = machine.pop_mark()
    machine.push({})
    machine.set_items(items)

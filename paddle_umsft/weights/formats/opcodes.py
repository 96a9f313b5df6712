"""What each opcode of a pickle does with the reader, by the names that the standard library gives them.

An opcode that is not in the table stops the reading: those for sets, frozen sets, extension codes, objects made with
keywords and buffers out of band. Nothing that saves weights writes them.

References:
    Python's `pickletools` module, which documents every opcode.
"""

from __future__ import annotations

import pickle  # for the opcodes' names alone; nothing of it reads here
import struct
from functools import partial
from typing import Any, Callable

from paddle_umsft.weights.formats.unpickle import MARK, Unpickler

Action = Callable[[Unpickler], Any]

# Forms, as in struct, of the numbers that follow an opcode: the value itself, a length, or a place in the memo.
_INTEGERS = {
    pickle.BININT1: "<B",
    pickle.BININT2: "<H",
    pickle.BININT: "<i",
}
_LONG_INTEGERS = {
    pickle.LONG1: "<B",
    pickle.LONG4: "<i",
}
_TEXTS = {
    pickle.SHORT_BINUNICODE: "<B",
    pickle.BINUNICODE: "<I",
    pickle.BINUNICODE8: "<Q",
}
_OLD_TEXTS = {
    pickle.SHORT_BINSTRING: "<B",
    pickle.BINSTRING: "<i",
}
_BYTES = {
    pickle.SHORT_BINBYTES: "<B",
    pickle.BINBYTES: "<I",
    pickle.BINBYTES8: "<Q",
    pickle.BYTEARRAY8: "<Q",
}
_MEMO_READS = {
    pickle.BINGET: "<B",
    pickle.LONG_BINGET: "<I",
}
_MEMO_WRITES = {
    pickle.BINPUT: "<B",
    pickle.LONG_BINPUT: "<I",
}
# The protocol's number and the length of a frame say nothing that reading needs.
_PASSED_OVER = {
    pickle.PROTO: "<B",
    pickle.FRAME: "<Q",
}
# Digits of a place in the memo, and of an integer, that are written as text.
_MAX_PLACE = 24
_MAX_DIGITS = 40
# Bytes of a string in quotes.
_MAX_QUOTED = 4096


def _integer(form: str, machine: Unpickler) -> None:
    machine.push(machine.number(form))


def _long_integer(form: str, machine: Unpickler) -> None:
    machine.push_integer(machine.number(form))


def _text(form: str, machine: Unpickler) -> None:
    length = machine.number(form)
    machine.push_text(machine.take(length))


def _old_text(form: str, machine: Unpickler) -> None:
    length = machine.number(form)
    machine.push_old_text(machine.take(length))


def _bytes(form: str, machine: Unpickler) -> None:
    length = machine.number(form)
    # A view of the file: the weights themselves come this way.
    machine.push(machine.take(length))


def _memo_read(form: str, machine: Unpickler) -> None:
    machine.get(machine.number(form))


def _memo_write(form: str, machine: Unpickler) -> None:
    machine.put(machine.number(form))


def _pass_over(form: str, machine: Unpickler) -> None:
    machine.number(form)


def _float(machine: Unpickler) -> None:
    (value,) = struct.unpack(">d", machine.take(8))
    machine.push(value)


def _float_line(machine: Unpickler) -> None:
    machine.push(float(machine.line()))


def _integer_line(machine: Unpickler) -> None:
    text = machine.line()
    # Protocol 1 has no booleans: these two are what it writes for them.
    if text in ("00", "01"):
        machine.push(text == "01")
    elif len(text) <= _MAX_DIGITS:
        machine.push(int(text.rstrip("L")))
    else:
        raise ValueError("an integer of many digits")


def _text_line(machine: Unpickler) -> None:
    # Protocol 0 quotes strings as Python source. Nothing that saves weights writes it; names are all that is read.
    quoted = machine.line(_MAX_QUOTED)
    machine.push(quoted.strip("'\""))


def _memo_read_line(machine: Unpickler) -> None:
    machine.get(int(machine.line(_MAX_PLACE)))


def _memo_write_line(machine: Unpickler) -> None:
    machine.put(int(machine.line(_MAX_PLACE)))


def _duplicate(machine: Unpickler) -> None:
    machine.push(machine.top())


def _empty_list(machine: Unpickler) -> None:
    machine.push([])


def _empty_dict(machine: Unpickler) -> None:
    machine.push({})


def _list(machine: Unpickler) -> None:
    machine.push(machine.pop_mark())


def _dict(machine: Unpickler) -> None:
    items = machine.pop_mark()
    machine.push({})
    machine.set_items(items)


def _tuple(machine: Unpickler) -> None:
    items = machine.pop_mark()
    machine.push(tuple(items))


def _tuple_of(machine: Unpickler, count: int) -> None:
    items = [machine.pop() for _ in range(count)]
    items.reverse()
    machine.push(tuple(items))


def _append(machine: Unpickler) -> None:
    item = machine.pop()
    machine.extend([item])


def _extend(machine: Unpickler) -> None:
    machine.extend(machine.pop_mark())


def _set_item(machine: Unpickler) -> None:
    value = machine.pop()
    key = machine.pop()
    machine.set_items([key, value])


def _set_items(machine: Unpickler) -> None:
    machine.set_items(machine.pop_mark())


def _name_lines(machine: Unpickler) -> None:
    module = machine.line()
    name = machine.line()
    machine.push_name(module, name)


def _name_from_stack(machine: Unpickler) -> None:
    name = machine.pop()
    module = machine.pop()
    machine.push_name(module, name)


def _old_instance(machine: Unpickler) -> None:
    """INST names a class in the text: refused like any other name, and no class on the list is made this way."""
    _name_lines(machine)
    raise ValueError("an instance made the old way")


def _persistent(machine: Unpickler) -> None:
    machine.push_persistent(machine.pop())


def _persistent_line(machine: Unpickler) -> None:
    machine.push_persistent(machine.line())


_WITH_A_NUMBER: tuple[tuple[Callable[[str, Unpickler], None], dict[bytes, str]], ...] = (
    (_integer, _INTEGERS),
    (_long_integer, _LONG_INTEGERS),
    (_text, _TEXTS),
    (_old_text, _OLD_TEXTS),
    (_bytes, _BYTES),
    (_memo_read, _MEMO_READS),
    (_memo_write, _MEMO_WRITES),
    (_pass_over, _PASSED_OVER),
)
_OTHERS: dict[bytes, Action] = {
    pickle.MARK: partial(Unpickler.push, value=MARK),
    pickle.POP: Unpickler.pop_anything,
    pickle.POP_MARK: Unpickler.pop_mark,
    pickle.DUP: _duplicate,
    pickle.NONE: partial(Unpickler.push, value=None),
    pickle.NEWTRUE: partial(Unpickler.push, value=True),
    pickle.NEWFALSE: partial(Unpickler.push, value=False),
    pickle.BINFLOAT: _float,
    pickle.FLOAT: _float_line,
    pickle.INT: _integer_line,
    pickle.LONG: _integer_line,
    pickle.STRING: _text_line,
    pickle.UNICODE: _text_line,
    pickle.GET: _memo_read_line,
    pickle.PUT: _memo_write_line,
    pickle.MEMOIZE: Unpickler.put_next,
    pickle.EMPTY_LIST: _empty_list,
    pickle.LIST: _list,
    pickle.APPEND: _append,
    pickle.APPENDS: _extend,
    pickle.EMPTY_DICT: _empty_dict,
    pickle.DICT: _dict,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: _set_items,
    pickle.EMPTY_TUPLE: partial(Unpickler.push, value=()),
    pickle.TUPLE: _tuple,
    pickle.TUPLE1: partial(_tuple_of, count=1),
    pickle.TUPLE2: partial(_tuple_of, count=2),
    pickle.TUPLE3: partial(_tuple_of, count=3),
    pickle.GLOBAL: _name_lines,
    pickle.STACK_GLOBAL: _name_from_stack,
    pickle.INST: _old_instance,
    pickle.REDUCE: Unpickler.call,
    pickle.NEWOBJ: Unpickler.call,
    pickle.BUILD: Unpickler.build,
    pickle.PERSID: _persistent_line,
    pickle.BINPERSID: _persistent,
}


def _by_byte() -> dict[int, Action]:
    """Return the whole table by the opcode's byte, which is what the reader sees."""
    table: dict[int, Action] = {}
    for action, forms in _WITH_A_NUMBER:
        for opcode, form in forms.items():
            table[opcode[0]] = partial(action, form)
    for opcode, action_alone in _OTHERS.items():
        table[opcode[0]] = action_alone
    return table


OPCODES = _by_byte()

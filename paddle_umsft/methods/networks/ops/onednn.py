"""The oneDNN library that Paddle ships, called through its C interface with ctypes.

Paddle links `paddle/libs/libdnnl.so.3` but leaves it idle for convolutions in dynamic graph. Nothing is loaded a
second time: the dynamic linker hands out the copy that Paddle has in use. The numbers below are part of oneDNN's
stable interface of major version 3 (checked against the headers of 3.2 and 3.12).

References:
    oneDNN developer guide, https://uxlfoundation.github.io/oneDNN/
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.methods.networks.ops.signatures import RELEASED, SHORT, SIGNATURES, Dims

MAJOR_VERSION = 3
CPU_ENGINE = 1
STREAM_IN_ORDER = 1  # steps run one after the other, as they are called
LENT_SCRATCHPAD = 1  # the caller brings it
# Types and layouts of memory.
BF16, F32, S32, U8 = 2, 3, 4, 6
TAG_ANY, TAG_NCHW, TAG_NHWC, TAG_NCHW16C = 1, 5, 22, 78
# Kinds of propagation.
FORWARD, BACKWARD = 64, 128  # forward with training in view; backward of data and weights together
BACKWARD_DATA = 160
# Algorithms and flags, by the primitive that takes them.
CONVOLUTION_DIRECT = 1
GLOBAL_STATISTICS, INFERENCE = 1, 96
RELU, ELU, LOGISTIC = 0x20, 0x22, 0x29
RELU_FROM_OUTPUT, ELU_FROM_OUTPUT = 0x100, 0x102  # what bends backward reads the result, not what came in
MAX_POOL = 0x1FF
ADD, MUL, SUB = 0x1FFF0, 0x1FFF1, 0x1FFF5
RESAMPLE_LINEAR = 0x2FFF1
USE_SCALE, USE_SHIFT, FUSE_RELU = 2, 4, 8
# Arguments of an execution.
SRC, SRC_1, DST, WEIGHTS, BIAS, MEAN, VARIANCE, SCALE, SHIFT = 1, 2, 17, 33, 41, 49, 50, 51, 52
WORKSPACE, SCRATCHPAD, DIFF_SRC, DIFF_DST, DIFF_WEIGHTS, DIFF_BIAS = 64, 80, 129, 145, 161, 169
DIFF_SCALE, DIFF_SHIFT, POST_OP_SRC_1 = 255, 256, 32768 | 2
# What a primitive descriptor can be asked for.
Q_SRC, Q_DIFF_SRC, Q_WEIGHTS, Q_DIFF_WEIGHTS, Q_DST, Q_DIFF_DST, Q_WORKSPACE, Q_SCRATCHPAD = range(129, 137)
Q_IMPLEMENTATION = 8


class OneDnnError(RuntimeError):
    """A call into oneDNN that did not succeed; the plain path takes over where this can happen."""


class _Version(ctypes.Structure):
    _fields_ = [
        ("major", c_int),
        ("minor", c_int),
        ("patch", c_int),
        ("hash", c_char_p),
        ("cpu_runtime", c_uint),
        ("gpu_runtime", c_uint),
    ]


class _Arg(ctypes.Structure):
    _fields_ = [("arg", c_int), ("memory", c_void_p)]


def _dims(values: Sequence[int]) -> Any:
    return Dims(*values)


def library_path() -> Optional[Path]:
    """Where Paddle keeps its oneDNN, or None."""
    import paddle

    path = Path(paddle.__file__).parent / "libs" / "libdnnl.so.3"
    if not path.is_file():
        return None
    return path


class Desc:
    """A memory descriptor: sizes, type and layout. `dims` and `dtype` are those that it was made with, where it was."""

    def __init__(
        self,
        lib: Library,
        handle: c_void_p,
        dims: Sequence[int] = (),
        dtype: int = F32,
    ) -> None:
        self.lib = lib
        self.handle = handle
        self.dims = tuple(dims)
        self.dtype = dtype

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return int(self.lib.c.dnnl_memory_desc_get_size(self.handle))

    def part(self, dims: Sequence[int], offsets: Sequence[int]) -> Desc:
        """A view on a box inside, with the same strides."""
        handle = c_void_p()
        self.lib.call("memory_desc_create_submemory", byref(handle), self.handle, _dims(dims), _dims(offsets))
        return Desc(self.lib, handle, dims, self.dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Desc) and bool(self.lib.c.dnnl_memory_desc_equal(self.handle, other.handle))

    __hash__ = None  # type: ignore[assignment]

    def __del__(self) -> None:
        if self.lib.alive():
            self.lib.c.dnnl_memory_desc_destroy(self.handle)


class Memory:
    """A descriptor together with an address. `keep` holds whatever owns the bytes."""

    def __init__(
        self,
        lib: Library,
        desc: Desc,
        address: int,
        keep: Any = None,
    ) -> None:
        self.lib = lib
        self.desc = desc
        self.keep = keep
        self.handle = c_void_p()
        lib.call("memory_create", byref(self.handle), desc.handle, lib.engine, c_void_p(address))

    def point_to(self, address: int) -> None:
        """Use other bytes from now on."""
        self.lib.call("memory_set_data_handle", self.handle, c_void_p(address))

    def __del__(self) -> None:
        if self.handle and self.lib.alive():
            self.lib.c.dnnl_memory_destroy(self.handle)


class Primitive:
    """A compiled operation. Equal ones are shared by oneDNN's own cache, so making one twice is cheap."""

    def __init__(self, lib: Library, desc: c_void_p) -> None:
        self.lib = lib
        self.desc = desc
        self.handle = c_void_p()
        lib.call("primitive_create", byref(self.handle), desc)

    def query(self, what: int, index: int = 0) -> Desc:
        """A descriptor the operation expects, one of Q_*; a copy that lives on its own."""
        found = self.lib.c.dnnl_primitive_desc_query_md(self.desc, what, index)
        handle = c_void_p()
        self.lib.call("memory_desc_clone", byref(handle), c_void_p(found))
        return Desc(self.lib, handle)

    @property
    def implementation(self) -> str:
        """oneDNN's name for the kernel it chose."""
        text = c_char_p()
        self.lib.call("primitive_desc_query", self.desc, Q_IMPLEMENTATION, 0, byref(text))
        return (text.value or b"").decode()

    def bind(self, args: Mapping[int, Memory]) -> Step:
        """The operation on given memories, ready to run again and again."""
        return Step(self, args)

    def __del__(self) -> None:
        if self.lib.alive():
            if self.handle:
                self.lib.c.dnnl_primitive_destroy(self.handle)
            self.lib.c.dnnl_primitive_desc_destroy(self.desc)


class Step:
    """A primitive bound to its memories; calling it runs it."""

    __slots__ = ("_args", "_call", "_count", "_handle", "_stream", "keep")

    def __init__(self, primitive: Primitive, args: Mapping[int, Memory]) -> None:
        self.keep = (primitive, tuple(args.values()))
        bound = [_Arg(which, memory.handle.value) for which, memory in args.items()]
        # All that a call needs lies ready: a network's step makes a thousand of them.
        self._count = len(bound)
        self._args = (_Arg * self._count)(*bound)
        self._handle = primitive.handle
        self._stream = primitive.lib.stream
        self._call = primitive.lib.c.dnnl_primitive_execute

    def __call__(self) -> None:
        """Run it.

        Raises:
            OneDnnError: If oneDNN says that it did not.
        """
        status = self._call(self._handle, self._stream, self._count, self._args)
        if status:
            raise OneDnnError(f"dnnl_primitive_execute failed with status {status}")


class Library:
    """An engine and a stream on the CPU, and makers of descriptors and primitives.

    Args:
        path: The shared library.

    Raises:
        OneDnnError: If it is not oneDNN 3.x or a function is missing.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.c = ctypes.CDLL(str(path))
            self._declare()
        except (OSError, AttributeError) as error:
            raise OneDnnError(f"{path.name}: {error}") from error
        version = self.c.dnnl_version().contents
        self.version = (version.major, version.minor, version.patch)
        if version.major != MAJOR_VERSION:
            raise OneDnnError(f"{path.name}: oneDNN {version.major}.{version.minor}, not 3.x")
        self.engine = c_void_p()
        self.stream = c_void_p()
        self._alive = True
        first_of_its_kind = 0
        self.call("engine_create", byref(self.engine), CPU_ENGINE, first_of_its_kind)
        self.call("stream_create", byref(self.stream), self.engine, STREAM_IN_ORDER)

    def _declare(self) -> None:
        for name, signature in SIGNATURES.items():
            function = getattr(self.c, "dnnl_" + name)
            function.argtypes, function.restype = [SHORT[letter] for letter in signature], c_int
        for name in RELEASED:
            getattr(self.c, f"dnnl_{name}_destroy").argtypes = [c_void_p]
        self.c.dnnl_memory_desc_get_size.argtypes = [c_void_p]
        self.c.dnnl_memory_desc_get_size.restype = c_size_t
        self.c.dnnl_memory_desc_equal.argtypes = [c_void_p, c_void_p]
        self.c.dnnl_primitive_desc_query_md.argtypes = [c_void_p, c_int, c_int]
        self.c.dnnl_primitive_desc_query_md.restype = c_void_p
        self.c.dnnl_primitive_execute.argtypes = [c_void_p, c_void_p, c_int, POINTER(_Arg)]
        self.c.dnnl_version.restype = POINTER(_Version)

    def alive(self) -> bool:
        """Whether handles may still be released (not in a forked child, not at the interpreter's end)."""
        return self._alive and ctypes is not None

    def abandon(self) -> None:
        """Forget everything without releasing it: what a forked child must do."""
        self._alive = False

    def call(self, name: str, *args: Any) -> None:
        """Call dnnl_<name>.

        Raises:
            OneDnnError: If its status is not success.
        """
        status = getattr(self.c, "dnnl_" + name)(*args)
        if status:
            raise OneDnnError(f"dnnl_{name} failed with status {status}")

    def desc(
        self,
        dims: Sequence[int],
        tag: int,
        dtype: int = F32,
    ) -> Desc:
        """A descriptor in one of the layouts TAG_*; with fewer than four dimensions the dense row-major one."""
        handle = c_void_p()
        axes = len(dims)
        name = "memory_desc_create_with_tag"
        layout: Any = tag
        if tag == TAG_NCHW:
            # By strides, whatever the number of axes: oneDNN has a tag of its own for each.
            name = "memory_desc_create_with_strides"
            layout = _dims(_dense_strides(dims))
        self.call(
            name,
            byref(handle),
            axes,
            _dims(dims),
            dtype,
            layout,
        )
        return Desc(self, handle, dims, dtype)

    def strided(self, dims: Sequence[int], strides: Sequence[int], dtype: int = F32) -> Desc:
        """A descriptor whose axes lie so many numbers apart."""
        handle = c_void_p()
        self.call("memory_desc_create_with_strides", byref(handle), len(dims), _dims(dims), dtype, _dims(strides))
        return Desc(self, handle, dims, dtype)

    def primitive(self, kind: str, *args: Any, add: bool = False) -> Primitive:
        """Create dnnl_<kind>_primitive; `args` are those between engine and attributes, `add` as of `reorder`.

        What it needs to compute in (`Q_SCRATCHPAD`) is the caller's to lend: a library's own would stay with each.
        """
        handle = c_void_p()
        plain = [_handle_of(argument) for argument in args]
        attr = c_void_p()
        if add:
            attr = self._adding()
        else:
            self.call("primitive_attr_create", byref(attr))
        self.call("primitive_attr_set_scratchpad_mode", attr, LENT_SCRATCHPAD)
        self.call(
            f"{kind}_primitive_desc_create",
            byref(handle),
            self.engine,
            *plain,
            attr,
        )
        self.c.dnnl_primitive_attr_destroy(attr)
        return Primitive(self, handle)

    def _adding(self) -> c_void_p:
        """Attributes that add a result onto what is there."""
        ops, attr = c_void_p(), c_void_p()
        self.call("post_ops_create", byref(ops))
        self.call("post_ops_append_sum", ops, 1.0, 0, 0)
        self.call("primitive_attr_create", byref(attr))
        self.call("primitive_attr_set_post_ops", attr, ops)
        self.call("post_ops_destroy", ops)
        return attr

    def reorder(
        self,
        source: Desc,
        target: Desc,
        add: bool = False,
    ) -> Primitive:
        """Copy between layouts; with `add` onto what is there."""
        handle = c_void_p()
        attr = None
        if add:
            attr = self._adding()
        self.call(
            "reorder_primitive_desc_create",
            byref(handle),
            source.handle,
            self.engine,
            target.handle,
            self.engine,
            attr,
        )
        if attr is not None:
            self.c.dnnl_primitive_attr_destroy(attr)
        return Primitive(self, handle)


def _dense_strides(dims: Sequence[int]) -> list[int]:
    """Return the strides of a row-major array, in elements."""
    strides = [1] * len(dims)
    for axis in range(len(dims) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * dims[axis + 1]
    return strides


def _handle_of(argument: Any) -> Any:
    """Return what oneDNN knows of an argument: of a descriptor or an earlier primitive its handle."""
    if isinstance(argument, Desc):
        return argument.handle
    if isinstance(argument, Primitive):
        return argument.desc
    return argument


def pair(value: int) -> Any:
    """The same number for height and width, as oneDNN takes it."""
    return _dims((value, value))

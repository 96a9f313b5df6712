"""What libraries raise when memory or disk runs out, or a matrix cannot be solved, said in the house's own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from paddle_umsft.errors import DataError, UmsftError

# Paddle raises MemoryError on CPUs ("(ResourceExhausted) Fail to alloc memory of ..."); CUDA's own errors come as
# OSError or RuntimeError. An address that is wrong ("illegal memory access") is no lack of memory.
_OUT_OF_MEMORY = re.compile(r"out of memory|alloc memory|ResourceExhausted", re.IGNORECASE)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, (RuntimeError, OSError)):
        return False
    return _OUT_OF_MEMORY.search(str(error)) is not None


def out_of_memory(where: str) -> DataError:
    """Return the error of one line that says what to do where memory ran out.

    Args:
        where: The scene at work, or the command.
    """
    return DataError(
        "out of memory",
        where=where,
        hint="runtime.memory=... says what is free: method: subspace (fast.yml) then goes strip by strip, umsft and "
        "uhntc tile by tile (or runtime.tile=256); runtime.recompute=true; a smaller data.crop",
    )


@contextmanager
def out_of_memory_in_one_line(where: str) -> Iterator[None]:
    """Turn nothing but a lack of memory into an error of one line.

    Args:
        where: The scene at work.

    Raises:
        DataError: Memory ran out.
    """
    try:
        yield
    except (MemoryError, OSError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(where) from error


# The way out of what the system refuses in a run.
RUN_HINT = "free space or mend the path, then go on with --resume"


@contextmanager
def in_one_line(where: str, *, way_out: str = RUN_HINT) -> Iterator[None]:
    """Turn what the machine refuses into an error of one line; mistakes in the program stay what they are.

    Args:
        where: The scene at work, or the command.
        way_out: Of what the system refuses.

    Raises:
        DataError: Memory ran out, a file cannot be read or written, or a matrix cannot be solved.
    """
    try:
        yield
    except (MemoryError, OSError, RuntimeError, np.linalg.LinAlgError) as error:
        if is_out_of_memory(error):
            raise out_of_memory(where) from error
        if isinstance(error, OSError):
            hint = None
            if error.errno is not None:  # it comes from the system, not from a library that borrows the name
                hint = way_out
            raise DataError(
                "the system refused",
                where=where,
                got=error,
                hint=hint,
            ) from error
        if isinstance(error, np.linalg.LinAlgError):
            raise DataError(
                "cannot be solved",
                where=where,
                got=error,
                hint="are there bands without any light, or all alike?",
            ) from error
        raise


def as_own_error(failure: Exception) -> UmsftError:
    """Return any failure as an error of one line; the house's own ones stay what they are.

    Args:
        failure: What was raised, by a library or by a mistake of the program.
    """
    if isinstance(failure, UmsftError):
        return failure
    return UmsftError(
        "a mistake of the program",
        got=f"{type(failure).__name__}: {failure}",
        hint="--debug shows where; please report it",
    )

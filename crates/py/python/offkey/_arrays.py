"""What callers hand over, as the contiguous float32 arrays that the compiled half takes.

An array that is such already is passed on as it is. Everything else is copied, once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UsageError

Floats = npt.NDArray[np.float32]
Path = str | os.PathLike[str]


def wave(x: npt.ArrayLike) -> Floats:
    """The samples of one channel. Integers are brought to -1 to 1 by their full scale, as files are."""
    array = np.asarray(x)
    if array.ndim != 1:
        raise UsageError(
            f"the samples have the shape {array.shape}, expected one channel",
            "take the mean of the channels, or one of them: x.mean(axis=1), x[:, 0]",
        )
    return np.ascontiguousarray(scaled(array))


def scaled(array: npt.NDArray[Any]) -> Floats:
    """Samples as float32, integers divided by their full scale."""
    kind = array.dtype.kind
    if kind == "f":
        return array.astype(np.float32, copy=False)
    if kind == "i":
        full_scale = -float(np.iinfo(array.dtype).min)
        return (array / full_scale).astype(np.float32)
    if array.dtype == np.uint8:
        return ((array.astype(np.float32) - 128) / 128).astype(np.float32)
    raise UsageError(f"samples of type {array.dtype}, expected floating point or signed integers")


def matrix(x: npt.ArrayLike, what: str) -> Floats:
    """One row per clip."""
    array = np.ascontiguousarray(x, dtype=np.float32)
    if array.ndim != 2:
        raise UsageError(f"the {what} have the shape {array.shape}, expected one row per clip")
    return array


def rate(rate_hz: float) -> int:
    """A sampling rate: a whole number of samples per second."""
    if not 0 < rate_hz == int(rate_hz):
        raise UsageError(f"the rate is {rate_hz!r}, expected a whole number of samples per second")
    return int(rate_hz)


def paths(given: Path | Iterable[Path]) -> list[str]:
    """One path or several, as text."""
    if isinstance(given, (str, os.PathLike)):
        return [os.fspath(given)]
    return [os.fspath(path) for path in given]

"""Recordings as arrays."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from . import _core
from ._arrays import Path
from .progress import Progress, Reporting

__all__ = ["read_sound", "synthesize"]


def read_sound(
    path: Path, *, channel: int | None = None, rate_hz: int | None = None
) -> tuple[npt.NDArray[np.float32], int]:
    """A recording's samples, between -1 and 1, and its rate.

    The mean of its channels, or one of them, counted from 0; at its own rate, or brought to another.
    """
    return _core.read_sound(os.fspath(path), channel, rate_hz)


def synthesize(
    out: Path,
    *,
    machines: int = 3,
    sections: int = 1,
    clips: int = 100,
    clip_s: float = 10.0,
    seed: int = 0,
    snr_db: float | None = None,
    progress: Progress = None,
) -> tuple[int, int]:
    """Writes synthetic machines with known faults, as ``offkey data synth``; names as in the challenge.

    ``clips`` are the training clips of each section. Returns how many training and test clips were written.
    """
    with Reporting(progress) as heard:
        return _core.synthesize(
            os.fspath(out),
            machines=machines,
            sections=sections,
            clips=clips,
            clip_s=clip_s,
            seed=seed,
            snr_db=snr_db,
            progress=heard,
        )

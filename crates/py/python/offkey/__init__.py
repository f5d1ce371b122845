"""Anomalous sound detection for machines.

Learn what a machine sounds like while it is healthy, then judge new recordings:

>>> detector, report = offkey.learn(["normal/"], output="pump.offkey")   # doctest: +SKIP
>>> detector.check("today.wav").verdict                                  # doctest: +SKIP
'normal'

Start with :func:`learn` and :class:`Detector` for one machine; with :func:`run` for a benchmark;
with :mod:`offkey.sklearn` for estimators.
"""

from __future__ import annotations

from . import _onnx, features, metrics, recipes
from ._core import AUDIO_EXTENSIONS, set_threads
from ._core import VERSION as __version__
from .detector import Detector, Result, Window
from .errors import CancelledError, FailedError, OffkeyError, OffkeyWarning, UsageError
from .learning import LearnReport, learn
from .maps import tsne
from .progress import Step
from .runs import Run, read_run, run
from .sounds import read_sound, synthesize

_onnx.name_library()

__all__ = [
    "AUDIO_EXTENSIONS",
    "CancelledError",
    "Detector",
    "FailedError",
    "LearnReport",
    "OffkeyError",
    "OffkeyWarning",
    "Result",
    "Run",
    "Step",
    "UsageError",
    "Window",
    "__version__",
    "features",
    "learn",
    "metrics",
    "read_run",
    "read_sound",
    "recipes",
    "run",
    "set_threads",
    "synthesize",
    "tsne",
]

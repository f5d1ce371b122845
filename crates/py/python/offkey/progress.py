"""Progress of long calls: a callback that hears of every step, or a bar."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Union

__all__ = ["Progress", "Step"]


class Step(NamedTuple):
    """How far a long call has come."""

    stage: str
    """What is being done, as ``train`` or ``embed``."""
    done: int
    """Steps done of this stage."""
    total: int
    """Steps of this stage."""
    unit: str
    """What a step is, as ``clips``."""
    note: str
    """A short figure to show beside them, as the loss."""


Progress = Union[Callable[[Step], object], Literal["tqdm"], None]
"""What long calls take as ``progress``: a function that is called with every :class:`Step`, ``"tqdm"``
for a bar per stage, or nothing. An exception in the function stops the call and is raised."""


class _Bars:
    """One bar of tqdm per stage."""

    def __init__(self) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError("progress='tqdm' needs tqdm: pip install tqdm") from error
        self._tqdm = tqdm
        self._bar: Any = None
        self._stage: tuple[str, int] | None = None

    def __call__(self, step: Step) -> None:
        if self._stage != (step.stage, step.total):
            self.close()
            self._bar = self._tqdm(
                total=step.total, desc=step.stage, unit=f" {step.unit}", file=sys.stderr
            )
            self._stage = (step.stage, step.total)
        self._bar.update(step.done - self._bar.n)
        if step.note:
            self._bar.set_postfix_str(step.note)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar, self._stage = None, None


class Reporting:
    """The callback that the compiled half is handed, for as long as a call takes."""

    def __init__(self, progress: Progress) -> None:
        if progress == "tqdm":
            self._heard: Any = _Bars()
        elif progress is None or callable(progress):
            self._heard = progress
        else:
            raise TypeError(f"progress is {progress!r}, expected a function, 'tqdm' or None")

    def __enter__(self) -> Callable[[str, int, int, str, str], None] | None:
        heard = self._heard
        if heard is None:
            return None

        def hear(stage: str, done: int, total: int, unit: str, note: str) -> None:
            heard(Step(stage, done, total, unit, note))

        return hear

    def __exit__(self, *_: object) -> None:
        if isinstance(self._heard, _Bars):
            self._heard.close()

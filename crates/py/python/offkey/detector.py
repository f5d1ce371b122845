"""A trained detector: a monitor's model file, or a run. Recordings in, verdicts out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _arrays, _core
from ._arrays import Path
from .errors import FailedError
from .progress import Progress, Reporting

__all__ = ["Detector", "Result", "Window"]


@dataclass(frozen=True)
class Window:
    """The verdict on one window of a recording."""

    start_s: float
    """Where it starts."""
    score: float | None
    """Anomaly score: above 0 is an alarm."""
    p_value: float | None
    """Probability that a normal recording looks at least this bad."""
    verdict: str
    """``normal``, ``suspicious``, ``alarm`` or ``cannot_tell``."""
    problem: str | None
    """What keeps the window from being judged, where the verdict is ``cannot_tell``."""
    reason: str
    """Why, in a sentence."""


@dataclass(frozen=True)
class Result:
    """The verdict on one recording, by its worst window where it has several."""

    path: str
    """The recording."""
    score: float | None
    """Anomaly score: larger is more anomalous. None where the recording cannot be scored."""
    p_value: float | None
    """Probability that a normal recording looks at least this bad. None for runs."""
    verdict: str
    """``normal``, ``suspicious``, ``alarm`` or ``cannot_tell``."""
    reason: str
    """Why, in a sentence."""
    p_kind: str | None = None
    """``exact``, ``bound`` or ``measured``: what kind of number ``p_value`` is."""
    damage: str | None = None
    """What is wrong with the recording, where some of it could not be heard."""
    threshold: float = 0.0
    """Scores above it are alarms."""
    windows: tuple[Window, ...] = ()
    """Every window of the recording; none for runs."""
    details: dict[str, Any] = field(default_factory=dict, repr=False)
    """Everything the command line prints of the recording as JSON."""

    @property
    def alarm(self) -> bool:
        """Whether the verdict is an alarm."""
        return self.verdict == "alarm"


class Detector:
    """A trained detector, ready to judge.

    >>> detector = offkey.Detector.load("pump.offkey")          # doctest: +SKIP
    >>> detector.score(samples, 16_000).verdict                 # doctest: +SKIP
    'normal'

    Several threads may use one detector at once.
    """

    def __init__(self, inner: _core.Detector) -> None:
        self._inner = inner
        self._about = inner.about()

    @classmethod
    def load(cls, path: Path) -> Detector:
        """Loads the model file of a monitor, or a run's folder."""
        return cls(_core.Detector.load(os.fspath(path)))

    @property
    def kind(self) -> str:
        """``monitor`` or ``run``."""
        return str(self._about["kind"])

    @property
    def about(self) -> dict[str, Any]:
        """What the model says of itself: of a monitor its name, windows and promise; of a run its sections."""
        return dict(self._about)

    def score(
        self,
        x: npt.ArrayLike,
        rate_hz: float,
        *,
        name: Path = "recording",
        machine: str | None = None,
        section: str | None = None,
    ) -> Result:
        """Judges a recording in memory: samples of one channel between -1 and 1.

        A contiguous float32 array is read where it lies; integers are brought to -1 to 1 by their
        full scale. ``name`` stands for the recording in the result. ``machine`` and ``section`` say
        which references of a run it is compared with, where the run has several.
        """
        return _result(
            self._inner.score(
                _arrays.wave(x), _arrays.rate(rate_hz), os.fspath(name), machine, section
            )
        )

    def score_bytes(
        self,
        data: bytes,
        *,
        name: Path = "recording",
        machine: str | None = None,
        section: str | None = None,
    ) -> Result:
        """Judges a recording whose whole file is in memory, as an object store hands it over."""
        return _result(self._inner.score_bytes(data, os.fspath(name), machine, section))

    def embed(
        self,
        x: npt.ArrayLike,
        rate_hz: float,
        *,
        name: Path = "recording",
        machine: str | None = None,
        section: str | None = None,
    ) -> list[npt.NDArray[np.float32]]:
        """What the detector compares: one array per member, ``[windows, dims]``.

        Windows are those of :attr:`Result.windows`; a run hears a recording as one. The recording is heard
        again for it. Takes what :meth:`score` takes.
        """
        return self._inner.embed(
            _arrays.wave(x), _arrays.rate(rate_hz), os.fspath(name), machine, section
        )

    def embed_bytes(
        self,
        data: bytes,
        *,
        name: Path = "recording",
        machine: str | None = None,
        section: str | None = None,
    ) -> list[npt.NDArray[np.float32]]:
        """As :meth:`embed`, of a recording whose whole file is in memory."""
        return self._inner.embed_bytes(data, os.fspath(name), machine, section)

    def check(
        self, path: Path, *, machine: str | None = None, section: str | None = None
    ) -> Result:
        """Judges one recording: the same numbers as ``offkey check`` and ``offkey score``."""
        return self.check_all([path], machine=machine, section=section)[0]

    def check_all(
        self,
        paths: Path | Iterable[Path],
        *,
        machine: str | None = None,
        section: str | None = None,
        progress: Progress = None,
    ) -> list[Result]:
        """Judges recordings, and every recording in the folders among them, one result each.

        A recording that cannot be judged is a result with the verdict ``cannot_tell``; a path at which
        there is nothing is an error.
        """
        given = _arrays.paths(paths)
        for path in given:
            if not os.path.exists(path):
                raise FailedError(f"`{path}` does not exist", "check that the path is right")
        found = _core.recordings(given)
        with Reporting(progress) as heard:
            results = self._inner.check(found, machine, section, heard)
        return [_result(result) for result in results]

    def save(self, path: Path, *, force: bool = False) -> None:
        """Writes the model file of a monitor. ``force`` replaces one that is there."""
        self._inner.save(os.fspath(path), force)

    def explain(
        self,
        paths: Path | Iterable[Path],
        folder: Path | None = None,
        *,
        machine: str | None = None,
        section: str | None = None,
        masks: int = 1024,
        grid: tuple[int, int] = (8, 8),
        keep: float = 0.5,
        seed: int = 0,
        progress: Progress = None,
    ) -> list[dict[str, Any]]:
        """What raises the scores of recordings: as ``offkey explain --json``.

        Of a monitor, what each member says of the worst window. Of a run, which parts of the spectrogram
        raise the score, found by ``masks`` masks; pictures and numbers are written into a folder per
        recording below ``folder``.
        """
        with Reporting(progress) as heard:
            return _core.explain(
                self._inner,
                _core.recordings(_arrays.paths(paths)),
                None if folder is None else os.fspath(folder),
                machine=machine,
                section=section,
                masks=masks,
                grid=grid,
                keep=keep,
                seed=seed,
                progress=heard,
            )

    def __repr__(self) -> str:
        if self.kind == "run":
            return f"<Detector: run with {len(self._about['sections'])} sections>"
        about = self._about
        return f"<Detector: monitor {about['name']!r}, {about['recordings']} recordings>"


def _result(said: dict[str, Any]) -> Result:
    windows = tuple(Window(**window) for window in said.pop("windows", ()))
    if "decision" not in said:
        return Result(
            path=said["path"],
            score=said["score"],
            p_value=said["p_value"],
            p_kind=said.get("p_kind"),
            verdict=said["verdict"],
            reason=said["reason"],
            damage=said.get("damage"),
            windows=windows,
            details=said,
        )
    side = "above" if said["decision"] else "not above"
    return Result(
        path=said["path"],
        score=said["score"],
        p_value=None,
        verdict="alarm" if said["decision"] else "normal",
        reason=(
            f"score {said['score']:.4g} is {side} the threshold {said['threshold']:.4g} of "
            f"{said['machine']} section {said['section']}; nearest normal: {said['nearest']}"
        ),
        threshold=said["threshold"],
        details=said,
    )

"""Sound to features: one row per frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import _arrays, _core
from .errors import UsageError

__all__ = ["log_mel", "spectrum", "stft"]


def stft(x: npt.ArrayLike, *, window: int = 1024, hop: int = 512) -> npt.NDArray[np.float32]:
    """Magnitude spectrogram, ``[frames, window // 2 + 1]``: periodic Hann window, no padding.

    The transpose of ``abs(librosa.stft(x, n_fft=window, hop_length=hop, center=False))``.
    """
    return _core.stft(_arrays.wave(x), window, hop)


def log_mel(
    x: npt.ArrayLike,
    rate_hz: float = 16_000,
    *,
    window: int = 1024,
    fft: int | None = None,
    hop: int = 512,
    mels: int = 128,
    fmin_hz: float = 0.0,
    fmax_hz: float | None = None,
    scale: str = "db",
    floor: float = 1e-10,
    add_floor: bool = False,
    center: bool = False,
) -> npt.NDArray[np.float32]:
    """Log-mel power spectrogram, ``[frames, mels]``: Slaney's scale, triangles of area 1.

    ``scale`` is ``"db"`` (10 log10, relative to a power of 1) or ``"ln"``. Powers below ``floor`` are raised
    to it, or it is added to every power (``add_floor``). ``center`` puts silence around the clip.

    The transpose of ``librosa.power_to_db(librosa.feature.melspectrogram(y=x, sr=rate_hz, n_fft=window,
    hop_length=hop, n_mels=mels, center=False), top_db=None)``.
    """
    if scale not in ("db", "ln"):
        raise UsageError(f"scale is {scale!r}, expected 'db' or 'ln'")
    return _core.log_mel(
        _arrays.wave(x),
        _arrays.rate(rate_hz),
        window=window,
        fft=window if fft is None else fft,
        hop=hop,
        mels=mels,
        fmin_hz=fmin_hz,
        fmax_hz=fmax_hz,
        decibels=scale == "db",
        floor=floor,
        add_floor=add_floor,
        centered=center,
    )


def spectrum(x: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Magnitude of the Fourier transform of the whole clip, ``[len(x) // 2]``: without the Nyquist bin."""
    return _core.spectrum(_arrays.wave(x))

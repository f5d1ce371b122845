"""Features are librosa's and numpy's, within the rounding of float32."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import RATE_HZ, hum

from offkey import features

# Each magnitude is a sum of 1024 products in float32; errors grow with the largest bin of a frame.
RELATIVE = 2e-6


def test_stft_is_numpys() -> None:
    x = hum(0)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), 1024)[::512]
    expected = np.abs(np.fft.rfft(frames * window))
    found = features.stft(x)
    assert found.dtype == np.float32 and found.shape == expected.shape == (61, 513)
    assert np.abs(found - expected).max() <= RELATIVE * expected.max()


def test_spectrum_is_numpys_without_the_last_bin() -> None:
    x = hum(1)
    expected = np.abs(np.fft.rfft(x.astype(np.float64)))[:-1]
    found = features.spectrum(x)
    assert found.shape == expected.shape == (len(x) // 2,)
    assert np.abs(found - expected).max() <= RELATIVE * expected.max()


def test_features_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    x = hum(2)
    expected = np.abs(librosa.stft(x, n_fft=1024, hop_length=512, center=False)).T
    assert np.abs(features.stft(x) - expected).max() <= RELATIVE * expected.max()
    for center in (False, True):
        for options in (
            {"mels": 128},
            {"mels": 64, "fmin_hz": 50.0, "fmax_hz": 7_000.0, "window": 2048, "hop": 512},
        ):
            power = librosa.feature.melspectrogram(
                y=x,
                sr=RATE_HZ,
                n_fft=options.get("window", 1024),
                hop_length=options.get("hop", 512),
                n_mels=options["mels"],
                fmin=options.get("fmin_hz", 0.0),
                fmax=options.get("fmax_hz"),
                center=center,
                pad_mode="constant",
            )
            expected = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None).T
            found = features.log_mel(x, RATE_HZ, center=center, **options)
            assert found.shape == expected.shape
            # In decibels: one part in 2,000 of the power.
            assert np.abs(found - expected).max() < 2e-3


def test_scales_and_floors() -> None:
    x = hum(3)
    decibels = features.log_mel(x, RATE_HZ)
    assert np.allclose(
        features.log_mel(x, RATE_HZ, scale="ln"), decibels * np.log(10) / 10, atol=1e-4
    )
    silent = np.zeros(2048, np.float32)
    assert (features.log_mel(silent, RATE_HZ, floor=1e-8) == -80.0).all()
    assert (features.log_mel(silent, RATE_HZ, floor=1e-8, add_floor=True) == -80.0).all()

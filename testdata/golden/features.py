"""Golden numbers for crates/signal: SciPy's transforms, librosa's mel spectrograms.

Run with numpy, scipy and librosa installed: python3 features.py > features.json
The test regenerates the same input from the formula below.
"""
import json
import sys

import librosa
import numpy as np
import scipy
import scipy.signal


def clip(samples):
    """Two tones and a chirp, in double precision, rounded to single."""
    n = np.arange(samples, dtype=np.float64)
    wave = 0.5 * np.sin(0.17 * n) + 0.25 * np.sin(1.1 * n + 1.0) + 0.1 * np.sin(1e-4 * n * n)
    return wave.astype(np.float32)


def burst(samples, cycles):
    """A Gaussian tone burst, zero at both ends, so that Fourier resampling is exact."""
    t = np.arange(samples, dtype=np.float64) / samples
    return np.exp(-0.5 * ((t - 0.5) / 0.08) ** 2) * np.sin(2 * np.pi * cycles * t)


def rounded(values):
    return [float(f"{value:.8g}") for value in np.asarray(values, dtype=np.float64).ravel()]


spectra = []
for samples in (1000, 1001, 1536, 4410, 160000, 288000):
    bins = np.abs(np.fft.rfft(clip(samples).astype(np.float64)))[: samples // 2]
    step = max(1, len(bins) // 200)
    spectra.append({"samples": samples, "step": step, "bins": rounded(bins[::step])})

stfts = []
for window, hop, samples in ((1024, 512, 16000), (256, 128, 4000), (400, 160, 4000), (1000, 1500, 6000)):
    wave = clip(samples).astype(np.float64)
    frames = 1 + (samples - window) // hop
    taper = scipy.signal.get_window("hann", window, fftbins=True)
    rows = np.stack([np.abs(scipy.fft.rfft(taper * wave[i * hop : i * hop + window])) for i in range(frames)])
    picked = rows[:: max(1, frames // 4), ::7]
    librosa_rows = np.abs(librosa.stft(wave, n_fft=window, hop_length=hop, center=False)).T
    assert np.allclose(rows, librosa_rows, atol=1e-9)
    stfts.append({"window": window, "hop": hop, "samples": samples, "shape": list(rows.shape),
                  "frame_step": max(1, frames // 4), "bin_step": 7, "values": rounded(picked)})

mels = []
for settings in (
    {"rate_hz": 16000, "window": 1024, "fft": 1024, "hop": 512, "mels": 128, "fmin_hz": 0.0, "fmax_hz": None,
     "scale": "db", "padding": "valid"},
    {"rate_hz": 16000, "window": 400, "fft": 512, "hop": 160, "mels": 128, "fmin_hz": 0.0, "fmax_hz": None,
     "scale": "ln", "padding": "centered"},
    {"rate_hz": 22050, "window": 1000, "fft": 2048, "hop": 333, "mels": 40, "fmin_hz": 50.0, "fmax_hz": 8000.0,
     "scale": "db", "padding": "centered"},
    {"rate_hz": 44100, "window": 2048, "fft": 2048, "hop": 1024, "mels": 96, "fmin_hz": 0.0, "fmax_hz": None,
     "mel_scale": "htk", "mel_weights": "sum", "scale": "db", "padding": "centered"},
    {"rate_hz": 16000, "window": 512, "fft": 512, "hop": 256, "mels": 40, "fmin_hz": 20.0, "fmax_hz": 7600.0,
     "mel_scale": "htk", "mel_weights": "peak", "scale": "ln", "padding": "valid"},
):
    samples = 8000
    power = librosa.feature.melspectrogram(
        y=clip(samples).astype(np.float64), sr=settings["rate_hz"], n_fft=settings["fft"],
        win_length=settings["window"], hop_length=settings["hop"], n_mels=settings["mels"],
        fmin=settings["fmin_hz"], fmax=settings["fmax_hz"], center=settings["padding"] == "centered",
        pad_mode="constant", power=2.0, htk=settings.get("mel_scale") == "htk",
        norm={"area": "slaney", "sum": 1, "peak": None}[settings.get("mel_weights", "area")]).T
    floored = np.maximum(power, 1e-10)
    values = np.log(floored) if settings["scale"] == "ln" else 10 * np.log10(floored)
    step = max(1, len(values) // 8)
    mels.append({"settings": settings, "samples": samples, "shape": list(values.shape), "frame_step": step,
                 "values": rounded(values[::step])})

resampled = []
for from_hz, to_hz, samples, cycles in ((44100, 16000, 8820, 500), (48000, 16000, 9600, 700), (8000, 16000, 4000, 900),
                                        (22050, 16000, 4410, 900), (16000, 11025, 6400, 800)):
    out = samples * to_hz // from_hz
    wave = burst(samples, cycles)
    values = scipy.signal.resample(wave, out)
    resampled.append({"from_hz": from_hz, "to_hz": to_hz, "samples": samples, "cycles": cycles, "len": out,
                      "start": out // 3, "values": rounded(values[out // 3 :][:400])})

json.dump({
    "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__,
                 "librosa": librosa.__version__},
    "spectra": spectra, "stfts": stfts, "mels": mels, "resampled": resampled,
}, sys.stdout)

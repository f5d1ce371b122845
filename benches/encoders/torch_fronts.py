"""Front ends that `torch_to_onnx.py` puts into the ONNX file: Fourier transforms as products with matrices.

Each is a module from `[1, samples]` to levels. `other` computes the same by torchaudio, for the proof.
"""

import math

import numpy as np
import torch
from torch import nn

EPSILON = 1.1920928955078125e-07


def waves(window, bins, size):
    """Cosines and sines of a transform of `size`, weighted by the window: two of `[samples, bins]`."""
    angles = 2 * np.pi * np.arange(len(window))[:, None] * np.arange(bins) / size
    as_torch = lambda matrix: torch.tensor(matrix * window[:, None], dtype=torch.float32)
    return as_torch(np.cos(angles)), as_torch(-np.sin(angles))


def triangles(edges, places):
    """Weights of bins at `places` in bands between every third of `edges`: `[bins, bands]`."""
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (places[:, None] - low) / (middle - low)
    falling = (high - places[:, None]) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling))


class KaldiBank(nn.Module):
    """Kaldi's filter bank of 16 kHz: 25 ms every 10 ms, 128 bands from 20 Hz, natural logarithms.

    With `frames` the result is cut or filled with zeros to that many; then `(x - mean) / (2 deviation)`.
    """

    rate, window, hop, size, bands = 16_000, 400, 160, 512, 128
    # The window and the hop in pieces of 80 samples.
    piece, pieces, step = 80, 5, 2

    def __init__(self, shape, scale=1.0, centre=False, mean=0.0, deviation=0.5, frames=None):
        super().__init__()
        self.shape, self.scale, self.centre = shape, scale, centre
        self.mean, self.deviation, self.frames = mean, deviation, frames
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / (self.window - 1))
        window = {"hanning": hann, "povey": hann**0.85}[shape]
        bins = self.size // 2
        mel = lambda hz: 1127 * np.log1p(hz / 700)
        edges = np.linspace(mel(20.0), mel(self.rate / 2), self.bands + 2)
        filters = triangles(edges, mel(np.arange(bins) * self.rate / self.size))
        for name, matrix in zip(("cosine", "sine"), waves(window, bins, self.size)):
            self.register_buffer(name, matrix)
        self.register_buffer("filters", torch.tensor(filters, dtype=torch.float32))

    @classmethod
    def count(cls, samples):
        return 1 + (samples - cls.window) // cls.hop

    def forward(self, sound):
        sound = sound * self.scale
        if self.centre:
            sound = sound - sound.mean(1, keepdim=True)
        count = self.count(int(sound.shape[1]))
        used = (count - 1) * self.hop + self.window
        pieces = sound[:, :used].reshape(1, used // self.piece, self.piece)
        last = self.step * (count - 1) + 1
        frames = torch.cat([pieces[:, k : k + last : self.step] for k in range(self.pieces)], 2)
        frames = frames - frames.mean(2, keepdim=True)
        before = torch.cat([frames[:, :, :1], frames[:, :, :-1]], 2)
        frames = frames - 0.97 * before
        power = (frames @ self.cosine) ** 2 + (frames @ self.sine) ** 2
        return self.fit(torch.log(torch.clamp(power @ self.filters, min=EPSILON)))

    def fit(self, levels):
        if self.frames is not None:
            levels = nn.functional.pad(levels, (0, 0, 0, self.frames - levels.shape[1]))
        return (levels - self.mean) / (2 * self.deviation)

    def other(self, sound):
        try:
            import torchaudio.compliance.kaldi as kaldi
        except ImportError:
            return None
        sound = sound * self.scale
        if self.centre:
            sound = sound - sound.mean()
        levels = kaldi.fbank(
            sound, num_mel_bins=self.bands, sample_frequency=self.rate, window_type=self.shape, dither=0.0
        )
        return self.fit(levels[None])


class LogMagnitude(nn.Module):
    """Logarithms of magnitudes, 25 ms every 10 ms of any rate, periodic Hann window: `[1, bins, frames]`.

    The mean of the sound is taken off first; then `(x - mean) / (2 deviation)`.
    """

    def __init__(self, rate, floor, mean=0.0, deviation=0.5):
        super().__init__()
        self.window, self.hop = self.sizes(rate)
        self.floor, self.mean, self.deviation = floor, mean, deviation
        bins = self.window // 2 + 1
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        kernel = torch.cat(waves(hann, bins, self.window), 1)
        self.register_buffer("kernel", kernel.T[:, None].contiguous())
        self.bins = bins

    @staticmethod
    def sizes(rate):
        return rate * 25 // 1000, rate * 10 // 1000

    @classmethod
    def count(cls, samples, rate):
        window, hop = cls.sizes(rate)
        return 1 + (samples - window) // hop

    def forward(self, sound):
        sound = sound - sound.mean(1, keepdim=True)
        parts = nn.functional.conv1d(sound[:, None], self.kernel, stride=self.hop)
        power = parts[:, : self.bins] ** 2 + parts[:, self.bins :] ** 2
        return (torch.log(torch.sqrt(power) + self.floor) - self.mean) / (2 * self.deviation)

    def other(self, sound):
        try:
            import torchaudio
        except ImportError:
            return None
        transform = torchaudio.transforms.Spectrogram(self.window, hop_length=self.hop, power=1, center=False)
        return (torch.log(transform(sound - sound.mean()) + self.floor) - self.mean) / (2 * self.deviation)


class PowerMel(nn.Module):
    """Powers in 40 mel bands of librosa, 25 ms every 10 ms of 16 kHz, silence around: `[1, frames, 40]`.

    The clip is brought to a level of -30 dB first, as speaker encoders were trained.
    """

    rate, window, hop, bands, level_db = 16_000, 400, 160, 40, -30.0

    def __init__(self):
        super().__init__()
        bins = self.window // 2 + 1
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        # Slaney's scale: linear to 1 kHz, logarithmic above; triangles of area one.
        step = math.log(6.4) / 27
        linear = np.linspace(0, 15 + math.log(self.rate / 2 / 1000) / step, self.bands + 2)
        edges = np.where(linear < 15, linear * 200 / 3, 1000 * np.exp((linear - 15) * step))
        filters = triangles(edges, np.arange(bins) * self.rate / self.window) * 2 / (edges[2:] - edges[:-2])
        self.register_buffer("kernel", torch.cat(waves(hann, bins, self.window), 1).T[:, None].contiguous())
        self.register_buffer("filters", torch.tensor(filters, dtype=torch.float32))
        self.bins = bins

    @classmethod
    def count(cls, samples):
        return 1 + samples // cls.hop

    def forward(self, sound):
        power = (sound**2).mean(1, keepdim=True).clamp(min=1e-12)
        sound = sound * (10 ** (self.level_db / 20) / torch.sqrt(power))
        sound = nn.functional.pad(sound, (self.window // 2, self.window // 2))
        parts = nn.functional.conv1d(sound[:, None], self.kernel, stride=self.hop)
        power = parts[:, : self.bins] ** 2 + parts[:, self.bins :] ** 2
        return power.transpose(1, 2) @ self.filters

"""The paper's encoder in PyTorch, and the golden numbers of `encoder.json`.

An implementation of its own, written from the method alone, against which the Rust encoder is
checked; the peer benchmark trains the same modules. Run it to write `encoder.json` beside it:

    python testdata/golden/encoder_torch.py

Conventions
    A spectrogram is [clips, channels, time, frequency]; a spectrum is [clips, channels, positions].
    Both branches flatten channel-major: [channels, frequency] after the pooling over time, and
    [channels, positions]. Dense weights are [out, in], convolution weights [out, in, ...kernel].
    "Same" padding puts the extra element at the end. No bias anywhere; batch norm's eps is 1e-3.
    The embedding is the concatenation of the branches; its L2 normalisation is left to the caller.

Numbers by formula
    `uniform(salt, index)` is an integer hash scaled to [-1, 1), exact in double precision.
    A parameter's salt is its place in the list of parameters, its index the flat, row-major one:
        kernels    sqrt(6 / (fan_in + fan_out)) * uniform      (fans as Glorot counts them)
        gamma      1 + 0.2 * uniform
        beta       0.1 * uniform
    Running statistics (evaluation only), salt 1000 + the place among the norms:
        mean       0.1 * uniform
        variance   1 + 0.5 * uniform                            (salt 1500 + place)
    Waveform of a clip, at 16 kHz, salt 2000 + clip:
        0.05 (clip + 1) uniform(salt, n) + 0.2 sin(2 pi (300 + 170 clip) n / 16000)
    All of them are rounded to f32 once and used in double precision from there on.
    The scalar loss is sum(uniform(3000, flat index) * embedding / its norm), over [clips, dims].
"""

import json
import math
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

RATE_HZ = 16_000
NORM_EPS = 1e-3
# PyTorch's momentum is the weight of the new value: running <- 0.99 running + 0.01 batch.
NORM_MOMENTUM = 0.01


@dataclass(frozen=True)
class Spectrum:
    """The magnitude spectrum of the whole clip, through three 1-D convolutions and five dense layers."""

    filters: int = 128
    kernels: tuple = (256, 64, 16)
    strides: tuple = (64, 32, 4)
    dims: int = 128


@dataclass(frozen=True)
class Stft:
    """A magnitude spectrogram, through a residual network."""

    window: int = 1024
    hop: int = 512
    stem_stride: int = 2
    stage_channels: tuple = (16, 32, 64, 128)
    dims: int = 128


PAPER = (Spectrum(), Stft())


def same_padding(size, kernel, stride):
    """Elements before and after; the odd one goes to the end."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv1d(nn.Conv1d):
    """Convolution with "same" padding, no bias."""

    def __init__(self, inputs, outputs, kernel, stride):
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, x):
        before, after = same_padding(x.shape[2], self.kernel_size[0], self.stride[0])
        if before == after:
            return F.conv1d(x, self.weight, None, self.stride, before)
        return F.conv1d(F.pad(x, (before, after)), self.weight, None, self.stride)


class SameConv2d(nn.Conv2d):
    """Convolution with a square kernel and "same" padding, no bias."""

    def __init__(self, inputs, outputs, kernel, stride=1):
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, x):
        time = same_padding(x.shape[2], self.kernel_size[0], self.stride[0])
        frequency = same_padding(x.shape[3], self.kernel_size[1], self.stride[1])
        if time[0] == time[1] and frequency[0] == frequency[1]:
            return F.conv2d(x, self.weight, None, self.stride, (time[0], frequency[0]))
        return F.conv2d(F.pad(x, (*frequency, *time)), self.weight, None, self.stride)


def dense(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


def norm1d(features):
    return nn.BatchNorm1d(features, eps=NORM_EPS, momentum=NORM_MOMENTUM)


def norm2d(channels):
    return nn.BatchNorm2d(channels, eps=NORM_EPS, momentum=NORM_MOMENTUM)


class SpectrumBranch(nn.Module):
    """[clips, samples] to [clips, dims]."""

    def __init__(self, config, samples):
        super().__init__()
        filters = config.filters
        positions = samples // 2
        inputs = 1
        for layer, (kernel, stride) in enumerate(zip(config.kernels, config.strides), start=1):
            setattr(self, f"conv{layer}", SameConv1d(inputs, filters, kernel, stride))
            positions = math.ceil(positions / stride)
            inputs = filters
        self.convolutions = len(config.kernels)
        inputs = filters * positions
        for layer in range(1, 5):
            setattr(self, f"dense{layer}", dense(inputs, config.dims))
            setattr(self, f"norm{layer}", norm1d(config.dims))
            inputs = config.dims
        self.dense5 = dense(inputs, config.dims)

    @staticmethod
    def features(waves):
        """Magnitudes of bins 0 to samples / 2 - 1: [clips, bins]."""
        return torch.fft.rfft(waves)[:, : waves.shape[1] // 2].abs()

    def convolve(self, features):
        x = features.unsqueeze(1)
        for layer in range(1, self.convolutions + 1):
            x = F.relu(getattr(self, f"conv{layer}")(x))
        return x

    def forward(self, waves):
        x = self.convolve(self.features(waves)).flatten(1)
        for layer in range(1, 5):
            x = F.relu(getattr(self, f"norm{layer}")(getattr(self, f"dense{layer}")(x)))
        return self.dense5(x)


class FirstBlock(nn.Module):
    """Block 2a: no norm on its input."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = SameConv2d(channels, channels, 3)
        self.norm = norm2d(channels)
        self.conv2 = SameConv2d(channels, channels, 3)

    def forward(self, x):
        return x + self.conv2(F.relu(self.norm(self.conv1(F.relu(x)))))


class SecondBlock(nn.Module):
    """Block 2b: ReLU before the inner norm."""

    def __init__(self, channels):
        super().__init__()
        self.input_norm = norm2d(channels)
        self.conv1 = SameConv2d(channels, channels, 3)
        self.norm = norm2d(channels)
        self.conv2 = SameConv2d(channels, channels, 3)

    def forward(self, x):
        x = self.input_norm(x)
        return x + self.conv2(self.norm(F.relu(self.conv1(F.relu(x)))))


class DownBlock(nn.Module):
    """Blocks 3a, 4a, 5a: halve time and frequency, widen the channels."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.input_norm = norm2d(inputs)
        self.conv1 = SameConv2d(inputs, outputs, 3, 2)
        self.norm = norm2d(outputs)
        self.conv2 = SameConv2d(outputs, outputs, 3)
        self.skip = SameConv2d(inputs, outputs, 1)

    def forward(self, x):
        x = self.input_norm(x)
        r = self.conv2(F.relu(self.norm(self.conv1(F.relu(x)))))
        # A 2x2 window at stride 2 pads at most one element, at the end: what ceil_mode does.
        return self.skip(F.max_pool2d(x, 2, 2, ceil_mode=True)) + r


class Block(nn.Module):
    """Blocks 3b, 4b, 5b."""

    def __init__(self, channels):
        super().__init__()
        self.input_norm = norm2d(channels)
        self.conv1 = SameConv2d(channels, channels, 3)
        self.norm = norm2d(channels)
        self.conv2 = SameConv2d(channels, channels, 3)

    def forward(self, x):
        x = self.input_norm(x)
        return x + self.conv2(F.relu(self.norm(self.conv1(F.relu(x)))))


class StftBranch(nn.Module):
    """[clips, samples] to [clips, dims]."""

    def __init__(self, config, samples):
        super().__init__()
        self.config = config
        bins = config.window // 2 + 1
        channels = config.stage_channels
        self.bin_norm = norm1d(bins)
        self.stem = SameConv2d(1, channels[0], 7, config.stem_stride)
        self.stem_norm = norm2d(channels[0])
        self.block2a = FirstBlock(channels[0])
        self.block2b = SecondBlock(channels[0])
        frequencies = (math.ceil(bins / config.stem_stride) - 3) // 2 + 1
        self.stages = len(channels)
        for stage in range(1, self.stages):
            setattr(self, f"block{stage + 2}a", DownBlock(channels[stage - 1], channels[stage]))
            setattr(self, f"block{stage + 2}b", Block(channels[stage]))
            frequencies = math.ceil(frequencies / 2)
        self.head_norm = norm1d(channels[-1] * frequencies)
        self.head_dense = dense(channels[-1] * frequencies, config.dims)

    def features(self, waves):
        """Magnitudes with the temporal mean of each bin subtracted: [clips, frames, bins]."""
        size = self.config.window
        window = torch.hann_window(size, periodic=True, dtype=waves.dtype, device=waves.device)
        spectra = torch.stft(
            waves,
            self.config.window,
            self.config.hop,
            window=window,
            center=False,
            return_complex=True,
        ).abs()
        return (spectra - spectra.mean(2, keepdim=True)).transpose(1, 2)

    def convolve(self, features):
        """[clips, frames, bins] to [clips, channels, time, frequency]."""
        # One norm per frequency bin: bins stand where batch norm expects channels.
        x = self.bin_norm(features.transpose(1, 2)).transpose(1, 2).unsqueeze(1)
        x = F.max_pool2d(F.relu(self.stem_norm(self.stem(x))), 3, 2)
        x = self.block2b(self.block2a(x))
        for stage in range(3, self.stages + 2):
            x = getattr(self, f"block{stage}b")(getattr(self, f"block{stage}a")(x))
        return x

    def forward(self, waves):
        x = self.convolve(self.features(waves)).amax(2).flatten(1)
        return self.head_dense(self.head_norm(x))


class Encoder(nn.Module):
    """[clips, samples] to [clips, sum of the branches' dims], not normalised."""

    def __init__(self, branches, samples):
        super().__init__()
        self.branches = nn.ModuleDict()
        for place, config in enumerate(branches):
            kind = SpectrumBranch if isinstance(config, Spectrum) else StftBranch
            name = "spectrum" if isinstance(config, Spectrum) else "stft"
            self.branches[f"{name}{place}"] = kind(config, samples)

    def forward(self, waves):
        return torch.cat([branch(waves) for branch in self.branches.values()], 1)


def parameters_of(branches, samples):
    return sum(p.numel() for p in Encoder(branches, samples).parameters())


def uniform(salt, count):
    """The first `count` values of a hash in [-1, 1); the mixer is 32-bit, so doubles hold it exactly."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1)
    x += np.uint32((salt * 0x85EBCA77 + 1) & 0xFFFFFFFF)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x.astype(np.float64) / 2.0**31 - 1.0


def rounded(values, shape):
    """As f32 holds it, in double precision."""
    return torch.from_numpy(values.astype(np.float32).astype(np.float64)).reshape(shape)


def waveforms(clips, samples):
    n = np.arange(samples, dtype=np.float64)
    rows = [
        0.05 * (clip + 1) * uniform(2000 + clip, samples)
        + 0.2 * np.sin(2.0 * math.pi * (300.0 + 170.0 * clip) * n / RATE_HZ)
        for clip in range(clips)
    ]
    return rounded(np.stack(rows), (clips, samples))


def short(name):
    return name.removeprefix("branches.")


def norms_of(encoder):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    return [(short(name), module) for name, module in encoder.named_modules() if isinstance(module, kinds)]


def parameters_by_name(encoder):
    """Every parameter in the order of its salt, norms' weight and bias as gamma and beta."""
    norms = {name for name, _ in norms_of(encoder)}
    rows = []
    for name, parameter in encoder.named_parameters():
        module, kind = short(name).rsplit(".", 1)
        if module in norms:
            kind = {"weight": "gamma", "bias": "beta"}[kind]
        rows.append((f"{module}.{kind}", parameter))
    return rows


@torch.no_grad()
def fill(encoder):
    for salt, (name, parameter) in enumerate(parameters_by_name(encoder)):
        values = uniform(salt, parameter.numel())
        if name.endswith(".gamma"):
            values = 1.0 + 0.2 * values
        elif name.endswith(".beta"):
            values = 0.1 * values
        else:
            receptive = math.prod(parameter.shape[2:])
            fans = (parameter.shape[0] + parameter.shape[1]) * receptive
            values = math.sqrt(6.0 / fans) * values
        parameter.copy_(rounded(values, parameter.shape))
    for place, (_, norm) in enumerate(norms_of(encoder)):
        norm.running_mean.copy_(rounded(0.1 * uniform(1000 + place, norm.num_features), -1))
        norm.running_var.copy_(rounded(1.0 + 0.5 * uniform(1500 + place, norm.num_features), -1))


def batch_statistics(encoder, waves):
    """Mean and population variance that each norm sees in training, by a forward pass with hooks."""
    seen = {}

    def hook(name):
        def record(_, inputs):
            x = inputs[0].transpose(0, 1).flatten(1)
            seen[name] = (x.mean(1), x.var(1, unbiased=False))

        return record

    handles = [norm.register_forward_pre_hook(hook(name)) for name, norm in norms_of(encoder)]
    encoder(waves)
    for handle in handles:
        handle.remove()
    return seen


def samples_of(values, count):
    """`count` entries spread over a flat tensor, as [index, value]."""
    flat = values.detach().flatten()
    picks = sorted({round(i * (flat.numel() - 1) / max(count - 1, 1)) for i in range(count)})
    return [[i, flat[i].item()] for i in picks]


def case(name, branches, clips, samples, entries, whole):
    """One golden case; `whole` embeddings or sampled entries of them."""
    torch.manual_seed(0)
    encoder = Encoder(branches, samples).double()
    fill(encoder)
    waves = waveforms(clips, samples)
    with torch.no_grad():
        evaluated = encoder.eval()(waves)
        encoder.train()
        statistics = batch_statistics(encoder, waves)
    trained = encoder(waves)
    direction = rounded(uniform(3000, trained.numel()), trained.shape)
    loss = (direction * F.normalize(trained)).sum()
    loss.backward()
    show = (lambda x: x.detach().tolist()) if whole else (lambda x: samples_of(x, 32))
    return {
        "name": name,
        "clips": clips,
        "samples": samples,
        "branches": [{type(b).__name__.lower(): asdict(b)} for b in branches],
        "parameters": sum(p.numel() for p in encoder.parameters()),
        "loss": loss.item(),
        "embedding_train": show(trained),
        "embedding_eval": show(evaluated),
        "norms": [
            {
                "name": norm,
                "features": mean.numel(),
                "mean_l2": mean.norm().item(),
                "variance_l2": variance.norm().item(),
                "mean": samples_of(mean, entries),
                "variance": samples_of(variance, entries),
            }
            for norm, (mean, variance) in ((n, statistics[n]) for n, _ in norms_of(encoder))
        ],
        "gradients": [
            {
                "name": label,
                "shape": list(parameter.shape),
                "l2": parameter.grad.norm().item(),
                "entries": samples_of(parameter.grad, entries),
            }
            for label, parameter in parameters_by_name(encoder)
        ],
    }


def main():
    assert parameters_of(PAPER, 10 * RATE_HZ) == 2_540_978
    assert parameters_of(PAPER, 18 * RATE_HZ) == 2_672_050
    small = (
        Spectrum(filters=12, kernels=(64, 32, 8), strides=(16, 8, 2), dims=20),
        Stft(window=256, hop=128, stem_stride=1, stage_channels=(8, 12, 20), dims=24),
        Stft(window=1000, hop=300, stem_stride=2, stage_channels=(8, 16), dims=16),
    )
    golden = {
        "made_by": "testdata/golden/encoder_torch.py",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "cases": [
            case("one second", PAPER, 4, RATE_HZ, 4, whole=True),
            # Batch norm over two clips turns every dense unit into its sign: three is the least
            # batch whose gradients mean something.
            case("ten seconds", PAPER, 3, 10 * RATE_HZ, 4, whole=False),
            case("several resolutions", small, 5, 6_001, 4, whole=True),
        ],
    }
    path = Path(__file__).with_name("encoder.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

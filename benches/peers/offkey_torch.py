"""Opens an offkey model folder in PyTorch: `Encoder(folder)(waves)` are embeddings of length 1.

`waves` is [clips, samples], float32, at `encoder.rate_hz`, `encoder.samples` long. The tensor map is docs/pytorch.md.
"""

import math
import tomllib
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F


class Encoder(nn.Module):
    def __init__(self, folder):
        super().__init__()
        card = tomllib.loads((Path(folder) / "encoder.toml").read_text())
        self.config = card["encoder"]
        self.rate_hz = self.config["rate_hz"]
        self.samples = round(self.config["rate_hz"] * self.config["clip_s"])
        for name, value in load_file(str(Path(folder) / "weights.safetensors")).items():
            trained = ".running_" not in name
            name = name.replace(".", "/")  # a module's own names may not hold dots
            self.register_parameter(name, nn.Parameter(value)) if trained else self.register_buffer(name, value)

    def at(self, *name):
        return getattr(self, "/".join(name), None)

    def norm(self, x, *name):
        of = {part: self.at(*name, part) for part in ("running_mean", "running_variance", "gamma", "beta")}
        return F.batch_norm(x, *of.values(), training=self.training, momentum=0.01, eps=1e-3)

    def conv(self, x, *name, stride=1):
        """A convolution with "same" padding, the odd element at the end."""
        weight, bias = self.at(*name, "weight"), self.at(*name, "bias")
        pads = []
        for size, taps in zip(reversed(x.shape[2:]), reversed(weight.shape[2:])):
            total = max((math.ceil(size / stride) - 1) * stride + taps - size, 0)
            pads += [total // 2, total - total // 2]
        return (F.conv1d, F.conv2d)[x.dim() - 3](F.pad(x, pads), weight, bias, stride)

    def dense(self, x, *name):
        return F.linear(x, self.at(*name, "weight"), self.at(*name, "bias"))

    def squeeze(self, x, *name):
        if self.at(*name, "reduce", "weight") is None:
            return x
        means = x.flatten(2).mean(2)
        share = torch.sigmoid(self.dense(F.relu(self.dense(means, *name, "reduce")), *name, "expand"))
        return x * share.reshape(*share.shape, *[1] * (x.dim() - 2))

    def spectrum(self, waves, config, *name):
        x = magnitude(torch.fft.rfft(waves.double())[:, : waves.shape[1] // 2], config).unsqueeze(1)
        for layer, stride in enumerate(config["strides"]):
            x = F.relu(self.conv(x, *name, "convolutions", str(layer), stride=stride))
            x = self.squeeze(x, *name, "squeezes", str(layer))
        x = x.flatten(1)
        for layer in range(config["dense_layers"]):
            hidden = (*name, "hidden", str(layer))
            x = F.relu(self.norm(self.dense(x, *hidden, "dense"), *hidden, "norm"))
        return self.dense(x, *name, "last")

    def stft(self, waves, config, *name):
        waves = waves.double()
        window = torch.hann_window(config["window"], periodic=True, dtype=waves.dtype, device=waves.device)
        x = torch.stft(waves, config["window"], config["hop"], window=window, center=False, return_complex=True)
        x = magnitude(x, config)  # [clips, bins, frames]
        if config["subtract_mean"]:
            x = x - x.mean(2, keepdim=True)
        x = self.norm(x, *name, "bin_norm").transpose(1, 2).unsqueeze(1)
        x = F.relu(self.norm(self.conv(x, *name, "stem", stride=config["stem_stride"]), *name, "stem_norm"))
        x = F.max_pool2d(x, 3, 2)
        for index in range(2 * len(config["stage_channels"])):
            x = self.block(x, index, *name, "blocks", str(index))
        x = self.norm(x.amax(2).flatten(1), *name, "head_norm")
        return self.dense(x, *name, "head")

    def block(self, x, index, *name):
        """Two convolutions beside a shortcut; from the second stage on every first block halves time and frequency."""
        halves = index > 0 and index % 2 == 0
        if self.at(*name, "input_norm", "running_mean") is not None:
            x = self.norm(x, *name, "input_norm")
        r = self.conv(F.relu(x), *name, "conv1", stride=2 if halves else 1)
        r = self.norm(F.relu(r), *name, "norm") if index == 1 else F.relu(self.norm(r, *name, "norm"))
        r = self.squeeze(self.conv(r, *name, "conv2"), *name, "squeeze")
        return r + (self.conv(F.max_pool2d(x, 2, 2, ceil_mode=True), *name, "shortcut") if halves else x)

    def forward(self, waves):
        parts = []
        for index, branch in enumerate(self.config["branches"]):
            [(kind, config)] = branch.items()
            parts.append(getattr(self, kind)(waves, config, "branches", str(index)))
        return F.normalize(torch.cat(parts, 1))


def magnitude(spectrum, config):
    x = spectrum.abs()
    return (x.clamp(min=1e-4).log() if config["magnitude"] == "log" else x).float()

"""Writes a torch encoder as an ONNX file that takes sound, with its recipe and a proof of equal numbers.

    python torch_to_onnx.py beats --code unilm/beats --weights BEATs_iter3_plus_AS2M.pt beats.onnx
    python torch_to_onnx.py eat --code EAT-base --weights EAT-base/model.safetensors eat.onnx
    python torch_to_onnx.py echo --code echo-small --weights echo-small/model.safetensors echo.onnx
    python torch_to_onnx.py fisher --code FISHER --weights fisher-tiny.pt fisher.onnx --rate 16000
    python torch_to_onnx.py voice --weights resemblyzer/pretrained.pt voice.onnx
    python torch_to_onnx.py my_file:build --code FOLDER --weights FILE --front kaldi-povey mine.onnx

`--code` is the folder with the authors' own Python files; they are programs, so fetch them from the authors.
`--weights` is read as arrays alone: `.safetensors`, or a torch checkpoint that has nothing but numbers in it.

`MODULE:FUNCTION` takes any network: the function gets what was read from `--weights` (None without), and returns a
torch module. The module takes what `--front` gives, and gives `[1, dims]` or `[1, rows, dims]`:

| front | gives |
| --- | --- |
| `waveform` | `[1, samples]` |
| `kaldi-povey`, `kaldi-hanning` | `[1, frames, 128]`, natural logarithms, 16 kHz |
| `log-magnitude` | `[1, bins, frames]`, natural logarithms, windows of 25 ms |

Written are the ONNX file and, beside it, a recipe of the same name. Printed are the largest differences between the
authors' code in torch and the file in ONNX Runtime; above a thousandth of the largest number the program fails.
Needs numpy, torch, onnx and onnxruntime; safetensors for such files; torchaudio to compare with the authors' front
end; and whatever the authors' files import.
"""

import argparse
import hashlib
import importlib
import itertools
import json
import math
import pathlib
import pickle
import re
import sys
import types
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from torch_fronts import KaldiBank, LogMagnitude, PowerMel

OPSET = 17
LARGEST_DIFFERENCE = 1e-3


class Refused(Exception):
    """What was tried, what was found, and what to do."""


class Code:
    """The authors' files, imported from the folder that holds them."""

    def __init__(self, folder):
        self.folder = folder
        if folder is None:
            return
        if not folder.is_dir():
            raise Refused(f"--code {folder}: no such folder; name the one with the authors' Python files")
        sys.path.insert(0, str(folder.resolve()))
        package = types.ModuleType("authors")
        package.__path__ = [str(folder.resolve())]
        sys.modules["authors"] = package

    def load(self, *names):
        """The first of these modules that is there. Files that import each other relatively form a package."""
        if self.folder is None:
            raise Refused(f"--code is missing: the folder that has {names[0]}.py")
        for name in names:
            file = self.folder / (name.replace(".", "/") + ".py")
            if file.is_file():
                relative = "." not in name and re.search(r"^\s*from \.", file.read_text(), re.M)
                return importlib.import_module(f"authors.{name}" if relative else name)
        tried = " nor ".join(f"{name.replace('.', '/')}.py" for name in names)
        raise Refused(f"--code {self.folder}: it has no {tried}; name the folder that does")


def read_weights(path):
    """Arrays and plain values of a checkpoint. Anything that would have to be run is refused."""
    if path is None:
        return None
    if not path.is_file():
        raise Refused(f"--weights {path}: no such file")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise Refused(
            f"--weights {path}: it holds more than numbers ({str(error).splitlines()[0]}). Where you trust it, load"
            " it once with the authors' program and save its state_dict with torch.save or safetensors"
        ) from error


def part(state, key):
    if not isinstance(state, dict) or key not in state:
        found = ", ".join(map(str, list(state or {})[:5]))
        raise Refused(f"--weights: no '{key}' in it, but {found or 'nothing'}; is it another encoder's file?")
    return state[key]


def fill(network, arrays):
    """Every array has its place, and every place its array."""
    try:
        nn.Module.load_state_dict(network, arrays)
    except RuntimeError as error:
        raise Refused(f"--weights: they do not fit the authors' network: {str(error)[:600]}") from error


class Beats(nn.Module):
    """BEATs (Chen et al., 2023): `[1, frames, 128]` to a row per patch of 16 frames and 16 bands."""

    about = "BEATs (Microsoft, arXiv 2212.09058), its filter bank inside the file"

    def __init__(self, code, state, options):
        super().__init__()
        authors = code.load("BEATs", "beats")
        config = authors.BEATsConfig()
        for key, value in part(state, "cfg").items():
            setattr(config, key, value)
        self.network = authors.BEATs(config)
        fill(self.network, part(state, "model"))
        # Rows, not the classes of a fine-tuned one; and no scaling of gradients, which has no place in a file.
        self.network.predictor = None
        self.network.encoder.layer_wise_gradient_decay_ratio = 1.0
        self.network.preprocess = lambda features, **_: features

    @staticmethod
    def front(options):
        return KaldiBank("povey", scale=2.0**15, mean=15.41663, deviation=6.55582)

    def forward(self, features):
        return self.network.extract_features(features)[0]

    def from_sound(self, sound):
        ours = self.network.__dict__.pop("preprocess")
        try:
            return self.network.extract_features(sound)[0]
        finally:
            self.network.preprocess = ours


class Eat(nn.Module):
    """EAT (Chen et al., 2024) in the form without fairseq: its summary of the clip, or a row per patch."""

    about = "EAT (arXiv 2401.03497), its filter bank inside the file"
    defaults = {
        "embed_dim": 768, "depth": 12, "num_heads": 12, "patch_size": 16, "stride": 16, "in_chans": 1,
        "mel_bins": 128, "max_length": 768, "num_classes": 527, "model_variant": "pretrain", "mlp_ratio": 4.0,
        "qkv_bias": True, "drop_rate": 0.0, "attn_drop_rate": 0.0, "activation_dropout": 0.0,
        "post_mlp_drop": 0.0, "start_drop_path_rate": 0.0, "end_drop_path_rate": 0.0,
        "layer_norm_first": False, "norm_eps": 1e-6, "norm_affine": True, "fixed_positions": True,
        "img_size": (1024, 128),
    }  # fmt: skip

    def __init__(self, code, state, options):
        super().__init__()
        authors = code.load("eat_model")
        file = code.folder / "config.json"
        config = json.loads(file.read_text()) if file.is_file() else {}
        self.network = authors.EAT(types.SimpleNamespace(**{**self.defaults, **config}))
        fill(self.network, {key.removeprefix("model."): value for key, value in state.items()})
        self.rows = options.rows

    @staticmethod
    def front(options):
        count = KaldiBank.count(options.samples)
        # 1024 frames for 10 s and 512 for 5 s, as the authors advise.
        frames = 512 * math.ceil(count / 512)
        return KaldiBank("hanning", centre=True, mean=-4.268, deviation=4.569, frames=frames)

    def forward(self, features):
        rows = self.network.extract_features(features[:, None])
        return rows[:, 1:] if self.rows == "patches" else rows[:, 0]

    def from_sound(self, sound):
        import torchaudio.compliance.kaldi as kaldi

        front = self.front(types.SimpleNamespace(samples=sound.shape[1]))
        levels = kaldi.fbank(
            sound - sound.mean(), htk_compat=True, sample_frequency=16000, use_energy=False,
            window_type="hanning", num_mel_bins=128, dither=0.0, frame_shift=10,
        )  # fmt: skip
        levels = nn.functional.pad(levels, (0, 0, 0, front.frames - len(levels)))
        return self(((levels + 4.268) / (4.569 * 2))[None])


class Echo(nn.Module):
    """ECHO (Zhang et al., 2025): the summaries of its bands of 32 bins, side by side."""

    about = "ECHO (arXiv 2508.14689), its spectrogram inside the file"
    heads = {384: 6, 768: 12, 1024: 16}

    def __init__(self, code, state, options):
        super().__init__()
        authors = code.load("audioMAE_band_upgrade", "models.ECHO.audioMAE_band_upgrade")
        state = state.get("encoder", state)
        dims = part(state, "cls_token").shape[-1]
        if dims not in self.heads:
            raise Refused(f"--weights: {dims} numbers per band; known are {', '.join(map(str, self.heads))}")
        band, shift = part(state, "patch_embed.proj.weight").shape[2:]
        self.longest = shift * (part(state, "pos_embed").shape[1] - 1)
        frames = LogMagnitude.count(options.samples, options.rate)
        if frames > self.longest:
            raise Refused(f"--clip-s {options.clip_s}: {frames} frames, and the encoder hears {self.longest}")
        layers = {key.split(".")[2] for key in state if key.startswith("encoder.layers.")}
        self.network = authors.AudioMAEWithBand(
            spec_len=self.longest, band_width=band, shift_size=shift, embed_dim=dims,
            encoder_depth=len(layers), num_heads=self.heads[dims], freq_pos_emb_dim=dims,
        )  # fmt: skip
        fill(self.network, state)
        self.rate = options.rate

    @staticmethod
    def front(options):
        return LogMagnitude(options.rate, floor=1e-9, mean=-5.874158, deviation=5.223174)

    def forward(self, levels):
        return self.network.extract_features(levels[0], self.rate)[0][None]

    def from_sound(self, sound):
        return self.network.extract_features_from_audio(sound, self.rate)[0][None]


class Fisher(nn.Module):
    """FISHER (Fan et al., 2025): the summaries of its bands of 100 bins, side by side; bins left over are dropped."""

    about = "FISHER (arXiv 2507.16696), its spectrogram inside the file"
    longest = 1024

    def __init__(self, code, state, options):
        super().__init__()
        frames = LogMagnitude.count(options.samples, options.rate)
        if frames > self.longest:
            raise Refused(f"--clip-s {options.clip_s}: {frames} frames, and the encoder hears {self.longest}")
        authors = code.load("models.fisher")
        config = authors.Data2VecMultiConfig()
        self.set(config, part(part(state, "cfg"), "model"))
        self.network = authors.FISHER(config)
        fill(self.network, part(state, "model"))
        self.band = config.band_width

    def set(self, config, values):
        for key, value in values.items():
            if isinstance(value, dict) and hasattr(getattr(config, key, None), "__dataclass_fields__"):
                self.set(getattr(config, key), value)
            elif hasattr(config, key):
                setattr(config, key, value)

    @staticmethod
    def front(options):
        return LogMagnitude(options.rate, floor=1e-10, mean=-3.017344307886898, deviation=2.1531635155379805)

    def forward(self, levels):
        levels = levels.transpose(1, 2)
        if levels.shape[2] < self.band:
            levels = nn.functional.pad(levels, (0, self.band - levels.shape[2]))
        return self.network.extract_features(levels[:, None])


class Voice(nn.Module):
    """The speaker encoder of the PyPI package Resemblyzer (Wan et al., 2018): a row per 1.6 s, every 0.8 s."""

    about = "Speaker encoder of the package Resemblyzer (arXiv 1710.10467), its spectrogram inside the file"

    def __init__(self, code, state, options):
        super().__init__()
        state = part(state, "model_state")
        width, mels = part(state, "lstm.weight_hh_l0").shape[1], part(state, "lstm.weight_ih_l0").shape[1]
        self.lstm = nn.LSTM(mels, width, 3, batch_first=True)
        self.linear = nn.Linear(width, width)
        fill(self, {key: value for key, value in state.items() if not key.startswith("similarity")})
        self.starts = range(0, PowerMel.count(options.samples) - 159, 80)
        if not self.starts:
            raise Refused(f"--clip-s {options.clip_s}: the encoder takes pieces of 1.6 s")

    @staticmethod
    def front(options):
        return PowerMel()

    def forward(self, levels):
        pieces = torch.cat([levels[:, start : start + 160] for start in self.starts])
        last = torch.relu(self.linear(self.lstm(pieces)[0][:, -1]))
        return (last / last.norm(dim=1, keepdim=True).clamp(min=1e-12))[None]


class Any(nn.Module):
    """A network that the user's own function builds."""

    about = "An encoder written by torch_to_onnx.py"

    def __init__(self, code, state, options):
        super().__init__()
        module, _, function = options.encoder.partition(":")
        self.network = getattr(code.load(module), function)(state)

    @staticmethod
    def front(options):
        return {
            "waveform": nn.Identity,
            "kaldi-povey": lambda: KaldiBank("povey"),
            "kaldi-hanning": lambda: KaldiBank("hanning"),
            "log-magnitude": lambda: LogMagnitude(options.rate, floor=1e-10),
        }[options.front]()

    def forward(self, features):
        return self.network(features)


KNOWN = {"beats": Beats, "eat": Eat, "echo": Echo, "fisher": Fisher, "voice": Voice}


def sounds(samples, rate):
    """Noise, a tone, and a quiet machine with a constant offset, all in the steps of 16-bit recordings."""
    random, time = np.random.default_rng(1), np.arange(samples) / rate
    given = {
        "noise": 0.1 * random.standard_normal(samples),
        "tone": 0.3 * np.sin(2 * np.pi * 441.3 * time),
        "quiet hum with offset": 0.02 + 0.003 * np.sin(2 * np.pi * 50 * time) + 3e-4 * random.standard_normal(samples),
    }
    steps = lambda sound: np.round(np.clip(sound, -1, 1) * 32767) / 32768
    return {name: torch.tensor(steps(sound)[None], dtype=torch.float32) for name, sound in given.items()}


def difference(found, expected):
    """Largest difference, of the largest number."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        raise Refused(f"shapes differ: {found.shape} against {expected.shape}")
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)


def export(model, samples, path):
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        # torch's fused attention has no ONNX form; the plain one gives the same numbers.
        torch.backends.mha.set_fastpath_enabled(False)
        torch.onnx.export(
            model, (0.1 * torch.randn(1, samples),), str(path), opset_version=OPSET,
            input_names=["waveform"], output_names=["embedding"], dynamo=False,
        )  # fmt: skip
    onnx.checker.check_model(str(path))


def prove(front, network, samples, rate, path):
    """Prints what differs, and returns the largest difference of embeddings."""
    session = onnxruntime.InferenceSession(str(path))
    worst, embeddings = 0.0, []
    for name, sound in sounds(samples, rate).items():
        with torch.no_grad():
            levels = front(sound)
            rows = [("torch", network(levels).numpy())]
            if hasattr(network, "from_sound"):
                try:
                    rows.append(("the authors' code from sound", network.from_sound(sound).numpy()))
                except ImportError as error:
                    print(f"{name}: not compared with the authors' front end: {error}")
            own = front.other(sound) if hasattr(front, "other") else None
        found = session.run(None, {"waveform": sound.numpy()})[0]
        if not np.isfinite(found).all():
            raise Refused(f"{name}: the file gives numbers that are not finite")
        embeddings.append(found)
        for against, expected in rows:
            worst = max(worst, difference(found, expected))
            print(f"{name}: ONNX Runtime against {against}: {difference(found, expected):.1e} of the largest number")
        if own is not None:
            print(f"{name}: front end against torchaudio: {difference(levels, own):.1e} of the largest number")
    apart = min(difference(one, other) for one, other in itertools.combinations(embeddings, 2))
    print(f"the sounds themselves are at least {apart:.1e} of the largest number apart")
    return worst, found.shape


def write_recipe(name, about, options, path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recipe = path.with_suffix(".toml")
    recipe.write_text(
        f"""name = "{name}"
description = "{about}; one nearest neighbour"

[audio]
length = "loop"

[model.onnx]
file = "{path.name}"
sha256 = "{digest}"
rate_hz = {options.rate}
clip_s = {options.clip_s}
front = "waveform"
pooling = "mean"

[backend.knn]
"""
    )
    return recipe


def arguments(given):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("encoder", help=f"{', '.join(KNOWN)}, or MODULE:FUNCTION")
    parser.add_argument("onnx", type=pathlib.Path)
    parser.add_argument("--code", type=pathlib.Path)
    parser.add_argument("--weights", type=pathlib.Path)
    parser.add_argument("--clip-s", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=16_000)
    parser.add_argument("--rows", choices=("clip", "patches"), default="clip", help="of eat")
    fronts = ("waveform", "kaldi-povey", "kaldi-hanning", "log-magnitude")
    parser.add_argument("--front", choices=fronts, default="waveform", help="of MODULE:FUNCTION")
    options = parser.parse_args(given)
    options.samples = round(options.rate * options.clip_s)
    return options


def convert(options):
    kind = Any if ":" in options.encoder else KNOWN.get(options.encoder)
    if kind is None:
        raise Refused(f"{options.encoder}: known are {', '.join(KNOWN)}; others are MODULE:FUNCTION")
    front = kind.front(options)
    only = getattr(front, "rate", options.rate)
    if options.rate != only:
        raise Refused(f"--rate {options.rate}: this front end takes {only} Hz; leave --rate away")
    if options.samples < options.rate // 10:
        raise Refused(f"--clip-s {options.clip_s}: at least 0.1 s")
    state = read_weights(options.weights)
    if state is None and kind is not Any:
        raise Refused("--weights is missing: the authors' checkpoint")
    network = kind(Code(options.code), state, options).eval()
    export(nn.Sequential(front, network).eval(), options.samples, options.onnx)
    worst, shape = prove(front, network, options.samples, options.rate, options.onnx)
    if worst > LARGEST_DIFFERENCE:
        options.onnx.unlink()
        raise Refused(f"the file differs by {worst:.1e}, more than {LARGEST_DIFFERENCE}; it was removed")
    name = options.onnx.stem
    recipe = write_recipe(name, kind.about, options, options.onnx)
    rows = f"{shape[1]} rows of {shape[2]}" if len(shape) == 3 else f"{shape[1]}"
    print(f"{options.onnx}: {options.samples} samples of {options.rate} Hz to {rows} numbers; recipe {recipe}")


def main(given=None):
    try:
        convert(arguments(given))
    except Refused as error:
        sys.exit(f"torch_to_onnx: {error}")


if __name__ == "__main__":
    main()

"""Tests of `torch_to_onnx.py`: its front ends against other programs, and whole conversions of small networks.

    python -m pytest benches/encoders/test_torch_to_onnx.py

Without torch, onnx or onnxruntime everything is skipped, and pytest says so.
"""

import hashlib
import pathlib
import sys
import tomllib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import torch_to_onnx
from torch_fronts import KaldiBank, LogMagnitude, PowerMel


@pytest.fixture(autouse=True)
def own_modules():
    """Authors' files of one test are not those of the next."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in ("models", "models.fisher", "small", "authors", "authors.relative", "authors.part"):
        if name not in modules:
            sys.modules.pop(name, None)


def recording(samples, seed=0):
    random = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    sound = 0.01 + 0.2 * np.sin(2 * np.pi * 441.3 * time) + 0.02 * random.standard_normal(samples)
    return np.round(sound * 32767) / 32768


def kaldi_levels(sound, shape, bands=128):
    """Kaldi's filter bank, frame by frame and band by band, in double precision and with numpy's transform."""
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / 399) for n in range(400)])
    window = window**0.85 if shape == "povey" else window
    to_mel = lambda hz: 1127.0 * np.log(1.0 + hz / 700.0)
    low, high = to_mel(20.0), to_mel(8000.0)
    width = (high - low) / (bands + 1)
    rows = []
    for start in range(0, len(sound) - 399, 160):
        frame = sound[start : start + 400] - np.mean(sound[start : start + 400])
        emphasised = np.empty(400)
        emphasised[0] = frame[0] * (1 - 0.97)
        for n in range(1, 400):
            emphasised[n] = frame[n] - 0.97 * frame[n - 1]
        power = np.abs(np.fft.rfft(emphasised * window, 512)) ** 2
        row = []
        for band in range(bands):
            energy = 0.0
            for bin in range(256):
                place = (to_mel(bin * 16_000 / 512) - low) / width - band
                energy += power[bin] * max(0.0, 1.0 - abs(place - 1.0))
            row.append(np.log(max(energy, np.finfo(np.float32).eps)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("shape", ["povey", "hanning"])
def test_the_filter_bank_is_kaldis(shape):
    sound = recording(1600)
    found = KaldiBank(shape, scale=2.0**15)(torch.tensor(sound[None], dtype=torch.float32))[0]
    expected = kaldi_levels(sound * 2**15, shape)
    assert found.shape == expected.shape == (8, 128)
    assert np.abs(found.numpy() - expected).max() < 2e-3


@pytest.mark.parametrize("shape", ["povey", "hanning"])
def test_the_filter_bank_is_torchaudios(shape):
    pytest.importorskip("torchaudio", reason="torchaudio is not installed: pip install torchaudio")
    sound = torch.tensor(recording(16_000)[None], dtype=torch.float32)
    front = KaldiBank(shape, scale=2.0**15)
    assert (front(sound) - front.other(sound)).abs().max() < 2e-3


def test_frames_are_cut_or_filled_before_they_are_scaled():
    sound = torch.tensor(recording(1600)[None], dtype=torch.float32)
    plain = KaldiBank("hanning", centre=True)(sound)
    longer = KaldiBank("hanning", centre=True, mean=-4.0, deviation=5.0, frames=10)(sound)
    shorter = KaldiBank("hanning", centre=True, frames=3)(sound)
    assert torch.allclose(longer[:, :8], (plain + 4.0) / 10.0)
    assert torch.allclose(longer[:, 8:], torch.full((1, 2, 128), 0.4))
    assert torch.equal(shorter, plain[:, :3])


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_magnitudes_are_those_of_numpys_transform(rate):
    sound = recording(rate // 5)
    found = LogMagnitude(rate, floor=1e-9, mean=-3.0, deviation=2.0)(torch.tensor(sound[None], dtype=torch.float32))
    window, hop = rate * 25 // 1000, rate // 100
    centred = sound - sound.mean()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames = [np.fft.rfft(centred[at : at + window] * hann) for at in range(0, len(sound) - window + 1, hop)]
    expected = (np.log(np.abs(frames) + 1e-9) + 3.0) / 4.0
    assert np.abs(found[0].T.numpy() - expected).max() < 1e-3


def test_powers_in_mel_bands_are_librosas():
    librosa = pytest.importorskip("librosa", reason="librosa is not installed: pip install librosa")
    sound = recording(16_000).astype(np.float32)
    found = PowerMel()(torch.tensor(sound[None]))[0].numpy()
    level = sound * 10 ** (-30 / 20) / np.sqrt((sound.astype(float) ** 2).mean())
    expected = librosa.feature.melspectrogram(y=level, sr=16_000, n_fft=400, hop_length=160, n_mels=40).T
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * expected.max()


SMALL = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(128, 16), nn.Linear(16, 8)

    def forward(self, levels):
        return self.second(torch.tanh(self.first(levels)))


def build(state):
    network = Small()
    network.load_state_dict(state)
    return network
"""


def convert(folder, encoder, *more):
    torch_to_onnx.main([encoder, str(folder / "made.onnx"), "--code", str(folder), "--clip-s", "1", *more])
    return folder / "made.onnx"


def test_any_network_is_written_with_its_front_end_and_a_recipe(tmp_path, capsys):
    (tmp_path / "small.py").write_text(SMALL)
    torch.manual_seed(0)
    weights = {
        "first.weight": torch.randn(16, 128) / 100, "first.bias": torch.randn(16),
        "second.weight": torch.randn(8, 16), "second.bias": torch.randn(8),
    }  # fmt: skip
    torch.save(weights, tmp_path / "small.pt")
    file = convert(tmp_path, "small:build", "--weights", str(tmp_path / "small.pt"), "--front", "kaldi-povey")
    sound = recording(16_000, seed=5)
    found = onnxruntime.InferenceSession(str(file)).run(None, {"waveform": sound[None].astype(np.float32)})[0]
    arrays = {name: array.double().numpy() for name, array in weights.items()}
    hidden = np.tanh(kaldi_levels(sound, "povey") @ arrays["first.weight"].T + arrays["first.bias"])
    expected = hidden @ arrays["second.weight"].T + arrays["second.bias"]
    assert found.shape == (1, 98, 8)
    assert np.abs(found[0] - expected).max() < 1e-3
    recipe = tomllib.loads((tmp_path / "made.toml").read_text())
    assert recipe["model"]["onnx"] == {
        "file": "made.onnx", "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "rate_hz": 16_000, "clip_s": 1.0, "front": "waveform", "pooling": "mean",
    }  # fmt: skip
    assert "ONNX Runtime against torch" in capsys.readouterr().out


# The outside of FISHER's program alone: its network here is a mean per band.
BANDS = """
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class Image:
    patch_size: int = 16


@dataclass
class Modalities:
    image: Image = field(default_factory=Image)


@dataclass
class Data2VecMultiConfig:
    band_width: int = 7
    modalities: Modalities = field(default_factory=Modalities)


class FISHER(nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config.modalities.image.patch_size == 20
        self.width = config.band_width
        self.gain = nn.Parameter(torch.zeros(1))

    def extract_features(self, source):
        assert source.shape[:2] == (1, 1)
        bands = source.shape[3] // self.width
        whole = source[:, 0, :, : bands * self.width].reshape(1, -1, bands, self.width)
        return self.gain * whole.mean((1, 3))
"""


def test_fisher_gets_frames_by_bins_and_its_own_settings(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fisher.py").write_text(BANDS)
    settings = {"band_width": 100, "unknown": 1, "modalities": {"image": {"patch_size": 20}}}
    torch.save({"cfg": {"model": settings}, "model": {"gain": torch.tensor([2.0])}}, tmp_path / "f.pt")
    file = convert(tmp_path, "fisher", "--weights", str(tmp_path / "f.pt"))
    sound = torch.tensor(recording(16_000)[None], dtype=torch.float32)
    found = onnxruntime.InferenceSession(str(file)).run(None, {"waveform": sound.numpy()})[0]
    levels = LogMagnitude(16_000, floor=1e-10, mean=-3.017344307886898, deviation=2.1531635155379805)(sound)[0]
    expected = [2 * levels[:100].mean(), 2 * levels[100:200].mean()]
    assert np.allclose(found[0], expected, atol=1e-4)


def test_longer_clips_than_an_encoder_hears_are_refused(tmp_path):
    torch.save({}, tmp_path / "f.pt")
    with pytest.raises(SystemExit, match="1098 frames, and the encoder hears 1024"):
        convert(tmp_path, "fisher", "--weights", str(tmp_path / "f.pt"), "--clip-s", "11")


class Program:
    def __reduce__(self):
        return (print, ("run",))


def test_a_checkpoint_that_would_run_is_refused(tmp_path, capsys):
    (tmp_path / "small.py").write_text(SMALL)
    torch.save({"model": Program()}, tmp_path / "bad.pt")
    with pytest.raises(SystemExit, match="more than numbers"):
        convert(tmp_path, "small:build", "--weights", str(tmp_path / "bad.pt"))
    assert "run" not in capsys.readouterr().out.split()


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"model_state": {"lstm.weight_hh_l0": torch.zeros(8, 2), "lstm.weight_ih_l0": torch.zeros(8, 3)}},
               tmp_path / "v.pt")  # fmt: skip
    with pytest.raises(SystemExit, match="do not fit the authors' network"):
        torch_to_onnx.main(["voice", str(tmp_path / "v.onnx"), "--weights", str(tmp_path / "v.pt")])
    with pytest.raises(SystemExit, match="no 'cfg' in it, but model_state"):
        (tmp_path / "BEATs.py").write_text("class BEATsConfig: pass")
        convert(tmp_path, "beats", "--weights", str(tmp_path / "v.pt"))


def test_a_folder_without_the_authors_files_is_named(tmp_path):
    torch.save({}, tmp_path / "w.pt")
    with pytest.raises(SystemExit, match="it has no eat_model.py; name the folder that does"):
        convert(tmp_path, "eat", "--weights", str(tmp_path / "w.pt"))


def test_files_that_import_each_other_relatively_form_a_package(tmp_path):
    (tmp_path / "part.py").write_text("VALUE = 3")
    (tmp_path / "relative.py").write_text("from .part import VALUE\n")
    assert torch_to_onnx.Code(tmp_path).load("absent", "relative").VALUE == 3

"""Converts the encoder of the PyPI package `aisfx` 0.1.2 to an ONNX file that takes sound.

    pip download aisfx==0.1.2 --no-deps
    python aisfx_to_onnx.py aisfx-0.1.2-py2.py3-none-any.whl aisfx.onnx

The network (Ma and Lerch, "Representation Learning for the Automatic Indexing of Sound Effects
Libraries", ISMIR 2022; weights CC BY 4.0) has four blocks of two convolutions over a log-mel
spectrogram, and 512 numbers per block of 100 frames. The file takes mono sound of 44.1 kHz,
`[batch, samples]`, and gives `[batch, blocks, 512]`: one row per block of 2.3 s, half overlapping,
as the authors use it. Samples are brought to a peak of 1 first, as in the authors' librosa front end.

With `--network` the file has the network alone: one block of their spectrogram in, `[batch, 1, 100, 96]`, and
`[batch, 512]` out. offkey then makes the spectrogram, see `aisfx-network.toml`.

Needs numpy and onnx; no torch: the checkpoint is read by an unpickler that makes arrays and nothing else.
"""

import argparse
import collections
import io
import pickle
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE_HZ = 44_100
WINDOW, HOP, MELS = 2048, 1024, 96
BLOCK, BLOCK_HOP, DIMS = 100, 50, 512
# Smallest and largest value of the authors' spectrograms, by which they scale.
LARGEST = 9.457798957824707
BATCH_NORM_EPSILON = 1e-5
QUIETEST_PEAK = 1e-12


class Arrays(pickle.Unpickler):
    """Reads a torch checkpoint as numpy arrays. Every other object is refused."""

    def __init__(self, archive, root):
        super().__init__(io.BytesIO(archive.read(f"{root}/data.pkl")))
        self.archive, self.root = archive, root

    def find_class(self, module, name):
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in ELEMENTS:
            return ELEMENTS[name]
        if module.split(".")[0] in ("numpy", "_codecs"):
            return Ignored
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint of weights")

    def persistent_load(self, identity):
        _, element, key, _, _ = identity
        return np.frombuffer(self.archive.read(f"{self.root}/data/{key}"), element)


class Ignored:
    """Stands for what the checkpoint says beside its weights: names and sizes of its data sets."""

    def __init__(self, *_):
        pass

    def __setstate__(self, _):
        pass

    def __hash__(self):
        return 0


ELEMENTS = {"FloatStorage": np.float32, "LongStorage": np.int64}


def rebuild(storage, offset, shape, strides, *_):
    """The view of a storage that a tensor is."""
    strides = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides).copy()


def weights_of(wheel):
    with zipfile.ZipFile(wheel) as files:
        checkpoint = io.BytesIO(files.read("aisfx/models/checkpoint.pth"))
    with zipfile.ZipFile(checkpoint) as archive:
        root = archive.namelist()[0].split("/")[0]
        weights, _ = Arrays(archive, root).load()
    start = "embedding_net."
    return {name[len(start) :]: value for name, value in weights.items() if name.startswith(start)}


def mel_filters():
    """HTK's mel scale, each triangle's weights adding up to one: librosa's `htk=True, norm=1`."""
    mel = lambda hz: 2595 * np.log10(1 + hz / 700)
    hz = 700 * (10 ** (np.linspace(mel(0), mel(RATE_HZ / 2), MELS + 2) / 2595) - 1)
    bins = np.arange(WINDOW // 2 + 1) * RATE_HZ / WINDOW
    rise = (bins - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    fall = (hz[2:, None] - bins) / (hz[2:] - hz[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rise, fall))
    return triangles / np.maximum(triangles.sum(1, keepdims=True), 1e-12)


class Writer:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, array):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator, *inputs, outputs=1, **settings):
        names = [f"{operator}_{len(self.nodes)}_{i}" for i in range(outputs)]
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.nodes.append(helper.make_node(operator, inputs, names, **settings))
        return names[0]


def single(array):
    return np.asarray(array, np.float32)


def spectrogram(w, samples):
    """`[batch, samples]` to the authors' scaled log-mel spectrogram, `[batch, frames, mels]`."""
    peak = w.node("ReduceMax", w.node("Abs", "waveform"), axes=[1], keepdims=1)
    sound = w.node("Div", "waveform", w.node("Max", peak, single([QUIETEST_PEAK])))
    # Frames are centred, with silence around the sound.
    sound = w.node("Pad", sound, np.array([0, WINDOW // 2, 0, WINDOW // 2], np.int64))
    frames = 1 + samples // HOP
    places = np.arange(frames)[:, None] * HOP + np.arange(WINDOW)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    cut = w.node("Mul", w.node("Gather", sound, places.astype(np.int64), axis=1), single(window))
    angles = 2 * np.pi * np.outer(np.arange(WINDOW), np.arange(WINDOW // 2 + 1)) / WINDOW
    real = w.node("MatMul", cut, single(np.cos(angles)))
    imaginary = w.node("MatMul", cut, single(np.sin(angles)))
    power = w.node("Add", w.node("Mul", real, real), w.node("Mul", imaginary, imaginary))
    bands = w.node("MatMul", power, single(mel_filters().T * 1e4))
    logarithm = w.node("Log", w.node("Add", bands, single([1])))
    return w.node("Mul", logarithm, single([1 / (np.log(10) * LARGEST)])), frames


def blocks(w, value, frames):
    """`[batch, frames, mels]` to `[batch * blocks, 1, 100, mels]`; the rest at the end is left out."""
    missing = max(0, BLOCK - frames)
    if missing:
        value = w.node("Pad", value, np.array([0, 0, 0, 0, missing, 0], np.int64))
    count = 1 + (frames + missing - BLOCK) // BLOCK_HOP
    places = np.arange(count)[:, None] * BLOCK_HOP + np.arange(BLOCK)
    cut = w.node("Gather", value, places.astype(np.int64), axis=1)
    return w.node("Reshape", cut, np.array([-1, 1, BLOCK, MELS], np.int64)), count


def encoder(w, value, weights):
    for block in range(1, 5):
        for layer in (1, 2):
            name = f"conv_block{block}."
            norm = lambda part: weights[f"{name}bn{layer}.{part}"].astype(np.float64)
            scale = norm("weight") / np.sqrt(norm("running_var") + BATCH_NORM_EPSILON)
            kernels = weights[f"{name}conv{layer}.weight"] * scale[:, None, None, None]
            shift = norm("bias") - norm("running_mean") * scale
            value = w.node(
                "Conv", value, single(kernels), single(shift), kernel_shape=[3, 3], pads=[1] * 4
            )
            value = w.node("Relu", value)
        if block < 4:
            value = w.node("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2])
    value = w.node("ReduceMean", value, axes=[3], keepdims=0)
    return w.node("ReduceMax", value, axes=[2], keepdims=0)


def save(w, inputs, outputs, path):
    graph = helper.make_graph(w.nodes, "aisfx", inputs, outputs, w.constants)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(
        graph, opset_imports=opset, ir_version=8, producer_name="aisfx_to_onnx"
    )
    licence = "CC BY 4.0, Ma and Lerch 2022, aisfx 0.1.2 on PyPI"
    helper.set_model_props(model, {"rate_hz": str(RATE_HZ), "licence": licence})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel")
    parser.add_argument("onnx")
    parser.add_argument("--clip-s", type=float, default=10.0)
    parser.add_argument("--network", action="store_true", help="without the spectrogram")
    args = parser.parse_args()
    port = lambda name, *shape: helper.make_tensor_value_info(
        name, TensorProto.FLOAT, ["batch", *shape]
    )
    if args.network:
        w = Writer()
        encoder(w, "spectrogram", weights_of(args.wheel))
        w.nodes[-1].output[0] = "embedding"
        inputs, outputs = [port("spectrogram", 1, BLOCK, MELS)], [port("embedding", DIMS)]
        save(w, inputs, outputs, args.onnx)
        print(f"{args.onnx}: {BLOCK} frames of {MELS} bands to {DIMS} numbers")
        return
    samples = round(RATE_HZ * args.clip_s)
    w = Writer()
    value, frames = spectrogram(w, samples)
    value, count = blocks(w, value, frames)
    value = encoder(w, value, weights_of(args.wheel))
    w.node("Reshape", value, np.array([-1, count, DIMS], np.int64))
    w.nodes[-1].output[0] = "embedding"
    inputs, outputs = [port("waveform", samples)], [port("embedding", count, DIMS)]
    save(w, inputs, outputs, args.onnx)
    print(f"{args.onnx}: {samples} samples of {RATE_HZ} Hz to {count} rows of {DIMS} numbers")


if __name__ == "__main__":
    main()

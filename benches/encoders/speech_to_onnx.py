"""Joins the two ONNX files of the PyPI package `openwakeword` 0.4.0 to an encoder that takes sound.

    pip download openwakeword==0.4.0 --no-deps
    python speech_to_onnx.py openwakeword-0.4.0-py3-none-any.whl speech.onnx

The network is Google's `speech_embedding` (Lin et al., "Training Keyword Spotters with Limited and Synthesized
Speech Data", ICASSP 2020; Apache 2.0): 0.33 million weights, trained on speech, 32 mel bands, 96 numbers per block of
76 frames (0.78 s), every 80 ms. The file takes mono sound of 16 kHz in the range of 16-bit integers,
`[1, samples]`, and gives `[1, blocks, 96]`. Needs numpy and onnx.
"""

import argparse
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

RATE_HZ, MELS, BLOCK, BLOCK_HOP, DIMS = 16_000, 32, 76, 8, 96
# Frames of 400 samples, every 160, of a transform of 512.
WINDOW, HOP = 512, 160


def part(wheel, name):
    with zipfile.ZipFile(wheel) as files:
        model = onnx.load_from_string(files.read(f"openwakeword/resources/models/{name}.onnx"))
    return compose.add_prefix(model, f"{name}/")


def bridge(frames):
    """From levels to blocks: `[1, 1, frames, mels]` to `[blocks, 76, mels, 1]`, scaled as the authors do."""
    count = 1 + (frames - BLOCK) // BLOCK_HOP
    places = np.arange(count)[:, None] * BLOCK_HOP + np.arange(BLOCK)
    constants = {
        "tenth": np.array(0.1, np.float32),
        "two": np.array(2.0, np.float32),
        "frames": np.array([frames, MELS], np.int64),
        "places": places.astype(np.int64),
        "last": np.array([-1], np.int64),
    }
    nodes = [
        helper.make_node("Mul", ["levels", "tenth"], ["scaled"]),
        helper.make_node("Add", ["scaled", "two"], ["moved"]),
        helper.make_node("Reshape", ["moved", "frames"], ["flat"]),
        helper.make_node("Gather", ["flat", "places"], ["cut"], axis=0),
        helper.make_node("Unsqueeze", ["cut", "last"], ["blocks"]),
    ]
    port = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes,
        "bridge",
        [port("levels", ["a", 1, "b", MELS])],
        [port("blocks", [count, BLOCK, MELS, 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel")
    parser.add_argument("onnx")
    parser.add_argument("--clip-s", type=float, default=10.0)
    args = parser.parse_args()
    samples = round(RATE_HZ * args.clip_s)
    middle, count = bridge(1 + (samples - WINDOW) // HOP)
    model = part(args.wheel, "melspectrogram")
    joined = [(model.graph.output[0].name, "levels")]
    model = compose.merge_models(model, middle, io_map=joined)
    last = part(args.wheel, "embedding_model")
    model = compose.merge_models(model, last, io_map=[("blocks", last.graph.input[0].name)])
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([1, count, DIMS], np.int64), "rows"))
    graph.node.append(helper.make_node("Reshape", [graph.output[0].name, "rows"], ["embedding"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, count, DIMS]))
    onnx.checker.check_model(model)
    onnx.save(model, args.onnx)
    print(f"{args.onnx}: {samples} samples of {RATE_HZ} Hz to {count} rows of {DIMS} numbers")


if __name__ == "__main__":
    main()

"""The peers' side in ONNX Runtime and OpenVINO: one unit of work for each line read from standard input.

`--export FILE` writes the paper's encoder from its features on, by PyTorch's exporter. The other calls need
no PyTorch: features are made by scipy, the network is run by `--runtime`, with one stream and the threads given.
Answers are those of `torch_worker.py`.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

SAMPLES = 160_000
WINDOW, HOP = 1024, 512


def export(path):
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import torch_worker

    class FromFeatures(torch.nn.Module):
        """The encoder behind its features, and the scaling to length one."""

        def __init__(self):
            super().__init__()
            self.encoder = torch_worker.encoder("nchw", "cpu").eval()
            for branch in self.encoder.branches.values():
                branch.features = lambda features: features

        def forward(self, spectrum, stft):
            parts = zip(self.encoder.branches.values(), (spectrum, stft))
            return torch.nn.functional.normalize(torch.cat([branch(x) for branch, x in parts], 1))

    frames = (SAMPLES - WINDOW) // HOP + 1
    inputs = (torch.rand(2, SAMPLES // 2), torch.rand(2, frames, WINDOW // 2 + 1))
    names = ["spectrum", "stft"]
    batches = {name: {0: "clips"} for name in [*names, "embedding"]}
    with torch.no_grad():
        torch.onnx.export(
            FromFeatures(), inputs, path, input_names=names, output_names=["embedding"], dynamic_axes=batches, dynamo=False
        )


def features(waves, threads):
    """Magnitude spectrum, and magnitude spectrogram less its mean over time, as our encoder takes them."""
    import scipy.fft

    spectrum = np.abs(scipy.fft.rfft(waves, workers=threads))[:, : waves.shape[1] // 2]
    window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(waves, WINDOW, axis=1)[:, ::HOP]
    stft = np.abs(scipy.fft.rfft(frames * window, workers=threads))
    return {"spectrum": spectrum, "stft": stft - stft.mean(1, keepdims=True)}


def with_onnxruntime(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0], f"ONNX Runtime {onnxruntime.__version__}"


def with_openvino(model, threads):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda inputs: request.infer(inputs)[0], f"OpenVINO {openvino.__version__}"


RUNTIMES = {"onnxruntime": with_onnxruntime, "openvino": with_openvino}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--export", help="write the model here, and nothing else")
    parser.add_argument("--model")
    parser.add_argument("--runtime", choices=sorted(RUNTIMES))
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.export:
        return export(arguments.export)
    run, name = RUNTIMES[arguments.runtime](arguments.model, arguments.threads)
    random = np.random.default_rng(7)
    waves = 0.1 * random.standard_normal((arguments.clips, SAMPLES), dtype=np.float32)
    for _ in range(3):
        run(features(waves, arguments.threads))
    print(json.dumps({"ready": name}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        result = run(features(waves, arguments.threads))
        ms = 1e3 * (time.perf_counter() - start)
        print(json.dumps({"ms": ms, "result": float(result[0, 0])}), flush=True)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mb": peak_mb}), flush=True)


if __name__ == "__main__":
    main()

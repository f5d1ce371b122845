"""Compares ONNX files with the arrays beside them, in ONNX Runtime.

usage: onnx_parity.py FOLDER|FILE.onnx ...

Each FILE.onnx has a FILE.npz with `check_NAME` for every input and output. The file is checked by
`onnx.checker` (full check), run with batches of 1, 7 and 64 clips, and compared.
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime

# Rounding of single precision measures 1e-11 and 8e-6; a wrong layer gives 1e-2 and more.
MOST_COSINE = 1e-6
# Relative to the largest number of an output.
MOST_DIFFERENCE = 5e-5
BATCHES = (1, 7, 64)


def repeated(array, clips):
    """The clips of an array again and again, so many in all."""
    return numpy.take(array, numpy.arange(clips) % len(array), axis=0)


def check(path):
    onnx.checker.check_model(str(path), full_check=True)
    arrays = numpy.load(path.with_suffix(".npz"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {port.name: arrays["check_" + port.name] for port in session.get_inputs()}
    names = [port.name for port in session.get_outputs()]
    worst_cosine = worst_difference = 0.0
    for clips in BATCHES:
        batch = {name: repeated(array, clips) for name, array in inputs.items()}
        for name, found in zip(names, session.run(names, batch)):
            expected = repeated(arrays["check_" + name], clips)
            if found.shape != expected.shape:
                return f"{path.name}: {name} has shape {found.shape}, expected {expected.shape}"
            found, expected = found.astype(float), expected.astype(float)
            lengths = numpy.linalg.norm(found, axis=1) * numpy.linalg.norm(expected, axis=1)
            cosine = 1 - (found * expected).sum(1) / lengths
            difference = abs(found - expected).max() / abs(expected).max()
            worst_cosine = max(worst_cosine, cosine.max())
            worst_difference = max(worst_difference, difference)
    print(
        f"{path.name}: largest difference {worst_difference:.1e} of the largest number, "
        f"cosine distance {worst_cosine:.1e}, {len(names)} outputs"
    )
    if worst_cosine > MOST_COSINE or worst_difference > MOST_DIFFERENCE:
        return f"{path.name} differs from offkey"
    return None


def main():
    paths = []
    for name in map(pathlib.Path, sys.argv[1:]):
        paths += sorted(name.glob("*.onnx")) if name.is_dir() else [name]
    if not paths:
        sys.exit("no ONNX files to check")
    problems = [problem for problem in map(check, paths) if problem]
    print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, {len(paths)} files")
    if problems:
        sys.exit("\n".join(problems))


main()

"""A peer's side of decoding, STFT and spectrum: seconds for all files together, in each repeat.

One thread, as on our side; prints one JSON object like `crates/signal/examples/peer_features.rs`.
"""

import argparse
import json
import time

WINDOW = 1024
HOP = 512


def with_scipy():
    import numpy as np
    import scipy.fft
    from scipy.io import wavfile
    from scipy.signal import get_window

    window = get_window("hann", WINDOW).astype(np.float32)

    def features(path):
        _, samples = wavfile.read(path)
        wave = samples.astype(np.float32) / 32768.0
        frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP]
        return np.abs(scipy.fft.rfft(frames * window)), np.abs(scipy.fft.rfft(wave)[:-1])

    return features


def with_torch():
    import soundfile
    import torch

    torch.set_num_threads(1)
    window = torch.hann_window(WINDOW)

    @torch.inference_mode()
    def features(path):
        wave = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
        frames = torch.stft(wave, WINDOW, HOP, window=window, center=False, return_complex=True)
        return frames.abs(), torch.fft.rfft(wave)[:-1].abs()

    return features


def with_librosa():
    import librosa
    import numpy as np

    def features(path):
        wave, _ = librosa.load(path, sr=None, mono=True)
        frames = librosa.stft(wave, n_fft=WINDOW, hop_length=HOP, window="hann", center=False)
        return np.abs(frames), np.abs(np.fft.rfft(wave)[:-1])

    return features


LIBRARIES = {"scipy": with_scipy, "torch": with_torch, "librosa": with_librosa}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", choices=sorted(LIBRARIES), required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    features = LIBRARIES[arguments.library]()
    seconds = []
    for _ in range(arguments.repeats + 1):
        start = time.perf_counter()
        for path in arguments.files:
            features(path)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"decode_stft_spectrum_s": seconds[1:]}))


if __name__ == "__main__":
    main()

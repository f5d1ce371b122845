"""The reference detector of `one_machine.py`, in numpy alone: the fusion F3, its members, and plain nearest neighbours.

Written from the definitions in docs, not from the Rust code, so that both can be compared. A clip is a mono
waveform of 16 kHz. `fit_score(normals, groups, tests)` returns one anomaly score per test clip and detector.
"""

import numpy as np

RATE_HZ, FFT, HOP, MELS = 16_000, 1024, 512, 128
LEAST_DEVIATION_DB = 0.3  # of a band over the references
LEAST_DEVIATION_NN_DB = 1.0
LEAST_SPREAD = 0.1  # of ln distances


def slaney_hz(mel):
    linear = 200.0 / 3.0 * mel
    log = 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0)
    return np.where(mel < 15.0, linear, log)


def slaney_mel(hz):
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, 15.0 + 27.0 * np.log(np.maximum(hz, 1e-9) / 1000.0) / np.log(6.4))


def mel_bands():
    """Area-normalised triangles, `[bands, bins]`."""
    edges = slaney_hz(np.linspace(0.0, slaney_mel(np.array(RATE_HZ / 2.0)), MELS + 2))
    bins = np.arange(FFT // 2 + 1) * RATE_HZ / FFT
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0.0, np.minimum(rise, fall)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]


BANDS = mel_bands()
WINDOW = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FFT) / FFT)


def power(wave):
    """Power spectrogram `[frames, bins]`, frames not centred."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, FFT)[::HOP]
    return np.abs(np.fft.rfft(frames * WINDOW, axis=1)) ** 2


def pooled(wave):
    """The pooled spectra of one clip, by name."""
    spectrum = power(np.asarray(wave, np.float64))
    mel = 10.0 * np.log10(spectrum @ BANDS.T + 1e-10)
    linear = 10.0 * np.log10(spectrum + 1e-10)
    ranked = np.sort(mel, axis=0)[::-1]
    weights = 0.5 ** np.arange(len(ranked))
    return {
        "mean": mel.mean(0),
        "mean_deviation": np.concatenate([mel.mean(0), mel.std(0)]),
        "loud": weights @ ranked / weights.sum(),
        "linear": np.concatenate([linear.mean(0), linear.std(0)]),
    }


def shrunk_mahalanobis(references):
    """A function from rows to distances."""
    centre = references.mean(0)
    scale = np.maximum(references.std(0), LEAST_DEVIATION_DB)
    x = (references - centre) / scale
    n, dims = x.shape
    covariance = x.T @ x / n
    mu = np.trace(covariance) / dims
    delta = ((covariance - mu * np.eye(dims)) ** 2).sum() / dims
    beta = ((x**2).sum(1) ** 2).sum() / n**2 / dims - (covariance**2).sum() / n / dims
    shrink = 0.0 if delta == 0 else min(max(beta, 0.0), delta) / delta
    shrunk = (1 - shrink) * covariance + (shrink * mu + 1e-3) * np.eye(dims)
    precision = np.linalg.inv(shrunk)

    def distance(rows):
        d = (rows - centre) / scale
        return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", d, precision, d), 0.0) / dims)

    return distance


def nearest(references):
    """A function from rows to the distance of the nearest reference, bands scaled by their deviation."""
    scale = np.maximum(references.std(0), LEAST_DEVIATION_NN_DB)
    x = references / scale
    return lambda rows: np.sqrt(((rows[:, None] / scale - x[None]) ** 2).mean(2)).min(1)


def held_out(fit, references, groups):
    """Distances of the references, each held out with its recording: one fold per recording up to ten."""
    names = sorted(set(groups))
    folds = min(len(names), 10)
    fold = np.array([names.index(group) % folds for group in groups])
    distances = np.empty(len(references))
    for k in range(folds):
        distances[fold == k] = fit(references[fold != k])(references[fold == k])
    return distances


def z_of(fit, references, groups, rows):
    """z of the ln distances of `rows`, or none where the held-out distances are constant."""
    normal = np.log(np.maximum(held_out(fit, references, groups), 1e-6))
    if np.ptp(normal) == 0.0:
        return None
    return (np.log(np.maximum(fit(references)(rows), 1e-6)) - np.median(normal)) / max(normal.std(), LEAST_SPREAD)


def fit_score(normals, groups, tests):
    """Scores of the test clips by every detector; `normals` and `tests` are lists of `pooled` results."""
    stack = lambda clips, name: np.array([clip[name] for clip in clips])
    members = {"A": "mean", "B": "mean_deviation", "C": "loud"}
    z = {m: z_of(shrunk_mahalanobis, stack(normals, f), groups, stack(tests, f)) for m, f in members.items()}
    z = {m: values for m, values in z.items() if values is not None}
    scores = dict(z)
    scores["F3"] = np.max(list(z.values()), axis=0)
    scores["mean of z"] = np.mean(list(z.values()), axis=0)
    for name, feature in (("log-mel 1-NN", "mean_deviation"), ("linear 1-NN", "linear")):
        scores[name] = nearest(stack(normals, feature))(stack(tests, feature))
    return scores

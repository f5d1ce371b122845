"""Makes one tiny file per audio dialect, with libsndfile (pip install numpy soundfile).

Channel c of every file is 0.5 sin(2 pi 100 (c + 1) n / rate), 400 frames.
"""
import numpy as np
import soundfile

FILES = [
    # name, format, subtype, channels, rate
    ("pcm_u8.wav", "WAV", "PCM_U8", 1, 16000),
    ("pcm_16.wav", "WAV", "PCM_16", 1, 16000),
    ("pcm_24.wav", "WAV", "PCM_24", 1, 16000),
    ("pcm_32.wav", "WAV", "PCM_32", 1, 16000),
    ("float_32.wav", "WAV", "FLOAT", 1, 16000),
    ("float_64.wav", "WAV", "DOUBLE", 1, 16000),
    ("extensible_16_2ch.wav", "WAVEX", "PCM_16", 2, 44100),
    ("extensible_24_8ch.wav", "WAVEX", "PCM_24", 8, 48000),
    ("extensible_float_4ch.wav", "WAVEX", "FLOAT", 4, 96000),
    ("rf64_16.wav", "RF64", "PCM_16", 1, 16000),
    ("rf64_float_2ch.wav", "RF64", "FLOAT", 2, 16000),
    ("alaw.wav", "WAV", "ALAW", 1, 8000),
    ("flac_8.flac", "FLAC", "PCM_S8", 1, 8000),
    ("flac_16.flac", "FLAC", "PCM_16", 1, 16000),
    ("flac_24_2ch.flac", "FLAC", "PCM_24", 2, 44100),
    ("flac_16_8ch.flac", "FLAC", "PCM_16", 8, 48000),
]

for name, container, subtype, channels, rate in FILES:
    n = np.arange(400)[:, None]
    wave = 0.5 * np.sin(2 * np.pi * 100 * (np.arange(channels) + 1) * n / rate)
    soundfile.write(name, wave, rate, format=container, subtype=subtype)

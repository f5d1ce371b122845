//! Features of one clip, on one core: 2, 10 and 18 seconds at 16 kHz.

use std::{hint::black_box, path::Path};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use offkey_signal::{DecodeConfig, LogMel, Stft, decode_bytes, resample, spectrum_into};

const RATE_HZ: u32 = 16_000;

fn clip(seconds: u32) -> Vec<f32> {
    (0..seconds * RATE_HZ)
        .map(|n| n as f32)
        .map(|n| 0.5 * (0.17 * n).sin() + 0.1 * (1.9 * n).cos())
        .collect()
}

/// A 16-bit WAV file in memory.
fn wav(samples: &[f32]) -> Vec<u8> {
    let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    bytes.extend(RATE_HZ.to_le_bytes());
    bytes.extend((2 * RATE_HZ).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data\xff\xff\xff\xff");
    bytes.extend(samples.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes()));
    bytes
}

fn features(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("features");
    for seconds in [2, 10, 18] {
        let samples = clip(seconds);
        let id = |name| BenchmarkId::new(name, format!("{seconds} s"));
        group.throughput(Throughput::Elements(u64::from(seconds)));
        let bytes = wav(&samples);
        group.bench_function(id("decode wav"), |bench| {
            bench.iter(|| decode_bytes(Path::new("clip"), bytes.clone(), &DecodeConfig::default()));
        });
        let stft = Stft::default();
        let mut rows = vec![0.0; stft.frames(samples.len()) * stft.bins()];
        group.bench_function(id("stft"), |bench| {
            bench.iter(|| stft.magnitude_into(black_box(&samples), &mut rows));
        });
        let mut bins = vec![0.0; samples.len() / 2];
        group.bench_function(id("spectrum"), |bench| {
            bench.iter(|| spectrum_into(black_box(&samples), &mut bins));
        });
        let mel = LogMel::default();
        group
            .bench_function(id("log mel"), |bench| bench.iter(|| mel.log_mel(black_box(&samples))));
        group.bench_function(id("resample 44100"), |bench| {
            bench.iter(|| resample(black_box(&samples), 44_100, RATE_HZ));
        });
    }
    group.finish();
}

criterion_group!(benches, features);
criterion_main!(benches);

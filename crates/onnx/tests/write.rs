//! Files for every architecture that recipes can ask for, with the check beside them. The numbers are
//! compared by a runtime, see `.ci/onnx`.

use std::{fs, path::Path};

use offkey_infer::{
    BranchConfig, ClipShape, Encoder, EncoderConfig, Magnitude, Model, SpectrumConfig,
    StatisticsConfig, StftConfig,
    pooled::{First, Gwrp, PooledConfig, Pooling, Rdp, Spectrogram},
    weights::{NamedTensor, NamedTensors},
};
use offkey_onnx::{Check, Input, Member, OnnxError, model};
use offkey_signal::{FramePadding, LogMel, LogScale, Stft};

/// Where files are left for a runtime, where one will look at them.
fn kept(name: &str, bytes: &[u8]) {
    if let Ok(folder) = std::env::var("OFFKEY_ONNX_FILES") {
        fs::write(Path::new(&folder).join(name), bytes).expect("a folder to write to");
    }
}

fn noise(index: usize) -> f32 {
    let mut x = (index as u32).wrapping_mul(0x9E37_79B1).wrapping_add(0x85EB_CA77);
    x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    (x ^ (x >> 16)) as f32 / 2.0_f32.powi(31) - 1.0
}

/// An encoder whose weights look random.
fn encoder(config: EncoderConfig) -> Encoder {
    let mut weights = NamedTensors::default();
    for (place, (name, shape)) in config.tensors().into_iter().enumerate() {
        let count: usize = shape.iter().product();
        let fan = (count / shape[0]).max(1) as f32;
        let (offset, factor) = match name.rsplit('.').next() {
            Some("gamma" | "running_variance") => (1.0, 0.3),
            Some("beta" | "running_mean" | "bias") => (0.0, 0.1),
            _ => (0.0, (3.0 / fan).sqrt()),
        };
        let values = (0..count).map(|i| offset + factor * noise(place * 7919 + i)).collect();
        weights.0.insert(name, NamedTensor { shape, values });
    }
    let bytes = weights.to_bytes(Path::new("weights"), None).expect("plain tensors");
    let card =
        offkey_infer::ModelCard::new(&config, toml::Table::new(), 2, offkey_core::Seed::new(1), 0);
    let card = toml::to_string(&card).expect("a card has string keys");
    Encoder::from_parts(&card, &bytes, offkey_infer::Compute::default()).expect("matching parts")
}

fn stft(window: usize, hop: usize) -> StftConfig {
    StftConfig { window, hop, stage_channels: vec![16, 32], dims: 24, ..StftConfig::default() }
}

fn small_spectrum() -> SpectrumConfig {
    SpectrumConfig { filters: 16, dense_layers: 2, dims: 20, ..SpectrumConfig::default() }
}

fn architectures() -> Vec<(&'static str, EncoderConfig)> {
    let base = EncoderConfig { clip_s: 1.5, ..EncoderConfig::default() };
    let both = |spectrum: SpectrumConfig, stft: StftConfig| {
        vec![BranchConfig::Spectrum(spectrum), BranchConfig::Stft(stft)]
    };
    let logarithms = both(
        SpectrumConfig { magnitude: Magnitude::Log, ..small_spectrum() },
        StftConfig { magnitude: Magnitude::Log, ..stft(512, 200) },
    );
    let several = vec![
        BranchConfig::Stft(StftConfig { stem_stride: 4, ..stft(256, 128) }),
        BranchConfig::Stft(StftConfig { subtract_mean: false, ..stft(1024, 1024) }),
        BranchConfig::Stft(StftConfig { stem_stride: 1, ..stft(4096, 2048) }),
    ];
    vec![
        ("paper", EncoderConfig::default()),
        ("logarithms", EncoderConfig { branches: logarithms, ..base.clone() }),
        ("several", EncoderConfig { branches: several, ..base.clone() }),
        (
            "bias",
            EncoderConfig {
                bias: true,
                batch_norm_affine: false,
                squeeze_excitation: true,
                branches: both(small_spectrum(), stft(1024, 512)),
                ..base
            },
        ),
    ]
}

fn write(name: &str, members: &[Member<'_>], clip: ClipShape) {
    for input in [Input::Waveform, Input::Features] {
        let about = [("offkey.recipe".to_owned(), name.to_owned())];
        let written = model(members, clip, input, &about).expect("a model that can be written");
        let check = Check::new(members, &written, clip).expect("clips of the model's shape");
        assert_eq!(check.clips(), 3);
        assert_eq!(written.outputs.len(), members.len());
        for (array, port) in check.inputs.iter().zip(&written.inputs) {
            assert_eq!(array.shape[1..], port.shape);
            assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
        }
        for array in &check.outputs {
            assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
            assert!(array.values.iter().all(|value| value.is_finite()));
        }
        // Where ONNX Runtime is at hand, it computes the same.
        #[cfg(feature = "onnx")]
        {
            let parity = check.parity(&written.bytes).expect("ONNX Runtime, see ORT_DYLIB_PATH");
            // Rounding measures 1e-5 and 1e-10; a wrong layer gives 1e-2 and more.
            assert!(parity.difference < 5e-5 && parity.cosine < 1e-6, "{name}: {parity:?}");
        }
        // The same model gives the same bytes.
        assert_eq!(model(members, clip, input, &about).ok().as_ref(), Some(&written));
        let file = format!("{name}-{}", input.name());
        kept(&format!("{file}.onnx"), &written.bytes);
        kept(&format!("{file}.npz"), &check.archive().expect("small arrays"));
    }
}

#[test]
fn every_architecture_is_written() {
    for (name, config) in architectures() {
        let clip = ClipShape { rate_hz: config.rate_hz, samples: config.clip_samples() };
        let own = Model::Network(Box::new(encoder(config)));
        write(name, &[Member { output: "embedding".to_owned(), model: &own }], clip);
    }
}

#[test]
fn every_pooling_and_statistic_is_written() {
    let clip = ClipShape { rate_hz: 16_000, samples: 24_000 };
    let log_mel = LogMel::default();
    let centred = LogMel {
        window: 400,
        fft: 512,
        hop: 160,
        mels: 40,
        padding: FramePadding::Centered,
        scale: LogScale::Ln,
        ..LogMel::default()
    };
    let poolings = [
        Pooling::Mean,
        Pooling::MeanDeviation,
        Pooling::Gwrp(Gwrp { r: 0.5, first: First::Loudest }),
        Pooling::Gwrp(Gwrp { r: 0.97, first: First::Quietest }),
        Pooling::Gwrp(Gwrp { r: 1.0, first: First::Loudest }),
        Pooling::Rdp(Rdp { g: 6.0 }),
    ];
    let spectrograms = [
        Spectrogram::default(),
        Spectrogram::LogMel(centred),
        Spectrogram::Linear(Stft { window: 512, hop: 256 }),
    ];
    let models: Vec<Model> = spectrograms
        .iter()
        .flat_map(|spectrogram| {
            let spectrogram = || spectrogram.clone();
            poolings
                .map(|pooling| Model::Pooled(PooledConfig { spectrogram: spectrogram(), pooling }))
        })
        .collect();
    let members = models
        .iter()
        .enumerate()
        .map(|(index, model)| Member { output: format!("embedding_{index}"), model });
    write("pooled", &members.collect::<Vec<_>>(), clip);
    let statistics = StatisticsConfig::LogMel(log_mel).unscaled();
    let model = &Model::Statistics(Box::new(statistics));
    write("statistics", &[Member { output: "embedding".to_owned(), model }], clip);
}

#[test]
fn a_clip_whose_length_is_prime_is_refused_with_the_reason() {
    let config = EncoderConfig {
        rate_hz: 16_001,
        clip_s: 1.0,
        branches: vec![BranchConfig::Spectrum(small_spectrum())],
        ..EncoderConfig::default()
    };
    let clip = ClipShape { rate_hz: 16_001, samples: config.clip_samples() };
    let own = Model::Network(Box::new(encoder(config)));
    let members = [Member { output: "embedding".to_owned(), model: &own }];
    let error = model(&members, clip, Input::Waveform, &[]).expect_err("no factors");
    assert!(matches!(error, OnnxError::Transform { length: 16_001, .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("--input features")));
    assert!(model(&members, clip, Input::Features, &[]).is_ok());
}

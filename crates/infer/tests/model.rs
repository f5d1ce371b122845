//! Laws of every kind of model: what is saved, or taken apart, embeds to the same bits.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use offkey_core::Seed;
use offkey_infer::{
    BranchConfig, ClipShape, ClipSource, Compute, Encoder, EncoderConfig, Model, ModelCard,
    ModelError, SourceError, SpectrumConfig, Statistics, StatisticsConfig, StftConfig,
    autoencoder::{Autoencoder, AutoencoderConfig},
    pooled::{PooledConfig, Pooling, Spectrogram},
    weights::{NamedTensor, NamedTensors},
    write_model,
};
use offkey_signal::LogMel;
use rand::RngExt;

const CLIP: ClipShape = ClipShape { rate_hz: 8000, samples: 4000 };

struct Noise;

impl ClipSource for Noise {
    fn len(&self) -> usize {
        5
    }

    fn wave(&self, index: usize, _seed: Seed) -> Result<Vec<f32>, SourceError> {
        let mut rng = Seed::new(6).child(index).rng();
        Ok((0..CLIP.samples).map(|_| rng.random_range(-1.0..1.0)).collect())
    }
}

fn waves() -> Vec<Vec<f32>> {
    (0..5).map(|clip| Noise.wave(clip, Seed::new(0)).unwrap()).collect()
}

/// Small random numbers for every tensor.
fn random(tensors: Vec<(String, Vec<usize>)>) -> NamedTensors {
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let mut rng = Seed::new(1).child(&name).rng();
        let count = shape.iter().product();
        let values = (0..count).map(|_| rng.random_range(0.01..0.2)).collect();
        (name, NamedTensor { shape, values })
    };
    NamedTensors(tensors.into_iter().map(tensor).collect())
}

fn encoder(bias: bool) -> EncoderConfig {
    let spectrum = SpectrumConfig {
        filters: 16,
        kernels: vec![32, 16],
        strides: vec![16, 8],
        dense_layers: 2,
        dims: 8,
        ..SpectrumConfig::default()
    };
    let stft = StftConfig {
        window: 128,
        hop: 64,
        stage_channels: vec![16, 16],
        dims: 6,
        ..StftConfig::default()
    };
    EncoderConfig {
        rate_hz: CLIP.rate_hz,
        clip_s: 0.5,
        branches: vec![BranchConfig::Spectrum(spectrum), BranchConfig::Stft(stft)],
        bias,
        squeeze_excitation: bias,
        ..EncoderConfig::default()
    }
}

fn network(bias: bool) -> Encoder {
    let folder = tempfile::tempdir().unwrap();
    let config = encoder(bias);
    let loss = toml::from_str("[adacos]\nscale = \"fixed\"\n").unwrap();
    let card = ModelCard::new(&config, loss, 3, Seed::new(1), 10);
    write_model(folder.path(), &card, &random(config.tensors())).unwrap();
    Encoder::load(folder.path(), Compute::default()).unwrap()
}

fn statistics() -> Statistics {
    let mel =
        LogMel { rate_hz: 8000, window: 256, fft: 256, hop: 128, mels: 16, ..LogMel::default() };
    StatisticsConfig::LogMel(mel).fit(&Noise, Seed::new(0)).unwrap()
}

fn autoencoder() -> Autoencoder {
    let config = AutoencoderConfig {
        log_mel: LogMel {
            rate_hz: 8000,
            window: 256,
            fft: 256,
            hop: 128,
            mels: 16,
            ..LogMel::default()
        },
        frames: 3,
        hidden: 8,
        hidden_layers: 2,
        waist: 4,
        ..AutoencoderConfig::default()
    };
    let frames: Vec<_> = waves().iter().map(|wave| config.spectrogram(0, wave).unwrap()).collect();
    let weights = random(config.tensors());
    let is_target = [false, false, true, true, true];
    Autoencoder::new(config, weights, &frames, &is_target)
}

/// Every kind, and how many numbers each makes of a clip.
fn every_kind() -> Vec<(Model, usize)> {
    let log_mel =
        LogMel { rate_hz: 8000, window: 256, fft: 256, hop: 128, mels: 16, ..LogMel::default() };
    let spectrogram = Spectrogram::LogMel(log_mel);
    vec![
        (Model::Pooled(PooledConfig { spectrogram, pooling: Pooling::Mean }), 16),
        (Model::Statistics(Box::new(statistics())), 32),
        (Model::Network(Box::new(network(false))), 14),
        (Model::Network(Box::new(network(true))), 14),
        (Model::Autoencoder(Box::new(autoencoder())), 3),
    ]
}

#[test]
fn every_kind_embeds_each_clip_to_its_dims_whatever_is_beside_it() {
    for (model, dims) in every_kind() {
        let embedded = model.embed(&waves()).unwrap();
        assert_eq!(embedded.dim(), (5, dims), "{model:?}");
        assert!(embedded.iter().all(|value| value.is_finite()));
        assert_ne!(embedded.row(0), embedded.row(1));
        let alone = model.embed(&waves()[3..4]).unwrap();
        assert_eq!(alone.row(0), embedded.row(3));
    }
}

#[test]
fn what_is_saved_or_taken_apart_embeds_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for bias in [false, true] {
        let (own, compute) = (network(bias), Compute::default());
        let (card, weights) = own.to_parts().unwrap();
        let joined = Encoder::from_parts(&card, &weights, compute).unwrap();
        assert_eq!(joined.embed(&waves()).unwrap(), own.embed(&waves()).unwrap());
        assert_eq!(joined.to_parts().unwrap(), (card, weights));
    }
    let own = statistics();
    own.save(&at("statistics")).unwrap();
    assert_eq!(Statistics::load(&at("statistics")).unwrap(), own);
    let own = autoencoder();
    let expected = own.embed(&waves()).unwrap();
    own.save(&at("autoencoder")).unwrap();
    let loaded = Autoencoder::load(&at("autoencoder")).unwrap();
    assert_eq!(loaded.embed(&waves()).unwrap(), expected);
    let bytes = own.to_bytes().unwrap();
    let joined = Autoencoder::from_bytes(own.config().clone(), &bytes).unwrap();
    assert_eq!(joined.embed(&waves()).unwrap(), expected);
    assert_eq!(joined.to_bytes().unwrap(), bytes);
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let (card, weights) = network(false).to_parts().unwrap();
    let (_, others) = network(true).to_parts().unwrap();
    let own = autoencoder();
    let bytes = own.to_bytes().unwrap();
    let encoder = |weights: &[u8]| Encoder::from_parts(&card, weights, Compute::default()).err();
    let joined = |bytes: &[u8]| Autoencoder::from_bytes(own.config().clone(), bytes).err();
    for error in [encoder(&others), encoder(&bytes), joined(&weights)] {
        assert!(matches!(error, Some(ModelError::Mismatch { .. })), "{error:?}");
    }
    for error in [encoder(&weights[..20]), joined(&bytes[..20])] {
        assert!(matches!(error, Some(ModelError::Damaged { .. })), "{error:?}");
    }
}

#[test]
fn a_wave_of_another_length_is_refused_by_a_network() {
    let error = network(false).embed(&[vec![0.0; 10]]).unwrap_err();
    assert!(matches!(error, ModelError::Shape { clip: 0, .. }), "{error}");
}

//! Laws of every kind of model: what is saved, or taken apart, embeds to the same bits.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use offkey_core::Seed;
use offkey_infer::{
    BranchConfig, ClipShape, ClipSource, Compute, Embed, EncoderConfig, Model, ModelCard,
    ModelError, ModelParts, SourceError, SpectrumConfig, StatisticsConfig, StftConfig,
    autoencoder::{Autoencoder, AutoencoderConfig},
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

fn network(bias: bool) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let config = encoder(bias);
    let loss = toml::from_str("[adacos]\nscale = \"fixed\"\n").unwrap();
    let card = ModelCard::new(&config, loss, 3, Seed::new(1), 10);
    write_model(folder.path(), &card, &random(config.tensors())).unwrap();
    Model::load(folder.path(), CLIP, Compute::default()).unwrap()
}

fn statistics() -> Model {
    let mel =
        LogMel { rate_hz: 8000, window: 256, fft: 256, hop: 128, mels: 16, ..LogMel::default() };
    let fitted = StatisticsConfig::LogMel(mel).fit(&Noise, Seed::new(0)).unwrap();
    Model::Statistics(fitted, CLIP)
}

fn autoencoder() -> Model {
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
    let fitted = Autoencoder::new(config, weights, &frames, &is_target);
    Model::Autoencoder(Box::new(fitted), CLIP)
}

fn every_kind() -> Vec<Model> {
    vec![network(false), network(true), statistics(), autoencoder()]
}

#[test]
fn every_kind_embeds_clips_of_its_shape_to_its_dims() {
    for model in every_kind() {
        let embedded = model.embed(&waves()).unwrap();
        assert_eq!(embedded.dim(), (5, model.dims()), "{model:?}");
        assert!(embedded.iter().all(|value| value.is_finite()));
        assert_ne!(embedded.row(0), embedded.row(1));
        assert_eq!((model.rate_hz(), model.clip_samples()), (CLIP.rate_hz, CLIP.samples));
        let alone = model.embed(&waves()[3..4]).unwrap();
        assert_eq!(alone.row(0), embedded.row(3));
    }
}

#[test]
fn every_kind_embeds_to_the_same_bits_from_its_parts_and_from_its_folder() {
    for model in every_kind() {
        let expected = model.embed(&waves()).unwrap();
        let parts = model.to_parts().unwrap();
        let joined = Model::from_parts(&parts, Compute::default()).unwrap();
        assert_eq!(joined.embed(&waves()).unwrap(), expected);
        assert_eq!(joined.clip(), model.clip());
        assert_eq!(joined.to_parts().unwrap(), parts);
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path()).unwrap();
        let loaded = Model::load(folder.path(), CLIP, Compute::default()).unwrap();
        assert_eq!(loaded.embed(&waves()).unwrap(), expected);
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let models = every_kind();
    let parts: Vec<ModelParts> = models.iter().map(|model| model.to_parts().unwrap()).collect();
    for (index, card) in parts.iter().enumerate() {
        let other = &parts[(index + 1) % parts.len()];
        let mixed = ModelParts { card: card.card.clone(), weights: other.weights.clone() };
        let error = Model::from_parts(&mixed, Compute::default()).unwrap_err();
        assert!(matches!(error, ModelError::Mismatch { .. }), "{error}");
        let cut = ModelParts { weights: card.weights[..20].to_vec(), ..card.clone() };
        let error = Model::from_parts(&cut, Compute::default()).unwrap_err();
        assert!(matches!(error, ModelError::Damaged { .. }), "{error}");
    }
    let unknown = ModelParts { card: "format = 1".to_owned(), ..parts[0].clone() };
    let error = Model::from_parts(&unknown, Compute::default()).unwrap_err();
    assert!(error.to_string().contains("names no kind of model"), "{error}");
}

#[test]
fn a_wave_of_another_length_is_refused_by_a_network() {
    let error = network(false).embed(&[vec![0.0; 10]]).unwrap_err();
    assert!(matches!(error, ModelError::Shape { clip: 0, .. }), "{error}");
}

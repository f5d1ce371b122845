//! Whether the sizes that a model file names can be believed, before anything is made of them.

use offkey_infer::{StatisticsConfig, pooled::Spectrogram};

use crate::{ModelCard, WindowRule};

/// Longest transform.
const MOST_FFT: usize = 1 << 20;
/// Most numbers of a filter bank, and of the spectrogram of a window: half a gigabyte.
const MOST_NUMBERS: usize = 1 << 27;
/// Most layers of an autoencoder on each side, and most numbers of one of its windows.
const MOST_LAYERS: usize = 64;
const MOST_INPUTS: usize = 1 << 16;

/// Refuses a member's model whose sizes contradict the file's array of `columns` columns, or its
/// windows, or are absurd. Sizes of networks are refused by their reader.
pub(crate) fn check(model: &ModelCard, columns: usize, rule: WindowRule) -> Result<(), String> {
    let (dims, spectrogram) = match model {
        ModelCard::Pooled(config) => (config.dims(), config.spectrogram.clone()),
        ModelCard::Statistics(statistics) => {
            if !statistics.is_sound() {
                return Err("the numbers of its statistics contradict each other".to_owned());
            }
            let spectrogram = match statistics.config() {
                StatisticsConfig::LogMel(log_mel) => Spectrogram::LogMel(log_mel.clone()),
                StatisticsConfig::Spectrogram(stft) => Spectrogram::Linear(*stft),
            };
            (statistics.dims(), spectrogram)
        }
        ModelCard::Autoencoder(config) => {
            let (frames, layers) = (config.frames, config.hidden_layers);
            if layers > MOST_LAYERS || frames.saturating_mul(config.log_mel.mels) > MOST_INPUTS {
                return Err(format!("its autoencoder has {frames} frames and {layers} layers"));
            }
            // How many scores it gives, its reader checks.
            (columns, Spectrogram::LogMel(config.log_mel.clone()))
        }
        ModelCard::Network(_) | ModelCard::Onnx(_) => return Ok(()),
    };
    if dims != columns {
        return Err(format!("its array has {columns} columns, and its model makes {dims}"));
    }
    let (window, hop, fft) = match &spectrogram {
        Spectrogram::LogMel(log_mel) => (log_mel.window, log_mel.hop, log_mel.fft),
        Spectrogram::Linear(stft) => (stft.window, stft.hop, stft.window),
    };
    let bands = spectrogram.bands();
    let frames = rule.samples.saturating_add(fft) / hop.max(1);
    let most = |count: usize| bands.saturating_mul(count) <= MOST_NUMBERS;
    if window == 0
        || hop == 0
        || window > rule.samples
        || fft > MOST_FFT
        || !most(fft)
        || !most(frames)
    {
        return Err(format!(
            "its spectrogram has windows of {window} samples, steps of {hop}, transforms of {fft} and {bands} bands"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use offkey_infer::{
        autoencoder::AutoencoderConfig,
        pooled::{PooledConfig, Pooling},
    };
    use offkey_signal::{ChannelRule, LogMel, Stft};

    use super::*;

    const RULE: WindowRule =
        WindowRule { channel: ChannelRule::Mix, rate_hz: 16_000, samples: 32_000, hop: 32_000 };

    fn pooled(spectrogram: Spectrogram) -> ModelCard {
        ModelCard::Pooled(PooledConfig { spectrogram, pooling: Pooling::Mean })
    }

    #[test]
    fn forged_sizes_are_refused() {
        let log_mel = LogMel::default();
        let sound = pooled(Spectrogram::LogMel(log_mel.clone()));
        assert_eq!(check(&sound, 128, RULE), Ok(()));
        assert!(check(&sound, 127, RULE).is_err(), "another array");
        let huge = 1_usize << 40;
        for forged in [
            LogMel { mels: huge, ..log_mel.clone() },
            LogMel { fft: huge, ..log_mel.clone() },
            LogMel { window: huge, ..log_mel.clone() },
            LogMel { window: 0, ..log_mel.clone() },
            LogMel { hop: 0, ..log_mel.clone() },
            LogMel { mels: 1 << 20, hop: 1, ..log_mel },
        ] {
            let columns = forged.mels;
            assert!(
                check(&pooled(Spectrogram::LogMel(forged.clone())), columns, RULE).is_err(),
                "{forged:?}"
            );
        }
        for (window, hop) in [(huge, 512), (1024, 0)] {
            let stft = Stft { window, hop };
            let columns = stft.bins();
            assert!(check(&pooled(Spectrogram::Linear(stft)), columns, RULE).is_err(), "{window}");
        }
        let autoencoder =
            |config: AutoencoderConfig| check(&ModelCard::Autoencoder(Box::new(config)), 3, RULE);
        let sound = AutoencoderConfig::default();
        assert_eq!(autoencoder(sound.clone()), Ok(()));
        assert!(autoencoder(AutoencoderConfig { hidden_layers: huge, ..sound.clone() }).is_err());
        assert!(autoencoder(AutoencoderConfig { frames: huge, ..sound }).is_err());
        let statistics =
            StatisticsConfig::LogMel(LogMel { mels: 8, ..LogMel::default() }).unscaled();
        let text = serde_json::to_string(&statistics)
            .expect("text")
            .replace("\"mels\":8", "\"mels\":1000000000");
        let forged: offkey_infer::Statistics = serde_json::from_str(&text).expect("its form");
        assert!(check(&ModelCard::Statistics(Box::new(statistics)), 16, RULE).is_ok());
        assert!(check(&ModelCard::Statistics(Box::new(forged)), 16, RULE).is_err());
    }
}

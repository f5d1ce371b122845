//! What a model listens to: rates it can judge at, codings it was learned from.

use offkey_signal::{AudioInfo, Codec};

use crate::{Monitor, WindowRule};

/// The highest rate that is listened at unless a recipe says otherwise: above it rates are alike.
const ENOUGH_HZ: u32 = 16_000;

/// What must be known of a model to hand it sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Listening {
    /// How recordings become windows.
    pub windows: WindowRule,
    /// Rates of the normal recordings; none: not known, and any rate is taken.
    pub rates_hz: Vec<u32>,
    /// Codings of the normal recordings; none: not known.
    pub codecs: Vec<Codec>,
}

impl Monitor {
    /// What a source must know to be listened to by this monitor.
    pub fn listening(&self) -> Listening {
        let card = self.card();
        let mut codecs: Vec<Codec> = card.recordings.iter().filter_map(|r| r.codec).collect();
        codecs.sort_unstable();
        codecs.dedup();
        Listening { windows: card.windows, rates_hz: card.rates_hz.clone(), codecs }
    }
}

impl Listening {
    /// Sound of any rate and coding, as windows of this form: there is no model yet.
    pub fn of_any(windows: WindowRule) -> Self {
        Self { windows, rates_hz: Vec::new(), codecs: Vec::new() }
    }

    /// Whether a recording of this rate can be judged: it holds the frequencies that the normal
    /// recordings hold, no fewer and no more. Above the model's rate nothing is heard, so that all
    /// higher rates are alike.
    pub fn takes(&self, rate_hz: u32) -> bool {
        let heard = |rate_hz: u32| rate_hz.min(self.windows.rate_hz);
        self.rates_hz.is_empty()
            || self.rates_hz.iter().any(|&known| heard(known) == heard(rate_hz))
    }

    /// Why a recording of this rate cannot be judged, where it cannot.
    pub fn refusal(&self, rate_hz: u32) -> Option<String> {
        if self.takes(rate_hz) {
            return None;
        }
        let known = or(self.rates_hz.iter().map(|rate| format!("{rate} Hz")));
        let (below, least) = (rate_hz / 2, self.rates_hz.iter().min().copied().unwrap_or(0) / 2);
        Some(if below < least {
            format!(
                "recorded at {rate_hz} Hz, it holds nothing above {below} Hz, and the normal recordings ({known}) do: \
                 record alike, or learn again from recordings of this rate"
            )
        } else {
            format!(
                "recorded at {rate_hz} Hz, and the normal recordings at {known}: record alike, or learn again from \
                 recordings of this rate"
            )
        })
    }

    /// What a watch says of a whole recording, or of a stream that has ended, in which not even one
    /// window was heard.
    pub(crate) fn left_out(&self, name: &str, samples: u64) -> Option<String> {
        let is_short = samples < self.windows.samples as u64;
        is_short.then(|| format!("left out: `{name}`: it {}", self.windows.too_short(samples)))
    }

    /// What the normal recordings do not share, and what follows from it.
    pub(crate) fn mixed(&self) -> Vec<String> {
        let mut found = Vec::new();
        let model_hz = self.windows.rate_hz;
        if let (Some(&least), Some(&most)) =
            (self.rates_hz.iter().min(), self.rates_hz.iter().max())
            && least <= model_hz
            && least < most.min(ENOUGH_HZ)
        {
            found.push(format!(
                "some recordings have only {least} Hz: nothing above {} Hz is heard of any. Leave them out to hear more",
                least / 2
            ));
        }
        if self.codecs.iter().any(|codec| !self.codecs[0].is_like(*codec)) {
            let all = or(self.codecs.iter().map(ToString::to_string));
            found.push(format!(
                "the recordings are coded as {all}: what differs between these counts as normal, and a fault has to be \
                 more unusual than that to alarm"
            ));
        }
        found
    }

    /// How a recording that can be judged differs from those learned from before it is heard, where it
    /// does: what alarms may be that.
    pub fn difference(&self, info: &AudioInfo) -> Option<String> {
        if self.rates_hz.is_empty() {
            return None;
        }
        let mut found = Vec::new();
        if !self.codecs.iter().any(|&known| known.is_like(info.codec)) {
            let coded = info.codec;
            if !self.codecs.is_empty() {
                let known = or(self.codecs.iter().map(ToString::to_string));
                found.push(format!("coded as {coded}, and the normal recordings as {known}"));
            } else if !coded.is_like(Codec::Integer(16)) {
                let unknown = "how the normal recordings were coded is not known";
                found.push(format!("coded as {coded}, and {unknown}"));
            }
        }
        if !self.rates_hz.contains(&info.rate_hz) {
            let known = or(self.rates_hz.iter().map(|rate| format!("{rate} Hz")));
            found.push(format!(
                "converted from {} Hz, and the normal recordings have {known}",
                info.rate_hz
            ));
        }
        (!found.is_empty()).then(|| format!("it is {}", found.join("; it is ")))
    }
}

fn or(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use offkey_signal::{ChannelRule, Container};

    use super::*;

    fn listening(rates_hz: &[u32], codecs: &[Codec]) -> Listening {
        let windows =
            WindowRule { channel: ChannelRule::Mix, rate_hz: 16_000, samples: 16_000, hop: 16_000 };
        Listening { windows, rates_hz: rates_hz.to_vec(), codecs: codecs.to_vec() }
    }

    fn info(rate_hz: u32, codec: Codec) -> AudioInfo {
        AudioInfo { rate_hz, channels: 1, frames: 0, container: Container::Wav, codec }
    }

    #[test]
    fn a_rate_is_taken_that_holds_what_the_normal_recordings_hold() {
        let wide = listening(&[16_000], &[]);
        for (rate_hz, taken) in [(16_000, true), (48_000, true), (384_000, true), (8_000, false)] {
            assert_eq!(wide.takes(rate_hz), taken, "{rate_hz}");
            assert_eq!(wide.refusal(rate_hz).is_none(), taken);
        }
        let refusal = wide.refusal(8_000).expect("a sentence");
        assert!(refusal.contains("nothing above 4000 Hz"), "{refusal}");
        assert!(listening(&[44_100, 48_000], &[]).takes(16_000));
        // Recordings of 8 kHz in a model of 16 kHz: what lies above 4 kHz would alarm.
        let narrow = listening(&[8_000], &[]);
        assert!(narrow.takes(8_000) && !narrow.takes(16_000) && !narrow.takes(11_025));
    }

    #[test]
    fn another_coding_and_another_rate_are_said() {
        let wav = listening(&[16_000], &[Codec::Integer(16), Codec::Flac(16)]);
        assert_eq!(wav.difference(&info(16_000, Codec::Integer(24))), None);
        let told = wav.difference(&info(16_000, Codec::Mp3)).expect("another coding");
        assert_eq!(told, "it is coded as MP3, and the normal recordings as 16-bit or FLAC 16-bit");
        let told = wav.difference(&info(16_000, Codec::ALaw)).expect("another coding");
        assert!(told.contains("coded as A-law"), "{told}");
        let told = wav.difference(&info(48_000, Codec::Aac)).expect("both");
        assert!(told.contains("AAC") && told.contains("converted from 48000 Hz"), "{told}");
        let mp3 = listening(&[16_000], &[Codec::Mp3]);
        assert_eq!(mp3.difference(&info(16_000, Codec::Mp3)), None);
        assert!(mp3.difference(&info(16_000, Codec::Integer(16))).is_some());
        let unknown = listening(&[16_000], &[]);
        assert_eq!(unknown.difference(&info(16_000, Codec::Integer(16))), None);
        let told = unknown.difference(&info(16_000, Codec::Vorbis)).expect("lossy");
        assert!(told.contains("not known"), "{told}");
    }
}

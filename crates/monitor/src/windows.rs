//! Recordings cut into windows of the model's length, whether they come as files or as they happen.

use std::path::{Path, PathBuf};

use offkey_signal::{
    AudioError, ChannelRule, ClipReader, Codec, DecodeConfig, Finding, InspectConfig, inspect_clip,
};
use serde::{Deserialize, Serialize};

use crate::{MonitorError, Stop};

/// Longest window, in seconds, and highest rate that a file is believed.
const LONGEST_WINDOW_S: f64 = 3600.0;
pub(crate) const HIGHEST_RATE_HZ: u32 = 1_000_000;
/// Most samples from one window to the next: a day at the highest rate.
const LONGEST_HOP: u64 = 86_400_000_000;

/// How recordings become windows; stored in the model, so that later recordings are treated alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowRule {
    /// Which channel is heard.
    pub channel: ChannelRule,
    /// Rate the model works at; recordings of a higher rate are converted.
    pub rate_hz: u32,
    /// Samples of a window.
    pub samples: usize,
    /// Samples between the starts of neighbouring windows.
    pub hop: usize,
}

/// One window of one recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowRef {
    /// The recording.
    #[serde(with = "offkey_core::paths")]
    pub path: PathBuf,
    /// First sample, at the model's rate.
    pub start: u64,
}

/// Cuts a stream of samples into windows; holds no more than one window and its hop.
#[derive(Debug, Clone)]
pub struct Windower {
    rule: WindowRule,
    buffer: Vec<f32>,
    /// Position of the buffer's first sample in the stream.
    begin: u64,
    /// Position of the next window's first sample.
    next: u64,
}

impl WindowRule {
    /// How recordings are decoded under this rule.
    pub fn decode_config(&self) -> DecodeConfig {
        DecodeConfig { channel: self.channel, rate_hz: Some(self.rate_hz) }
    }

    /// Position in seconds of a sample.
    pub fn seconds(&self, sample: u64) -> f64 {
        sample as f64 / f64::from(self.rate_hz)
    }

    /// That a recording of so many samples is shorter than a window, with as many decimals as tell the two apart.
    pub fn too_short(&self, samples: u64) -> String {
        let (found, needed) = (self.seconds(samples), self.seconds(self.samples as u64));
        let shown =
            |decimals: usize| [found, needed].map(|seconds| format!("{seconds:.decimals$}"));
        let [found, needed] =
            (1..6).map(shown).find(|[found, needed]| found != needed).unwrap_or_else(|| shown(6));
        format!("lasts {found} s, and the model needs {needed} s")
    }

    /// Whether a model can have it: windows of at most an hour, and each begins a thousandth of a window after
    /// the one before at least.
    pub fn is_usable(&self) -> bool {
        let most = (f64::from(self.rate_hz) * LONGEST_WINDOW_S) as usize;
        (1..=HIGHEST_RATE_HZ).contains(&self.rate_hz)
            && (1..=most).contains(&self.samples)
            && self.hop > 0
            && self.hop >= self.samples.div_ceil(1000)
            && self.hop as u64 <= LONGEST_HOP
    }

    /// Samples at the end of a recording that fill no window, of one that has any.
    pub(crate) fn rest(&self, samples: u64) -> u64 {
        let last = self.starts(samples).last().map_or(0, |start| start + self.samples as u64);
        samples.saturating_sub(last)
    }

    /// Starts of the windows that a recording of so many samples has.
    pub fn starts(&self, samples: u64) -> impl Iterator<Item = u64> {
        let windows =
            samples.checked_sub(self.samples as u64).map(|rest| rest / self.hop as u64 + 1);
        let hop = self.hop as u64;
        (0..windows.unwrap_or(0)).map(move |index| index * hop)
    }
}

impl Windower {
    /// A cutter at position `begin` of a stream; the first window starts there.
    pub fn new(rule: WindowRule, begin: u64) -> Self {
        Self { rule, buffer: Vec::new(), begin, next: begin }
    }

    /// Takes the next samples and calls `on_window` with start and samples of every window they
    /// complete.
    ///
    /// # Errors
    /// The first error of `on_window`; the windower has then moved past that window.
    pub fn push<E>(
        &mut self,
        samples: &[f32],
        mut on_window: impl FnMut(u64, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.buffer.extend_from_slice(samples);
        loop {
            let offset = (self.next - self.begin) as usize;
            if offset >= self.buffer.len() {
                self.begin += self.buffer.len() as u64;
                self.buffer.clear();
                return Ok(());
            }
            self.buffer.drain(..offset);
            self.begin = self.next;
            let Some(window) = self.buffer.get(..self.rule.samples) else { return Ok(()) };
            self.next += self.rule.hop as u64;
            on_window(self.begin, window)?;
        }
    }
}

/// What became of reading a recording.
#[derive(Debug)]
pub struct ReadRecording {
    /// How its samples are coded.
    pub codec: Codec,
    /// Samples given, at the rate they were given at.
    pub samples: u64,
    /// What is wrong with the recording from some place on, where something is: what lies before was
    /// given.
    pub damage: Option<AudioError>,
}

/// Calls `on_window` with start and samples of every window of a recording, in bounded memory.
///
/// # Errors
/// [`MonitorError::Audio`] when the recording cannot be opened, [`MonitorError::Cancelled`] once `stop` says so, or
/// the error of `on_window`.
pub fn each_window(
    path: &Path,
    rule: WindowRule,
    stop: Stop<'_>,
    mut on_window: impl FnMut(u64, &[f32]) -> Result<(), MonitorError>,
) -> Result<ReadRecording, MonitorError> {
    let mut windower = Windower::new(rule, 0);
    each_block(path, rule, stop, |block| {
        windower.push(block, |start, window| {
            go_on(stop)?;
            on_window(start, window)
        })
    })
}

/// An error once somebody wishes to stop.
pub(crate) fn go_on(stop: Stop<'_>) -> Result<(), MonitorError> {
    if stop() { Err(MonitorError::Cancelled) } else { Ok(()) }
}

/// Calls `on_block` with the samples of a recording, one block after the other, until `stop` says so: it is asked
/// before every block, since a recording may last for hours.
pub(crate) fn each_block(
    path: &Path,
    rule: WindowRule,
    stop: Stop<'_>,
    mut on_block: impl FnMut(&[f32]) -> Result<(), MonitorError>,
) -> Result<ReadRecording, MonitorError> {
    let mut reader = ClipReader::open_uncounted(path, &rule.decode_config())?;
    let (codec, mut samples) = (reader.info().codec, 0);
    let mut block = Vec::new();
    loop {
        go_on(stop)?;
        block.clear();
        // What was read before an error is heard first.
        let more = reader.read_block(&mut block);
        on_block(&block)?;
        samples += block.len() as u64;
        match more {
            Ok(true) => {}
            Ok(false) => return Ok(ReadRecording { codec, samples, damage: None }),
            Err(error) => return Ok(ReadRecording { codec, samples, damage: Some(error) }),
        }
    }
}

/// That the channels of a recording cancel each other in their mean, in words, where they do: it is
/// then silent, though no microphone is broken.
pub fn channels_cancel(path: &Path, rule: WindowRule) -> Option<String> {
    const MOST_S: f64 = 600.0;
    let limits = InspectConfig::default();
    let (findings, _) = inspect_clip(path, &rule.decode_config(), MOST_S, &limits).ok()?;
    let cancel = |finding: &&Finding| matches!(finding, Finding::ChannelsCancel { .. });
    findings.iter().find(cancel).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn rule(samples: usize, hop: usize) -> WindowRule {
        WindowRule { channel: ChannelRule::Mix, rate_hz: 16_000, samples, hop }
    }

    proptest! {
        #[test]
        fn windows_do_not_depend_on_how_the_stream_is_chunked(
            samples in 1usize..40, hop in 1usize..60, total in 0usize..400, chunk in 1usize..50,
        ) {
            let stream: Vec<f32> = (0..total).map(|i| i as f32).collect();
            let rule = rule(samples, hop);
            let mut windower = Windower::new(rule, 0);
            let mut found = Vec::new();
            for part in stream.chunks(chunk) {
                let Ok(()) = windower.push(part, |start, window| {
                    found.push((start, window.to_vec()));
                    Ok::<(), Infallible>(())
                });
            }
            let expected: Vec<(u64, Vec<f32>)> = rule
                .starts(total as u64)
                .map(|start| (start, stream[start as usize..start as usize + samples].to_vec()))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_recording_that_lacks_a_sample_is_told_apart_from_a_window() {
        let rule = rule(160_000, 160_000);
        assert_eq!(rule.too_short(48_000), "lasts 3.0 s, and the model needs 10.0 s");
        assert_eq!(rule.too_short(159_999), "lasts 9.9999 s, and the model needs 10.0000 s");
    }

    #[test]
    fn a_recording_shorter_than_a_window_has_none() {
        assert_eq!(rule(10, 5).starts(9).count(), 0);
        assert_eq!(rule(10, 5).starts(15).collect::<Vec<_>>(), [0, 5]);
    }
}

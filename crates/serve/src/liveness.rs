//! Whether a source still brings the sound of its machine: stalled, ended, silent, clipped, or another
//! microphone. Each is told when it begins and when it is over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// When a source counts as dead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LivenessRule {
    /// No sound for so long; none: sound may come whenever it likes.
    pub stalled_after_ms: Option<u64>,
    /// Digital silence for so long.
    pub silent_after_ms: u64,
    /// Clipping in a share of samples...
    pub clipped_share: f64,
    /// ...for so long.
    pub clipped_after_ms: u64,
    /// Windows in a row of which nothing can be told.
    pub unlike_windows: usize,
}

/// What is wrong with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// No sound comes, though nothing says that the source is over.
    Stalled,
    /// The source ended or cannot be read.
    Ended,
    /// Only digital silence comes.
    Silent,
    /// Most loud samples are cut off.
    Clipped,
    /// What comes does not sound like this machine through this microphone.
    OtherMicrophone,
}

/// A trouble that begins or is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubleChange {
    /// Which.
    pub trouble: Trouble,
    /// Whether it begins.
    pub begins: bool,
    /// Why, in a sentence.
    pub reason: String,
}

/// What a stretch of sound was like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SoundStats {
    /// Its length.
    pub ms: u64,
    /// Largest sample.
    pub peak: f32,
    /// Root mean square, in decibels relative to full scale.
    pub level_db: f32,
    /// Share of samples at full scale.
    pub clipped_share: f64,
}

/// What is wrong with a source at present, with what the rules need of the past.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liveness {
    troubles: BTreeMap<Trouble, String>,
    without_sound_ms: u64,
    silent_ms: u64,
    clipped_ms: u64,
    clean_ms: u64,
    unlike: usize,
    /// How long ago the source was lost, each time within the last hour, in milliseconds.
    #[serde(default)]
    lost_ago_ms: Vec<u64>,
    /// Sound since the source was lost.
    #[serde(default)]
    settled_ms: u64,
}

/// Losses of the source within [`FLAPPING_MS`] that are told one by one; more of them are one trouble.
const MOST_LOSSES: usize = 5;
const FLAPPING_MS: u64 = 3_600_000;
/// Sound without a break that ends the trouble of a source that comes and goes.
const SETTLED_MS: u64 = 300_000;
/// Samples from here on are at full scale.
const FULL_SCALE: f32 = 0.999;
/// Largest sample of digital silence: the last bit of 16.
const SILENCE: f32 = 1.5 / 32_768.0;
/// The level of silence, which has no logarithm.
const LEAST_DB: f32 = -120.0;

impl SoundStats {
    /// Measures samples.
    pub fn of(samples: &[f32], rate_hz: u32) -> Self {
        let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let count = samples.len().max(1) as f64;
        let square: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        let level_db = (10.0 * (square / count).log10()) as f32;
        let clipped = samples.iter().filter(|sample| sample.abs() >= FULL_SCALE).count();
        Self {
            ms: 1000 * samples.len() as u64 / u64::from(rate_hz.max(1)),
            peak,
            level_db: if level_db.is_finite() { level_db.max(LEAST_DB) } else { LEAST_DB },
            clipped_share: clipped as f64 / count,
        }
    }
}

impl Trouble {
    /// Its name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stalled => "stalled",
            Self::Ended => "ended",
            Self::Silent => "silent",
            Self::Clipped => "clipped",
            Self::OtherMicrophone => "other_microphone",
        }
    }
}

impl Liveness {
    /// What is wrong at present, with the reason.
    pub fn troubles(&self) -> &BTreeMap<Trouble, String> {
        &self.troubles
    }

    /// Sound came.
    pub fn sound(&mut self, rule: &LivenessRule, stats: &SoundStats) -> Vec<TroubleChange> {
        let mut changes = Vec::new();
        self.without_sound_ms = 0;
        self.settled_ms = self.settled_ms.saturating_add(stats.ms);
        if self.is_settled() {
            changes.extend(self.over(Trouble::Stalled, "sound comes again"));
            changes.extend(self.over(Trouble::Ended, "the source is back"));
        }
        if stats.peak <= SILENCE {
            self.silent_ms = self.silent_ms.saturating_add(stats.ms);
            if self.silent_ms >= rule.silent_after_ms {
                let why = format!(
                    "digital silence for {} s: check the microphone and its cable",
                    seconds(self.silent_ms)
                );
                changes.extend(self.begins(Trouble::Silent, why));
            }
        } else {
            self.silent_ms = 0;
            changes.extend(self.over(Trouble::Silent, "there is sound again"));
        }
        if stats.clipped_share > rule.clipped_share {
            self.clean_ms = 0;
            self.clipped_ms = self.clipped_ms.saturating_add(stats.ms);
            if self.clipped_ms >= rule.clipped_after_ms {
                let share = 100.0 * stats.clipped_share;
                let why =
                    format!("{share:.1} % of samples are cut off: lower the microphone's gain");
                changes.extend(self.begins(Trouble::Clipped, why));
            }
        } else {
            self.clean_ms = self.clean_ms.saturating_add(stats.ms);
            if self.clean_ms >= rule.clipped_after_ms {
                self.clipped_ms = 0;
                changes.extend(self.over(Trouble::Clipped, "samples are no longer cut off"));
            }
        }
        changes
    }

    /// A window was judged: whether nothing can be told of it, and why.
    pub fn window(&mut self, rule: &LivenessRule, unlike: Option<&str>) -> Vec<TroubleChange> {
        let Some(why) = unlike else {
            self.unlike = 0;
            return self
                .over(Trouble::OtherMicrophone, "the machine is heard again")
                .into_iter()
                .collect();
        };
        self.unlike += 1;
        // Silence and clipping have names of their own.
        let named = self.silent_ms > 0 || self.clipped_ms > 0;
        if self.unlike < rule.unlike_windows.max(1) || named {
            return Vec::new();
        }
        self.begins(Trouble::OtherMicrophone, why.to_owned()).into_iter().collect()
    }

    /// The source ended, or cannot be read.
    pub fn ended(&mut self, why: &str) -> Vec<TroubleChange> {
        self.without_sound_ms = 0;
        let why = self.lost(why);
        let stalled = self.over(Trouble::Stalled, "the source ended");
        stalled.into_iter().chain(self.begins(Trouble::Ended, why)).collect()
    }

    /// The source can be read again, though it may have nothing to say yet.
    pub fn back(&mut self) -> Vec<TroubleChange> {
        if !self.is_settled() {
            return Vec::new();
        }
        self.over(Trouble::Ended, "the source is back").into_iter().collect()
    }

    /// Time passes without sound.
    pub fn tick(&mut self, rule: &LivenessRule, passed_ms: u64) -> Vec<TroubleChange> {
        self.without_sound_ms = self.without_sound_ms.saturating_add(passed_ms);
        for ago_ms in &mut self.lost_ago_ms {
            *ago_ms = ago_ms.saturating_add(passed_ms);
        }
        self.lost_ago_ms.retain(|ago_ms| *ago_ms < FLAPPING_MS);
        let Some(after) = rule.stalled_after_ms else {
            return self.over(Trouble::Stalled, "no rule any more").into_iter().collect();
        };
        if self.without_sound_ms < after || self.troubles.contains_key(&Trouble::Ended) {
            return Vec::new();
        }
        if self.troubles.contains_key(&Trouble::Stalled) {
            self.settled_ms = 0;
            return Vec::new();
        }
        let why = self.lost(&format!("no sound for {} s", seconds(self.without_sound_ms)));
        self.begins(Trouble::Stalled, why).into_iter().collect()
    }

    /// The source was lost: why, with what follows from its doing so often.
    fn lost(&mut self, why: &str) -> String {
        self.settled_ms = 0;
        self.lost_ago_ms.push(0);
        let excess = self.lost_ago_ms.len().saturating_sub(2 * MOST_LOSSES);
        self.lost_ago_ms.drain(..excess);
        if self.lost_ago_ms.len() <= MOST_LOSSES {
            return why.to_owned();
        }
        let minutes = SETTLED_MS / 60_000;
        format!("{why}; it comes and goes, and counts as back after {minutes} minutes of sound")
    }

    /// Whether sound that comes means that the source is back.
    fn is_settled(&self) -> bool {
        self.lost_ago_ms.len() <= MOST_LOSSES || self.settled_ms >= SETTLED_MS
    }

    fn begins(&mut self, trouble: Trouble, reason: String) -> Option<TroubleChange> {
        if self.troubles.contains_key(&trouble) {
            return None;
        }
        self.troubles.insert(trouble, reason.clone());
        Some(TroubleChange { trouble, begins: true, reason })
    }

    fn over(&mut self, trouble: Trouble, reason: &str) -> Option<TroubleChange> {
        self.troubles.remove(&trouble)?;
        Some(TroubleChange { trouble, begins: false, reason: reason.to_owned() })
    }
}

fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: LivenessRule = LivenessRule {
        stalled_after_ms: Some(5000),
        silent_after_ms: 3000,
        clipped_share: 0.01,
        clipped_after_ms: 2000,
        unlike_windows: 3,
    };

    fn second(peak: f32, clipped_share: f64) -> SoundStats {
        SoundStats { ms: 1000, peak, level_db: -20.0, clipped_share }
    }

    fn names(changes: Vec<TroubleChange>) -> Vec<(Trouble, bool)> {
        changes.into_iter().map(|change| (change.trouble, change.begins)).collect()
    }

    #[test]
    fn a_stall_is_told_once_and_so_is_its_end() {
        let mut liveness = Liveness::default();
        assert_eq!(names(liveness.tick(&RULE, 4999)), []);
        assert_eq!(names(liveness.tick(&RULE, 1)), [(Trouble::Stalled, true)]);
        assert_eq!(names(liveness.tick(&RULE, 100_000)), []);
        assert_eq!(names(liveness.sound(&RULE, &second(0.5, 0.0))), [(Trouble::Stalled, false)]);
    }

    #[test]
    fn a_source_that_ended_is_not_stalled_as_well() {
        let mut liveness = Liveness::default();
        assert_eq!(names(liveness.ended("exit status 0")), [(Trouble::Ended, true)]);
        assert_eq!(names(liveness.tick(&RULE, 100_000)), []);
        assert_eq!(names(liveness.back()), [(Trouble::Ended, false)]);
    }

    #[test]
    fn silence_is_told_within_its_time() {
        let mut liveness = Liveness::default();
        let told: Vec<_> =
            (0..5).map(|_| names(liveness.sound(&RULE, &second(0.0, 0.0))).len()).collect();
        assert_eq!(told, [0, 0, 1, 0, 0]);
        assert_eq!(names(liveness.sound(&RULE, &second(0.1, 0.0))), [(Trouble::Silent, false)]);
    }

    #[test]
    fn clipping_ends_when_it_has_been_clean_for_as_long() {
        let mut liveness = Liveness::default();
        let mut told = Vec::new();
        for share in [0.1, 0.1, 0.0, 0.1, 0.0, 0.0] {
            told.extend(names(liveness.sound(&RULE, &second(1.0, share))));
        }
        assert_eq!(told, [(Trouble::Clipped, true), (Trouble::Clipped, false)]);
    }

    #[test]
    fn another_microphone_is_told_unless_it_is_silence() {
        let mut liveness = Liveness::default();
        let told: Vec<_> =
            (0..4).flat_map(|_| names(liveness.window(&RULE, Some("quieter")))).collect();
        assert_eq!(told, [(Trouble::OtherMicrophone, true)]);
        assert_eq!(names(liveness.window(&RULE, None)), [(Trouble::OtherMicrophone, false)]);
        let mut silent = Liveness::default();
        silent.sound(&RULE, &second(0.0, 0.0));
        assert!((0..9).all(|_| silent.window(&RULE, Some("silent")).is_empty()));
    }

    #[test]
    fn a_source_that_comes_and_goes_does_not_call_people_each_time() {
        let mut liveness = Liveness::default();
        let mut told = Vec::new();
        for _ in 0..100 {
            told.extend(liveness.ended("broken"));
            told.extend(liveness.tick(&RULE, 1000));
            told.extend(liveness.sound(&RULE, &second(0.1, 0.0)));
        }
        assert_eq!(told.len(), 2 * MOST_LOSSES + 1, "{told:?}");
        assert!(
            told.last().is_some_and(|last| last.begins && last.reason.contains("comes and goes"))
        );
        let settled: Vec<_> = (0..SETTLED_MS / 1000)
            .flat_map(|_| names(liveness.sound(&RULE, &second(0.1, 0.0))))
            .collect();
        assert_eq!(settled, [(Trouble::Ended, false)]);
        // An hour later it is told as before.
        liveness.tick(&LivenessRule { stalled_after_ms: None, ..RULE }, FLAPPING_MS);
        liveness.ended("broken");
        assert_eq!(names(liveness.sound(&RULE, &second(0.1, 0.0))), [(Trouble::Ended, false)]);
    }

    #[test]
    fn samples_are_measured() {
        let stats = SoundStats::of(&[1.0, -1.0, 0.0, 0.0], 4);
        assert_eq!((stats.ms, stats.peak, stats.clipped_share), (1000, 1.0, 0.5));
        assert!((stats.level_db + 3.01).abs() < 0.01);
        assert_eq!(SoundStats::of(&[], 16_000).level_db.to_bits(), LEAST_DB.to_bits());
    }
}

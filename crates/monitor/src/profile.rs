//! What the normal recordings sound like band by band: to tell a broken microphone from a broken
//! machine, and to say in which band a window differs.

use offkey_core::stats::Sorted;
use offkey_signal::{Finding, InspectConfig, Waveform, inspect_samples};
use serde::{Deserialize, Serialize};

use crate::Problem;

/// Level of every mel band over the normal windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    rate_hz: u32,
    /// Mean level of each band, in decibels.
    mean_db: Vec<f32>,
    /// Deviation of each band's level between windows, in decibels.
    deviation_db: Vec<f32>,
    /// Level of each band in the window where it is quietest, in decibels.
    least_db: Vec<f32>,
    /// Quietest and loudest normal window, root mean square in decibels relative to full scale.
    level_db: [f32; 2],
    /// Largest distance of a normal window from the mean, in deviations averaged over bands.
    farthest: f32,
}

/// The band in which a window differs most from normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BandChange {
    /// Lower edge.
    pub low_hz: f32,
    /// Upper edge.
    pub high_hz: f32,
    /// Level above normal; negative below.
    pub change_db: f32,
}

/// A window this far outside the normal range of levels was not recorded alike.
const LEVEL_MARGIN_DB: f32 = 20.0;
/// A window this many times farther from normal than the farthest normal window is of something else.
const FAR_FACTOR: f32 = 6.0;
/// ...and at least this many deviations away on average, so that very uniform sets do not refuse
/// every fault.
const FAR_LEAST: f32 = 12.0;
/// A band this far below its quietest normal level lacks the machine...
const ABSENT_DB: f32 = 6.0;
/// ...and where so many bands lack it, it is off, or the microphone is another: faults add sound.
const ABSENT_SHARE: f32 = 0.5;
/// Such a share of the bands missing in a row at the lower or the upper end is the work of a microphone or a
/// filter.
const EDGE_SHARE: f32 = 1.0 / 16.0;
/// Bands whose level hardly varies still vary by measurement: least deviation counted.
const LEAST_DEVIATION_DB: f32 = 1.0;
/// All bands moved alike by this much may be the work of a gain or of the distance, and are where they
/// moved down: a fault can be as loud, but not take sound away everywhere.
const SHIFT_DB: f32 = 3.0;
/// Moved down by this much, all bands are asked about whatever the detector says.
const LARGE_SHIFT_DB: f32 = 6.0;
/// What then remains, as a share of the shift, averaged over bands: a fault changes some bands more than others.
const SHIFT_REMAINDER: f32 = 0.4;

impl Profile {
    /// Measures normal windows: the level of each, as `level_db` gives it, and its spectrum.
    pub fn new<'a>(
        rate_hz: u32,
        levels: &[f32],
        spectra: impl Iterator<Item = &'a [f32]> + Clone,
    ) -> Self {
        let count = levels.len().max(1) as f32;
        let mels = spectra.clone().next().map_or(0, <[f32]>::len);
        let mean = |value: &dyn Fn(&[f32], usize) -> f32| -> Vec<f32> {
            let of = |mel| spectra.clone().map(|row| value(row, mel)).sum::<f32>() / count;
            (0..mels).map(of).collect()
        };
        let mean_db = mean(&|row, mel| row[mel]);
        let variances = mean(&|row, mel| (row[mel] - mean_db[mel]).powi(2));
        let deviation_db = variances.into_iter().map(|v| v.sqrt().max(LEAST_DEVIATION_DB));
        let least = levels.iter().copied().fold(f32::INFINITY, f32::min);
        let most = levels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let least_of = |mel: usize| spectra.clone().map(|row| row[mel]).fold(f32::MAX, f32::min);
        let mut profile = Self {
            rate_hz,
            deviation_db: deviation_db.collect(),
            mean_db,
            least_db: (0..mels).map(least_of).collect(),
            level_db: [least, most],
            farthest: 0.0,
        };
        profile.farthest = spectra.map(|row| profile.distance(row)).fold(0.0, f32::max);
        profile
    }

    /// The profile of these and further normal windows: wider, never narrower.
    #[must_use]
    pub fn widened<'a>(&self, levels: &[f32], spectra: impl Iterator<Item = &'a [f32]>) -> Self {
        let mut wide = self.clone();
        for &level in levels {
            wide.level_db = [wide.level_db[0].min(level), wide.level_db[1].max(level)];
        }
        for row in spectra {
            wide.farthest = wide.farthest.max(self.distance(row));
            for (least, &level) in wide.least_db.iter_mut().zip(row) {
                *least = least.min(level);
            }
        }
        wide
    }

    /// Why a window is no sound that could be judged.
    pub(crate) fn unusable(&self, window: &[f32]) -> Option<(Problem, String)> {
        let finding = unusable(self.rate_hz, window)?;
        let (problem, advice) = match finding {
            Finding::Clipped { .. } => (Problem::Clipped, "lower the microphone's gain"),
            Finding::Silent { .. } => {
                (Problem::Silent, "is the machine off, or the microphone or its cable broken?")
            }
            _ => (Problem::Unusable, "check the microphone and its cable"),
        };
        Some((problem, format!("the recording cannot be used ({finding}): {advice}")))
    }

    /// Why a window is not of the machine as it was learned, where that is so.
    ///
    /// `spectrum` begins with the mean level of each band in the window. Of a window that is `normal` to the
    /// detector a small change of gain is not asked about: it has made no difference.
    pub(crate) fn cannot_tell(
        &self,
        window: &[f32],
        spectrum: &[f32],
        normal: bool,
    ) -> Option<(Problem, String)> {
        let problem = |problem, reason| Some((problem, reason));
        let mels = self.mean_db.len();
        let level = level_db(window);
        let [least, most] = self.level_db;
        if level < least - LEVEL_MARGIN_DB {
            return problem(
                Problem::Quieter,
                format!(
                    "{:.0} dB quieter than any normal recording: is the machine off, or the microphone another one?",
                    least - level
                ),
            );
        }
        if level > most + LEVEL_MARGIN_DB {
            return problem(
                Problem::Louder,
                format!(
                    "{:.0} dB louder than any normal recording: was the gain changed, or the microphone moved?",
                    level - most
                ),
            );
        }
        let absent = self.absent(spectrum);
        let count = absent.iter().filter(|absent| **absent).count();
        if self.is_absent(spectrum) {
            return problem(
                Problem::Absent,
                format!(
                    "the machine is not heard: {count} of {mels} bands lie {ABSENT_DB} dB or more below every normal recording; \
                 is it off, or the microphone another one?"
                ),
            );
        }
        let edges = mel_edges_hz(self.rate_hz, self.mean_db.len());
        let low = absent.iter().take_while(|absent| **absent).count();
        let high = absent.iter().rev().take_while(|absent| **absent).count();
        if low.max(high) as f32 >= EDGE_SHARE * mels as f32 {
            let missing = if low >= high {
                format!("below {:.0} Hz", edges[low])
            } else {
                format!("above {:.0} Hz", edges[mels + 1 - high])
            };
            return problem(
                Problem::BandMissing,
                format!(
                    "{missing} the sound is missing, {ABSENT_DB} dB or more below every normal recording: is the microphone another one, or covered?"
                ),
            );
        }
        let least_db = if normal { LARGE_SHIFT_DB } else { SHIFT_DB };
        if let Some(quieter) = self.shift_db(spectrum).filter(|shift| *shift <= -least_db) {
            return problem(
                Problem::Quieter,
                format!(
                    "all frequencies are {:.0} dB quieter alike: was the gain changed, or the microphone moved?",
                    -quieter
                ),
            );
        }
        (self.distance(spectrum) > (FAR_FACTOR * self.farthest).max(FAR_LEAST)).then(|| {
            let reason = "unlike anything known: this does not sound like the machine at all";
            (Problem::Unlike, reason.to_owned())
        })
    }

    /// Whether the machine is not heard: most bands lie far below every normal window.
    pub(crate) fn is_absent(&self, spectrum: &[f32]) -> bool {
        let count = self.absent(spectrum).into_iter().filter(|absent| *absent).count();
        count as f32 > ABSENT_SHARE * self.mean_db.len() as f32
    }

    /// Which bands lie far below every normal window.
    fn absent(&self, spectrum: &[f32]) -> Vec<bool> {
        let bands = spectrum.iter().zip(&self.least_db);
        bands.map(|(band, least)| *band < least - ABSENT_DB).collect()
    }

    /// The band in which a window differs most from normal, in deviations.
    pub(crate) fn loudest_change(&self, bands: &[f32]) -> Option<BandChange> {
        self.change_of(bands, &self.mean_db, &self.deviation_db)
    }

    /// The band in which a vector whose columns are bands, perhaps several times over, differs most from
    /// `mean`, in `deviation`s.
    pub(crate) fn change_of(
        &self,
        vector: &[f32],
        mean: &[f32],
        deviation: &[f32],
    ) -> Option<BandChange> {
        let mels = self.mean_db.len();
        let score = |column: usize| ((vector[column] - mean[column]) / deviation[column]).abs();
        let columns = vector.len().min(mean.len()).min(deviation.len());
        let highest = (0..columns).max_by(|&a, &b| score(a).total_cmp(&score(b)))?;
        let (block, peak) = (highest / mels * mels, highest % mels);
        let change = |mel: usize| vector[block + mel] - mean[block + mel];
        let sign = change(peak).signum();
        let joins =
            |mel: usize| score(block + mel) > 0.5 * score(highest) && change(mel) * sign > 0.0;
        let end = mels.min(columns - block);
        let first = (0..peak).rev().take_while(|&mel| joins(mel)).last().unwrap_or(peak);
        let last = (peak + 1..end).take_while(|&mel| joins(mel)).last().unwrap_or(peak);
        let edges = mel_edges_hz(self.rate_hz, mels);
        let change_db = (first..=last).map(change).sum::<f32>() / (last - first + 1) as f32;
        Some(BandChange { low_hz: edges[first], high_hz: edges[last + 2], change_db })
    }

    /// Whether the numbers can be believed, as of a file from elsewhere.
    pub(crate) fn is_sound(&self) -> bool {
        let mels = self.mean_db.len();
        let lists = [&self.mean_db, &self.deviation_db, &self.least_db];
        let finite =
            lists.iter().all(|list| list.len() == mels && list.iter().all(|x| x.is_finite()));
        let ordered = self.level_db[0] <= self.level_db[1] && self.level_db[1].is_finite();
        let positive = self.deviation_db.iter().all(|&deviation| deviation > 0.0);
        mels > 0
            && finite
            && positive
            && ordered
            && self.farthest >= 0.0
            && self.farthest.is_finite()
    }

    /// By how much all bands lie above normal (negative: below), in decibels, where they do so alike and
    /// farther than in any normal window.
    pub(crate) fn shift_db(&self, bands_db: &[f32]) -> Option<f32> {
        if self.distance(bands_db) <= self.farthest {
            return None;
        }
        let changes: Vec<f32> = bands_db.iter().zip(&self.mean_db).map(|(b, m)| b - m).collect();
        let shift =
            Sorted::new(changes.iter().map(|&change| f64::from(change))).upper_median()? as f32;
        let remainder = changes.iter().map(|change| (change - shift).abs()).sum::<f32>();
        let alike = remainder / (changes.len() as f32) < SHIFT_REMAINDER * shift.abs();
        (alike && shift.abs() >= SHIFT_DB).then_some(shift)
    }

    fn distance(&self, bands_db: &[f32]) -> f32 {
        let deviations = bands_db.iter().zip(&self.mean_db).zip(&self.deviation_db);
        deviations.map(|((band, mean), deviation)| (band - mean).abs() / deviation).sum::<f32>()
            / self.mean_db.len() as f32
    }
}

/// What makes a window useless whatever it is of.
pub fn unusable(rate_hz: u32, window: &[f32]) -> Option<Finding> {
    let wave = Waveform { samples: window.to_vec(), rate_hz };
    inspect_samples(&wave, &InspectConfig::default()).into_iter().next()
}

/// Root mean square around the mean, in decibels relative to full scale.
pub(crate) fn level_db(window: &[f32]) -> f32 {
    let count = window.len().max(1) as f64;
    let mean = window.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let power = window.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    (10.0 * (power + 1e-20).log10()) as f32
}

/// Edges of the mel bands on Slaney's scale: band `m` lies between edges `m` and `m + 2`.
fn mel_edges_hz(rate_hz: u32, mels: usize) -> Vec<f32> {
    const LINEAR_HZ_PER_MEL: f32 = 200.0 / 3.0;
    const BREAK_HZ: f32 = 1000.0;
    let break_mel = BREAK_HZ / LINEAR_HZ_PER_MEL;
    let log_step = 6.4_f32.ln() / 27.0;
    let to_mel = |hz: f32| {
        if hz < BREAK_HZ {
            hz / LINEAR_HZ_PER_MEL
        } else {
            break_mel + (hz / BREAK_HZ).ln() / log_step
        }
    };
    let to_hz = |mel: f32| {
        if mel < break_mel {
            mel * LINEAR_HZ_PER_MEL
        } else {
            BREAK_HZ * ((mel - break_mel) * log_step).exp()
        }
    };
    let top = to_mel(rate_hz as f32 / 2.0);
    (0..mels + 2).map(|edge| to_hz(top * edge as f32 / (mels + 1) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::profile_spectrum;

    fn tone(hz: f32, level: f32) -> Vec<f32> {
        let step = std::f32::consts::TAU * hz / 16_000.0;
        (0..16_000).map(|i| level * (i as f32 * step).sin()).collect()
    }

    /// Broadband noise from a fixed recurrence, and a tone.
    fn machine(hz: f32, tone_level: f32, salt: u32) -> Vec<f32> {
        let mut state = salt.wrapping_mul(2_654_435_761).max(1);
        tone(hz, tone_level)
            .into_iter()
            .map(|x| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                x + 0.02 * (state as f32 / u32::MAX as f32 - 0.5)
            })
            .collect()
    }

    fn profile() -> Profile {
        let windows: Vec<Vec<f32>> = (1..9).map(|salt| machine(500.0, 0.1, salt)).collect();
        let levels: Vec<f32> = windows.iter().map(|window| level_db(window)).collect();
        let spectra: Vec<Vec<f32>> = windows.iter().map(|window| spectrum_of(window)).collect();
        Profile::new(16_000, &levels, spectra.iter().map(Vec::as_slice))
    }

    fn spectrum_of(window: &[f32]) -> Vec<f32> {
        let rows = profile_spectrum(16_000).embed(&[window.to_vec()]).expect("long enough");
        rows.row(0).to_vec()
    }

    #[test]
    fn a_new_tone_is_found_in_its_band() {
        let mut window = machine(500.0, 0.1, 20);
        for (x, t) in window.iter_mut().zip(tone(2600.0, 0.05)) {
            *x += t;
        }
        let spectrum = spectrum_of(&window);
        let change = profile().loudest_change(&spectrum).expect("a window");
        assert!(change.low_hz < 2600.0 && 2600.0 < change.high_hz, "{change:?}");
        assert!(change.change_db > 10.0, "{change:?}");
        assert_eq!(profile().cannot_tell(&window, &spectrum, false), None);
    }

    #[test]
    fn dead_clipped_quiet_and_absent_machines_cannot_be_judged() {
        let clipped: Vec<f32> = tone(500.0, 4.0).into_iter().map(|x| x.clamp(-1.0, 1.0)).collect();
        let quiet: Vec<f32> = machine(500.0, 0.1, 3).into_iter().map(|x| 0.005 * x).collect();
        let shifted: Vec<f32> = machine(500.0, 0.1, 3).into_iter().map(|x| x + 0.2).collect();
        let farther: Vec<f32> = machine(500.0, 0.1, 3).into_iter().map(|x| 0.25 * x).collect();
        for (window, word) in [
            (vec![0.0; 16_000], "silent"),
            (clipped, "clipped"),
            (shifted, "offset"),
            (quiet, "quieter"),
            (farther, "not heard"),
        ] {
            let spectrum = spectrum_of(&window);
            let known = profile();
            let told =
                known.unusable(&window).or_else(|| known.cannot_tell(&window, &spectrum, false));
            let (_, reason) = told.expect(word);
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn another_gain_or_microphone_cannot_be_judged_and_a_new_sound_can() {
        let as_usual = machine(500.0, 0.1, 3);
        let quieter: Vec<f32> = as_usual.iter().map(|x| 0.56 * x).collect();
        let louder: Vec<f32> = as_usual.iter().map(|x| 2.0 * x).collect();
        assert_eq!(profile().cannot_tell(&louder, &spectrum_of(&louder), false), None);
        assert!(profile().shift_db(&spectrum_of(&louder)).is_some_and(|shift| shift > 5.0));
        // A first difference falls off towards low frequencies, a running mean towards high ones.
        let high_pass: Vec<f32> = as_usual.windows(2).map(|w| w[1] - w[0]).collect();
        let low_pass: Vec<f32> = as_usual.windows(3).map(|w| w.iter().sum::<f32>() / 3.0).collect();
        for (window, word) in
            [(&quieter, "5 dB quieter alike"), (&high_pass, "below"), (&low_pass, "above")]
        {
            let reason = profile().cannot_tell(window, &spectrum_of(window), false);
            assert!(reason.as_ref().is_some_and(|(_, r)| r.contains(word)), "{reason:?}");
        }
        // A small change of gain that made no difference to the detector is not asked about, a large one is.
        let unasked = profile().cannot_tell(&quieter, &spectrum_of(&quieter), true);
        assert_eq!(unasked, None);
        let far: Vec<f32> = as_usual.iter().map(|x| 0.4 * x).collect();
        assert!(profile().cannot_tell(&far, &spectrum_of(&far), true).is_some());
        let hiss: Vec<f32> = as_usual
            .iter()
            .zip(machine(0.0, 0.0, 77).windows(2))
            .map(|(x, noise)| x + 4.0 * (noise[1] - noise[0]))
            .collect();
        assert_eq!(profile().cannot_tell(&hiss, &spectrum_of(&hiss), false), None);
    }

    #[test]
    fn a_widened_profile_knows_what_it_was_shown() {
        let farther: Vec<f32> = machine(500.0, 0.1, 3).into_iter().map(|x| 0.25 * x).collect();
        let spectrum = spectrum_of(&farther);
        let wide = profile().widened(&[level_db(&farther)], [spectrum.as_slice()].into_iter());
        assert_eq!(wide.cannot_tell(&farther, &spectrum, false), None);
    }
}

//! A monitor: everything one model file holds, ready to judge windows.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use ndarray::{Array1, Array2, ArrayView1, Axis};
use offkey_core::{Digest, Seed};
use offkey_score::{Detector, Guarantee, Member, PValue, References, Scales, ScoreError};
use offkey_signal::{AudioInfo, ClipReader, DecodeConfig};

use crate::{
    BandChange, EventEvidence, EventRule, Heard, HeardWindow, Model, MonitorCard, MonitorError,
    PKind, Problem, Promise, Role, Verdict, evidence::events, finding::Finding, form_1::First,
};

/// A loaded model file, ready to judge.
pub struct Monitor {
    pub(crate) card: MonitorCard,
    pub(crate) detecting: Detecting,
    /// A few normal windows as sound, `[windows, samples]`, for the self-test.
    pub(crate) sounds: Array2<f32>,
}

/// What judges.
pub(crate) enum Detecting {
    /// Members whose references are their calibration.
    Members(Box<Members>),
    /// As in model files of the first form.
    First(Box<First>),
}

/// The members of a detector, their references, and the detector.
pub(crate) struct Members {
    pub(crate) models: Vec<Model>,
    pub(crate) heard: Heard,
    /// What fitting the detector found.
    pub(crate) scales: Scales,
    /// Comparisons that an alarm may lose.
    allowed: usize,
    /// Made when it is first needed: what only describes a model needs none.
    detector: OnceLock<Detector>,
    /// Mean and deviation of each column of each member's references.
    columns: Vec<(Array1<f32>, Array1<f32>)>,
    pub(crate) events: EventEvidence,
}

/// What is said of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowVerdict {
    /// First sample of the window in its recording, at the model's rate.
    pub start: u64,
    /// Anomaly score: above 0 is an alarm; absent where it cannot be scored.
    pub score: Option<f64>,
    /// Probability that a normal recording looks at least this bad.
    pub p_value: Option<f64>,
    /// What kind of number that is.
    pub p_kind: Option<PKind>,
    /// The answer.
    pub verdict: Verdict,
    /// What keeps the window from being judged, where the verdict is that.
    pub problem: Option<Problem>,
    /// Why, in a sentence.
    pub reason: String,
}

/// Least deviation of a column that a change is measured in, in decibels.
const LEAST_DEVIATION: f32 = 0.3;

impl Monitor {
    /// Fits the detector to what the members heard of the card's recordings, row by row.
    ///
    /// # Errors
    /// [`MonitorError::Score`] when there are too few windows, or they cannot serve as references.
    pub fn new(
        card: MonitorCard,
        heard: Heard,
        models: Vec<Model>,
        sounds: Array2<f32>,
    ) -> Result<Self, MonitorError> {
        let members = Members::fit(&card, heard, models, |members| {
            let detector = Detector::fit(members, card.rule)?;
            Ok((detector.scales(), Some(detector)))
        });
        let members =
            members.map_err(|source| MonitorError::Score { name: card.name.clone(), source })?;
        Ok(Self { card, detecting: Detecting::Members(Box::new(members)), sounds })
    }

    /// As [`Monitor::new`], with tables of what fitting found before: see [`Scales::to_tables`]. `None` where they
    /// do not go with the rest. The detector is made when it is first needed.
    pub(crate) fn with_tables(
        card: MonitorCard,
        heard: Heard,
        models: Vec<Model>,
        sounds: Array2<f32>,
        (table, held_out): (&Array2<f64>, &[f64]),
    ) -> Result<Option<Self>, MonitorError> {
        let mut unusable = false;
        let members = Members::fit(&card, heard, models, |members| {
            let backends: Vec<_> = members.iter().map(|member| &member.backend).collect();
            let references = &members.first().ok_or(ScoreError::NoMembers)?.references;
            let scales = Scales::of_tables(table.view(), held_out, references, &backends)?;
            unusable = scales.is_none();
            Ok((scales.ok_or(ScoreError::Constant)?, None))
        });
        match members {
            Ok(members) => {
                Ok(Some(Self { card, detecting: Detecting::Members(Box::new(members)), sounds }))
            }
            Err(_) if unusable => Ok(None),
            Err(source) => Err(MonitorError::Score { name: card.name.clone(), source }),
        }
    }

    /// Makes what judges, so that the first window need not wait for it.
    ///
    /// # Errors
    /// As [`Monitor::new`].
    pub fn ready(&self) -> Result<(), MonitorError> {
        match &self.detecting {
            Detecting::Members(members) => self.detector(members).map(|_| ()),
            Detecting::First(_) => Ok(()),
        }
    }

    /// Whether what judges has been made.
    pub fn is_ready(&self) -> bool {
        match &self.detecting {
            Detecting::Members(members) => members.detector.get().is_some(),
            Detecting::First(_) => true,
        }
    }

    pub(crate) fn detector<'a>(&self, members: &'a Members) -> Result<&'a Detector, MonitorError> {
        let failed = |source| MonitorError::Score { name: self.card.name.clone(), source };
        members.detector(&self.card).map_err(failed)
    }

    /// The same monitor without the sounds of its self-test and the fingerprints of its recordings, for whoever holds many and only judges: it judges alike,
    /// in a megabyte less. It is not to be saved.
    #[must_use]
    pub fn for_judging(mut self) -> Self {
        self.card.recordings.iter_mut().for_each(|recording| recording.sound = None);
        Self { sounds: Array2::zeros((0, self.sounds.ncols())), ..self }
    }

    /// What the model file says of itself.
    pub fn card(&self) -> &MonitorCard {
        &self.card
    }

    /// Tells it from every other model, and from itself before and after an update.
    pub fn fingerprint(&self) -> String {
        let card =
            serde_json::to_vec(&self.card).expect("a card has string keys and finite numbers");
        let mut digest = Digest::new();
        digest.add(&card);
        let mut digits = digest.hex();
        digits.truncate(32);
        digits
    }

    /// The models of its members, in the order of the card.
    pub fn models(&self) -> &[Model] {
        match &self.detecting {
            Detecting::Members(members) => &members.models,
            Detecting::First(_) => &[],
        }
    }

    /// What each member heard of the recordings, `[windows, dims]`, in the order of the card's recordings.
    pub fn references(&self) -> &[Array2<f32>] {
        match &self.detecting {
            Detecting::Members(members) => &members.heard.embeddings,
            Detecting::First(_) => &[],
        }
    }

    /// What the model promises about false alarms.
    pub fn promise(&self) -> Promise {
        match &self.detecting {
            Detecting::Members(members) => members.promise(&self.card),
            Detecting::First(first) => first.promise(),
        }
    }

    /// Judges one window of the model's length.
    ///
    /// # Errors
    /// [`MonitorError`] when a model refuses the window.
    pub fn judge(&self, start: u64, window: &[f32]) -> Result<WindowVerdict, MonitorError> {
        Ok(self.judge_closely(start, window)?.0)
    }

    /// Judges a window; with what the detector found of it, where it was asked.
    pub(crate) fn judge_closely(
        &self,
        start: u64,
        window: &[f32],
    ) -> Result<(WindowVerdict, Option<Finding>), MonitorError> {
        let unscored = |(problem, reason): (Problem, String)| WindowVerdict {
            start,
            score: None,
            p_value: None,
            p_kind: None,
            verdict: Verdict::CannotTell,
            problem: Some(problem),
            reason,
        };
        if let Some(told) = self.card.profile.unusable(window) {
            return Ok((unscored(told), None));
        }
        let rule = self.card.windows;
        let (finding, spectrum) = match &self.detecting {
            Detecting::First(first) => {
                let spectrum = First::spectrum(rule.rate_hz, window)?;
                if let Some(told) = self.card.profile.cannot_tell(window, &spectrum, false) {
                    return Ok((unscored(told), None));
                }
                (first.judge(window, &spectrum)?, spectrum)
            }
            Detecting::Members(members) => {
                let heard = HeardWindow::of(&members.models, rule, window)?;
                (self.find(members, &heard)?, heard.spectrum)
            }
        };
        let normal = finding.verdict == Verdict::Normal;
        let told = self.card.profile.cannot_tell(window, &spectrum, normal);
        let (score, p_value) = (Some(finding.score), Some(finding.p_value));
        let p_kind = Some(finding.p_kind);
        let verdict = match told {
            Some((problem, reason)) => {
                WindowVerdict { score, p_value, p_kind, ..unscored((problem, reason)) }
            }
            None => WindowVerdict {
                start,
                score,
                p_value,
                p_kind,
                verdict: finding.verdict,
                problem: None,
                reason: self.reason(&finding, &spectrum),
            },
        };
        Ok((verdict, Some(finding)))
    }

    fn find(&self, members: &Members, heard: &HeardWindow) -> Result<Finding, MonitorError> {
        let rows: Vec<ArrayView1<f32>> = heard.vectors.iter().map(ArrayView1::from).collect();
        let failed = |source| MonitorError::Score { name: self.card.name.clone(), source };
        let detector = self.detector(members)?;
        let judged = detector.judge(&rows).map_err(failed)?;
        let guarantee = detector.guarantee();
        let all = guarantee.comparisons();
        // The verdict follows from the number that is printed.
        let share = |losses: usize| guarantee.share(losses).value();
        let alarm = detector.false_alarms().value();
        let verdict = Verdict::of(judged.p_value.value(), alarm, share(1) - share(0));
        let what = match guarantee {
            Guarantee::Measured { .. } => "stretches learned from",
            Guarantee::JackknifePlus { .. } => "recordings learned from",
        };
        let mut words = match judged.lost {
            0 => format!("farther from normal than all {all} {what}"),
            lost => format!("{lost} of {all} {what} look at least as unusual"),
        };
        let (mut change, mut nearest) = (None, None);
        let by_member = judged.members.iter().map(|member| member.z).collect();
        let loudest = judged.loudest();
        if let Some(loudest) = loudest {
            if verdict != Verdict::Normal {
                words += &format!(", by `{}`", self.card.members[loudest].name);
            }
            change = members.change(loudest, &heard.vectors[loudest], &self.card);
            let row = judged.members[loudest].nearest.reference;
            nearest =
                self.card.rows().nth(row).map(|(recording, start)| (recording.path.clone(), start));
        }
        let (p_value, p_kind) = match judged.p_value {
            PValue::AtMost(p) => (p, PKind::Bound),
            PValue::Measured(p) => (p, PKind::Measured),
        };
        let score = judged.score;
        Ok(Finding { score, p_value, p_kind, verdict, words, change, nearest, loudest, by_member })
    }

    /// What a recording is, where it can be judged. Opened and not probed: of a recording that is cut
    /// short what is there is heard.
    pub(crate) fn open_alike(&self, path: &Path) -> Result<AudioInfo, MonitorError> {
        let as_it_is = DecodeConfig { rate_hz: None, ..self.card.windows.decode_config() };
        let info = *ClipReader::open_uncounted(path, &as_it_is)?.info();
        match self.listening().refusal(info.rate_hz) {
            None => Ok(info),
            Some(refusal) => Err(MonitorError::RecordingRate { path: path.to_owned(), refusal }),
        }
    }

    pub(crate) fn all_too_short(&self, recordings: &[PathBuf]) -> MonitorError {
        let needed_s = self.card.windows.seconds(self.card.windows.samples as u64);
        MonitorError::AllTooShort { recordings: recordings.len(), needed_s }
    }

    fn reason(&self, finding: &Finding, spectrum: &[f32]) -> String {
        let mut reason = finding.words.clone();
        if finding.verdict == Verdict::Normal {
            return reason;
        }
        let profile = &self.card.profile;
        if let Some(louder) = profile.shift_db(spectrum) {
            reason += &format!(
                "; all frequencies are {louder:.0} dB louder alike: a fault, or another gain"
            );
        } else if let Some(change) = finding.change.or_else(|| profile.loudest_change(spectrum)) {
            let (amount, side) = (change.change_db.abs(), change.change_db > 0.0);
            let side = if side { "above" } else { "below" };
            reason += &format!(
                "; largest change at {:.0}-{:.0} Hz, {amount:.0} dB {side} normal",
                change.low_hz, change.high_hz
            );
        }
        if let Some((path, start)) = &finding.nearest {
            let seconds = self.card.windows.seconds(*start);
            reason += &format!("; nearest normal: {path} at {seconds:.0} s");
        }
        reason
    }
}

/// Does something with the members' references.
fn with_references<T>(
    card: &MonitorCard,
    heard: &Heard,
    act: impl FnOnce(&[Member]) -> Result<T, ScoreError>,
) -> Result<T, ScoreError> {
    let groups: Vec<String> = card.rows().map(|(row, _)| row.group.clone()).collect();
    let stand_by: Vec<bool> = card.rows().map(|(row, _)| row.role == Role::Reference).collect();
    let domains = vec![None; groups.len()];
    let seed = Seed::new(card.seed).child("monitor");
    let mut members = Vec::new();
    for (member, rows) in card.members.iter().zip(&heard.embeddings) {
        let references = References::new(rows.view(), &domains, &groups, seed)?;
        let references = references.with_bystanders(&stand_by)?;
        let (name, backend) = (member.name.clone(), member.backend.clone());
        members.push(Member { name, backend, references });
    }
    act(&members)
}

impl Members {
    /// Members of what they heard; `known` gives what fitting their detector finds, and the detector
    /// where it was made.
    fn fit(
        card: &MonitorCard,
        heard: Heard,
        models: Vec<Model>,
        known: impl FnOnce(&[Member]) -> Result<(Scales, Option<Detector>), ScoreError>,
    ) -> Result<Self, ScoreError> {
        let (scales, detector) = with_references(card, &heard, known)?;
        let guarantee = scales.guarantee();
        let allowed = match card.wished {
            Some(wish) if !matches!(guarantee, Guarantee::Measured { .. }) => {
                guarantee.most_losses(wish.per_window(card.every_s())).unwrap_or(0)
            }
            _ => 0,
        };
        let made = OnceLock::new();
        if let Some(detector) = detector {
            let detector = detector.with_allowed_losses(allowed)?;
            made.get_or_init(|| detector);
        }
        let columns = heard.embeddings.iter().map(|rows| {
            let mean = rows.mean_axis(Axis(0)).unwrap_or_default();
            let deviation = rows.std_axis(Axis(0), 0.0).mapv(|d| d.max(LEAST_DEVIATION));
            (mean, deviation)
        });
        let columns = columns.collect();
        let events = events(card, scales.held_out(), allowed, EventRule::default());
        Ok(Self { models, heard, scales, allowed, detector: made, columns, events })
    }

    fn detector(&self, card: &MonitorCard) -> Result<&Detector, ScoreError> {
        if let Some(detector) = self.detector.get() {
            return Ok(detector);
        }
        // Two threads may both come here: then both make the same.
        let detector = with_references(card, &self.heard, |members| {
            Detector::restored(members, card.rule, &self.scales)?.with_allowed_losses(self.allowed)
        })?;
        Ok(self.detector.get_or_init(|| detector))
    }

    /// The band in which a window differs most from normal as one member hears it.
    fn change(&self, member: usize, vector: &[f32], card: &MonitorCard) -> Option<BandChange> {
        let Model::Pooled(_) = &self.models[member] else { return None };
        let (mean, deviation) = &self.columns[member];
        card.profile.change_of(vector, mean.as_slice()?, deviation.as_slice()?)
    }

    fn promise(&self, card: &MonitorCard) -> Promise {
        let every_s = card.every_s();
        let calibrating = || card.recordings.iter().filter(|r| r.role == Role::Calibration);
        let groups: std::collections::BTreeSet<&str> =
            calibrating().map(|recording| recording.group.as_str()).collect();
        let (at_most, measured) = match self.scales.guarantee().share(self.allowed) {
            PValue::AtMost(share) => (Some(share), None),
            PValue::Measured(share) => (None, Some(share)),
        };
        let kept = |wish: crate::FalseAlarmRate| {
            at_most.is_some_and(|share| share <= wish.per_window(every_s) + 1e-9)
        };
        Promise {
            at_most,
            measured,
            recordings: groups.len(),
            windows: calibrating().map(|recording| recording.starts.len()).sum(),
            every_s,
            wished: card.wished,
            wish_kept: card.wished.map(kept),
            events: self.events,
        }
    }
}

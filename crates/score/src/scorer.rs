//! One or several members fitted to the same references, with the threshold that these suggest.

use ndarray::ArrayView2;

use crate::{
    Backend, Fusion, Member, MemberScore, Nearest, Rule, Scale, ScoreError, ThresholdConfig,
    Warning, decide,
};

/// Members, held-out scores and threshold, fitted to the references of one machine and section.
///
/// A member alone scores as its backend does; several are joined on the scale of their held-out normals.
#[derive(Debug, Clone)]
pub struct Scorer {
    first: Backend,
    /// All members, where there are several and enough references to compare them.
    fusion: Option<Fusion>,
    held_out: Vec<f64>,
    threshold: f64,
    expected_false_alarms: Option<f64>,
    warnings: Vec<Warning>,
}

/// The member that raised a score the most, and the reference that is nearest by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Raised {
    /// Position of the member.
    pub member: usize,
    /// The nearest reference.
    pub nearest: Nearest,
}

impl Scorer {
    /// Fits members and threshold. With fewer than three references, or where no member's held-out scores
    /// vary, the first member scores alone, and [`Scorer::warnings`] says so.
    ///
    /// `withheld`: per member the embeddings (`[clips, dims]`, or no clips) of normal clips whose recordings
    /// neither training nor the references contain. Where there are some, the threshold is found on their
    /// scores; else on the references', each made without its own recording.
    ///
    /// # Errors
    /// [`ScoreError`] when there is no member, a setting lies outside its range or the references cannot be
    /// used.
    pub fn fit(
        members: &[Member],
        rule: Rule,
        threshold: &ThresholdConfig,
        withheld: &[ArrayView2<f32>],
    ) -> Result<Self, ScoreError> {
        threshold.check()?;
        let Member { backend, references, .. } = members.first().ok_or(ScoreError::NoMembers)?;
        let first = backend.fit(references)?;
        let mut warnings = first.warnings().to_vec();
        let fusion = match members {
            [_] => None,
            _ => match Fusion::fit(members, rule) {
                Ok(fusion) => Some(fusion),
                Err(ScoreError::TooFewReferences { found, expected }) => {
                    warnings.push(Warning::Alone { found, expected });
                    None
                }
                Err(ScoreError::Constant) => {
                    warnings.push(Warning::Constant);
                    None
                }
                Err(other) => return Err(other),
            },
        };
        let withheld_clips = withheld.first().map_or(0, ArrayView2::nrows);
        let held_out = match (&fusion, withheld_clips) {
            (Some(fusion), 0) => fusion.held_out().to_vec(),
            (Some(fusion), _) => fusion.score(withheld)?,
            (None, 0) => backend.held_out_scores(references)?,
            (None, _) => first.score(withheld[0])?,
        };
        Ok(Self {
            first,
            fusion,
            threshold: threshold.fit(&held_out)?,
            expected_false_alarms: threshold.expected_false_alarms(withheld_clips),
            held_out,
            warnings,
        })
    }

    /// Anomaly scores of clips, given by one array (`[clips, dims]`) per member.
    ///
    /// # Errors
    /// As [`Fusion::score`] and [`Backend::score`].
    pub fn score(&self, clips: &[ArrayView2<f32>]) -> Result<Vec<f64>, ScoreError> {
        match &self.fusion {
            Some(fusion) => fusion.score(clips),
            None => self.first.score(own(clips)?),
        }
    }

    /// Scores by the first member alone, on the scale of its backend.
    ///
    /// # Errors
    /// As [`Backend::score`].
    pub fn score_by_first(&self, clips: ArrayView2<f32>) -> Result<Vec<f64>, ScoreError> {
        self.first.score(clips)
    }

    /// The scale of each member's scores, none where a member does not count; empty where the first member
    /// scores alone.
    pub fn scales(&self) -> Vec<Option<Scale>> {
        self.fusion.as_ref().map_or_else(Vec::new, |fusion| fusion.scales().collect())
    }

    /// Whether each score lies above the threshold.
    pub fn decide(&self, scores: &[f64]) -> Vec<bool> {
        decide(scores, self.threshold)
    }

    /// Which member raised the score of each clip, and its nearest reference by that member.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub fn raised(&self, clips: &[ArrayView2<f32>]) -> Result<Vec<Raised>, ScoreError> {
        let Some(fusion) = &self.fusion else {
            let nearest = self.first.nearest(own(clips)?)?;
            return Ok(nearest.into_iter().map(|nearest| Raised { member: 0, nearest }).collect());
        };
        let most = |scores: Vec<MemberScore>| {
            let z = |score: &MemberScore| score.z.unwrap_or(f64::NEG_INFINITY);
            let member = (1..scores.len()).fold(0, |best, other| {
                if z(&scores[other]) > z(&scores[best]) { other } else { best }
            });
            Raised { member, nearest: scores[member].nearest }
        };
        Ok(fusion.member_scores(clips)?.into_iter().map(most).collect())
    }

    /// Scores above it are anomalous.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Share of new normal recordings expected above the threshold; none where it cannot be stated.
    pub fn expected_false_alarms(&self) -> Option<f64> {
        self.expected_false_alarms
    }

    /// Scores of withheld clips, or of the references, each made without its own recording: what
    /// the threshold was found on.
    pub fn held_out(&self) -> &[f64] {
        &self.held_out
    }

    /// What had to be done differently from the settings.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// The first member's clips.
fn own<'a>(clips: &[ArrayView2<'a, f32>]) -> Result<ArrayView2<'a, f32>, ScoreError> {
    clips.first().copied().ok_or(ScoreError::NoMembers)
}

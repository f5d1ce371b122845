//! One or several members fitted to the same references, with the threshold that these suggest.

use ndarray::ArrayView2;

use crate::{
    Backend, Fusion, Member, Raised, Rule, Scale, ScoreError, ThresholdConfig, Warning, decide,
};

/// Members, held-out scores and threshold, fitted to the references of one machine and section.
///
/// A member alone scores as its backend does; several are joined on the scale of their held-out normals.
#[derive(Debug, Clone)]
pub struct Scorer {
    fitted: Fitted,
    held_out: Vec<f64>,
    threshold: f64,
    expected_false_alarms: Option<f64>,
    warnings: Vec<Warning>,
}

#[derive(Debug, Clone)]
enum Fitted {
    /// The only member, or the first where references are too few or too alike to compare members.
    Alone(Backend),
    Joined(Fusion),
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
        let mut alone = None;
        let joined = match members {
            [_] => None,
            _ => match Fusion::fit(members, rule) {
                Ok(fusion) => Some(fusion),
                Err(ScoreError::TooFewReferences { found, expected }) => {
                    alone = Some(Warning::Alone { found, expected });
                    None
                }
                Err(ScoreError::Constant) => {
                    alone = Some(Warning::Constant);
                    None
                }
                Err(other) => return Err(other),
            },
        };
        let fitted = match joined {
            Some(fusion) => Fitted::Joined(fusion),
            None => Fitted::Alone(backend.fit(references)?),
        };
        let mut warnings = fitted.first().warnings().to_vec();
        warnings.extend(alone);
        let withheld_clips = withheld.first().map_or(0, ArrayView2::nrows);
        let held_out = match &fitted {
            _ if withheld_clips > 0 => fitted.score(withheld)?,
            Fitted::Joined(fusion) => fusion.held_out().to_vec(),
            Fitted::Alone(_) => backend.held_out_scores(references)?,
        };
        Ok(Self {
            fitted,
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
        self.fitted.score(clips)
    }

    /// Scores by the first member alone, on the scale of its backend.
    ///
    /// # Errors
    /// As [`Backend::score`].
    pub fn score_by_first(&self, clips: ArrayView2<f32>) -> Result<Vec<f64>, ScoreError> {
        self.fitted.first().score(clips)
    }

    /// The scale of each member's scores, none where a member does not count; empty where the first member
    /// scores alone.
    pub fn scales(&self) -> Vec<Option<Scale>> {
        match &self.fitted {
            Fitted::Alone(_) => Vec::new(),
            Fitted::Joined(fusion) => fusion.scales().collect(),
        }
    }

    /// Whether each score lies above the threshold.
    pub fn decide(&self, scores: &[f64]) -> Vec<bool> {
        decide(scores, self.threshold)
    }

    /// The score of each clip, which member raised it, and the nearest reference by that member.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub fn raised(&self, clips: &[ArrayView2<f32>]) -> Result<Vec<Raised>, ScoreError> {
        match &self.fitted {
            Fitted::Alone(backend) => {
                let clips = own(clips)?;
                let both = backend.score(clips)?.into_iter().zip(backend.nearest(clips)?);
                Ok(both.map(|(score, nearest)| Raised { score, member: 0, nearest }).collect())
            }
            Fitted::Joined(fusion) => fusion.raised(clips),
        }
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

impl Fitted {
    fn first(&self) -> &Backend {
        match self {
            Self::Alone(backend) => backend,
            Self::Joined(fusion) => fusion.first(),
        }
    }

    fn score(&self, clips: &[ArrayView2<f32>]) -> Result<Vec<f64>, ScoreError> {
        match self {
            Self::Alone(backend) => backend.score(own(clips)?),
            Self::Joined(fusion) => fusion.score(clips),
        }
    }
}

/// The first member's clips.
fn own<'a>(clips: &[ArrayView2<'a, f32>]) -> Result<ArrayView2<'a, f32>, ScoreError> {
    clips.first().copied().ok_or(ScoreError::NoMembers)
}

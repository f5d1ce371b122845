//! A detector whose references are its calibration too.
//!
//! For each recording learned from there is a detector fitted without it. A new window is compared
//! with that recording by that detector, which has heard neither; the detector says alarm where the
//! window looks worse than all recordings but a few. What follows for false alarms is in
//! [`Guarantee`].

use ndarray::{ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::{
    Fusion, Guarantee, Member, MemberScore, PValue, Rule, Scales, ScoreError,
    fusion::{Learning, LeaveOut},
};

/// Members, a rule that joins their scores, and a detector without each recording.
///
/// Everything follows from the references: a file need hold no more than their embeddings.
#[derive(Debug)]
pub struct Detector {
    fusion: Fusion,
    leave_outs: Vec<LeaveOut>,
    guarantee: Guarantee,
    allowed_losses: usize,
}

/// What is said of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Above 0 is an alarm. In deviations of held-out normals: how much worse the window looks
    /// than the recording that is the last one it may lose against.
    pub score: f64,
    /// Recordings that, left out, look at least as bad as the window.
    pub lost: usize,
    /// How likely a normal recording is to have a window that loses as few comparisons.
    pub p_value: PValue,
    /// The joined score by all references: 0 is the median of held-out normals.
    pub z: f64,
    /// What each member says, by all references.
    pub members: Vec<MemberScore>,
}

impl Judgement {
    /// Whether the window is anomalous.
    pub fn alarm(&self) -> bool {
        self.score > 0.0
    }

    /// The member whose score is largest, by its place.
    pub fn loudest(&self) -> Option<usize> {
        let counting = self.members.iter().enumerate().filter_map(|(i, m)| Some((i, m.z?)));
        counting.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(i, _)| i)
    }
}

impl Detector {
    /// Fits a detector that may lose no comparison: the strictest.
    ///
    /// Recordings are the groups of the references. With fewer than five, blocks in time take
    /// their place (windows of a recording must then come in the order of time), and nothing is
    /// guaranteed. Of more than a hundred, a hundred drawn at random are
    /// compared with; the others are references alone.
    ///
    /// # Errors
    /// As [`Fusion::fit`].
    pub fn fit(members: &[Member], rule: Rule) -> Result<Self, ScoreError> {
        let learning = Learning::new(members)?;
        let fusion = Fusion::learned(members, rule, &learning)?;
        let leave_outs = learning
            .partition
            .leave_outs
            .par_iter()
            .map(|&out| LeaveOut::fit(&learning, members, out, rule))
            .collect::<Result<_, _>>()?;
        Ok(Self { fusion, leave_outs, guarantee: learning.partition.guarantee, allowed_losses: 0 })
    }

    /// The detector that [`Detector::fit`] made of these members and this rule, bit for bit: with what it
    /// found then, for about a tenth of the work.
    ///
    /// # Errors
    /// As [`Detector::fit`]; [`ScoreError::MemberCount`] and [`ScoreError::Setting`] where the scales are
    /// those of other references.
    pub fn restored(members: &[Member], rule: Rule, known: &Scales) -> Result<Self, ScoreError> {
        let learning = Learning::new(members)?;
        let partition = &learning.partition;
        let (found, expected) = (known.members.len(), members.len());
        if found != expected {
            return Err(ScoreError::MemberCount { found, expected });
        }
        if known.left_out.len() != partition.leave_outs.len()
            || known.held_out.len() != partition.units.len()
        {
            let (setting, found) = ("scales of recordings left out", known.left_out.len() as f64);
            let expected = "one for each recording that is left out";
            return Err(ScoreError::Setting { setting, found, expected });
        }
        let fusion = Fusion::restored(members, rule, &learning, known)?;
        let leave_outs = partition
            .leave_outs
            .par_iter()
            .zip(&known.left_out)
            .map(|(&out, known)| LeaveOut::restored(&learning, out, known))
            .collect::<Result<_, _>>()?;
        Ok(Self { fusion, leave_outs, guarantee: partition.guarantee, allowed_losses: 0 })
    }

    /// What fitting found on held-out normals, for [`Detector::restored`].
    pub fn scales(&self) -> Scales {
        Scales {
            members: self.fusion.scales().collect(),
            held_out: self.fusion.held_out().to_vec(),
            left_out: self.leave_outs.iter().map(LeaveOut::known).collect(),
            guarantee: self.guarantee,
        }
    }

    /// The same detector with so many comparisons that may be lost; see
    /// [`Guarantee::most_losses`]. Chosen once, before new windows are judged.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] when there are no more comparisons than that.
    pub fn with_allowed_losses(mut self, allowed_losses: usize) -> Result<Self, ScoreError> {
        if allowed_losses >= self.guarantee.comparisons() {
            let (setting, found) = ("allowed losses", allowed_losses as f64);
            let expected = "less than the number of recordings";
            return Err(ScoreError::Setting { setting, found, expected });
        }
        self.allowed_losses = allowed_losses;
        Ok(self)
    }

    /// Judges one window, given by one embedding per member.
    ///
    /// # Errors
    /// [`ScoreError`] when embeddings do not match the members, or a number is not finite.
    pub fn judge(&self, window: &[ArrayView1<f32>]) -> Result<Judgement, ScoreError> {
        let rows: Vec<_> = window.iter().map(|row| row.insert_axis(Axis(0))).collect();
        let mut judgements = self.judge_all(&rows)?;
        Ok(judgements.remove(0))
    }

    /// Judges windows, given by one array (`[windows, dims]`) per member; the same numbers as one
    /// by one.
    ///
    /// # Errors
    /// As [`Detector::judge`].
    pub fn judge_all(&self, windows: &[ArrayView2<f32>]) -> Result<Vec<Judgement>, ScoreError> {
        let members = self.fusion.member_scores(windows)?;
        let rule = self.fusion.rule();
        let compared: Vec<Vec<f64>> = self
            .leave_outs
            .par_iter()
            .map(|leave_out| leave_out.score(windows, rule))
            .collect::<Result<_, _>>()?;
        let judge = |(window, members): (usize, Vec<MemberScore>)| {
            let mut margins: Vec<f64> = Vec::with_capacity(self.guarantee.comparisons());
            for (leave_out, scores) in self.leave_outs.iter().zip(&compared) {
                margins.push(scores[window] - leave_out.farthest);
            }
            margins.sort_by(f64::total_cmp);
            let lost = margins.partition_point(|&margin| margin <= 0.0);
            Judgement {
                score: margins[self.allowed_losses],
                lost,
                p_value: self.guarantee.share(lost),
                z: rule.join(members.iter().filter_map(|member| member.z)),
                members,
            }
        };
        Ok(members.into_iter().enumerate().map(judge).collect())
    }

    /// What is known about false alarms.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// Comparisons that may be lost by an alarm.
    pub fn allowed_losses(&self) -> usize {
        self.allowed_losses
    }

    /// The share of normal recordings in which a window alarms.
    pub fn false_alarms(&self) -> PValue {
        self.guarantee.share(self.allowed_losses)
    }

    /// The members fitted to all references.
    pub fn fusion(&self) -> &Fusion {
        &self.fusion
    }
}

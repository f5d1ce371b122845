//! Several members as one: their scores, each on the scale of its own held-out normals, joined.

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::{
    Backend, BackendConfig, Nearest, References, ScoreError,
    backend::FittedBackend,
    normals::Normals,
    partition::Partition,
    references::{check_finite, check_scores},
    scale::Scale,
    scales::{LeftOut, Scales},
};

/// Embeddings of the references by one model, and the backend that compares them.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// What the member is called.
    pub name: String,
    /// What scores its embeddings.
    pub backend: BackendConfig,
    /// Its references: the same windows for every member.
    pub references: References<'a>,
}

/// How members' scores are joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The largest: what one member hears counts.
    #[default]
    Max,
    /// The mean.
    Mean,
}

impl Rule {
    /// Joins the scores of members; 0, the median of normals, where there is none.
    pub(crate) fn join(self, scores: impl Iterator<Item = f64>) -> f64 {
        let (count, sum, largest) = scores
            .fold((0, 0.0, f64::NEG_INFINITY), |all, z| (all.0 + 1, all.1 + z, f64::max(all.2, z)));
        match self {
            _ if count == 0 => 0.0,
            Self::Max => largest,
            Self::Mean => sum / f64::from(count),
        }
    }
}

/// Members fitted to all references, and the rule that joins their scores.
///
/// A member whose held-out scores do not vary has no scale and does not count.
#[derive(Debug, Clone)]
pub struct Fusion {
    members: Vec<FusedMember>,
    rule: Rule,
    held_out: Vec<f64>,
}

#[derive(Debug, Clone)]
struct FusedMember {
    name: String,
    backend: Backend,
    scale: Option<Scale>,
}

/// What one member says of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberScore {
    /// Anomaly score of its backend.
    pub score: f64,
    /// The same in deviations from the median of held-out normals; none where the member does not
    /// count.
    pub z: Option<f64>,
    /// The reference nearest to the window.
    pub nearest: Nearest,
}

/// A score, the member that raised it the most, and the reference that is nearest by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Raised {
    /// The anomaly score.
    pub score: f64,
    /// Position of the member.
    pub member: usize,
    /// The nearest reference.
    pub nearest: Nearest,
}

/// Members' references in the order their backends are fitted in, and how they are left out.
pub(crate) struct Learning {
    pub(crate) partition: Partition,
    pub(crate) members: Vec<(BackendConfig, Normals)>,
}

impl Learning {
    pub(crate) fn new(members: &[Member]) -> Result<Self, ScoreError> {
        let first = members.first().ok_or(ScoreError::NoMembers)?;
        let groups = first.references.groups();
        for member in members {
            let other = &member.references;
            if other.groups() != groups || other.domains() != first.references.domains() {
                return Err(ScoreError::Members { name: member.name.clone() });
            }
            member.backend.check()?;
            member.backend.kind().check_dims(other.embeddings().ncols())?;
        }
        let partition = Partition::new(&first.references)?;
        let names = partition.names();
        let normals = |member: &Member| {
            let given = &member.references;
            let (domains, seed) = (given.domains(), given.seed());
            let references = References::new(given.embeddings(), domains, &names, seed)?;
            Ok((member.backend.clone(), Normals::new(&references)))
        };
        let members = members.iter().map(normals).collect::<Result<_, ScoreError>>()?;
        Ok(Self { partition, members })
    }

    /// A member's references without a unit.
    fn without(&self, out: usize, normals: &Normals) -> Normals {
        let units = &self.partition.units;
        let kept = (0..normals.clips()).filter(|&row| units[normals.origin[row]] != out);
        normals.subset(&kept.collect::<Vec<usize>>())
    }

    /// Held-out scores of a member's references, in their canonical order.
    pub(crate) fn held_out(
        &self,
        backend: &BackendConfig,
        normals: &Normals,
    ) -> Result<Vec<f64>, ScoreError> {
        let folds = self.partition.scale_folds();
        let labels: Vec<usize> = normals.origin.iter().map(|&row| folds[row]).collect();
        backend.held_out_by(normals, &labels)
    }
}

impl Fusion {
    /// Fits every member to all references.
    ///
    /// # Errors
    /// [`ScoreError`] when there is no member, members do not have the same windows, a setting
    /// lies outside its range, there are fewer than three windows, or no member's held-out scores
    /// vary.
    pub fn fit(members: &[Member], rule: Rule) -> Result<Self, ScoreError> {
        Self::learned(members, rule, &Learning::new(members)?)
    }

    pub(crate) fn learned(
        members: &[Member],
        rule: Rule,
        learning: &Learning,
    ) -> Result<Self, ScoreError> {
        let mut fused = Vec::new();
        let mut z_of_rows = vec![Vec::new(); learning.partition.units.len()];
        for (member, (config, normals)) in members.iter().zip(&learning.members) {
            let held_out = learning.held_out(config, normals)?;
            let scale = Scale::of(&held_out, config.is_signed());
            for (&row, &score) in normals.origin.iter().zip(&held_out) {
                z_of_rows[row].extend(scale.map(|scale| scale.z(score)));
            }
            let backend = config.fit_normals(normals)?;
            fused.push(FusedMember { name: member.name.clone(), backend, scale });
        }
        if fused.iter().all(|member| member.scale.is_none()) {
            return Err(ScoreError::Constant);
        }
        let held_out = z_of_rows.into_iter().map(|z| rule.join(z.into_iter())).collect();
        Ok(Self { members: fused, rule, held_out })
    }

    /// Fits every member to all references, with scales that were found before.
    pub(crate) fn restored(
        members: &[Member],
        rule: Rule,
        learning: &Learning,
        known: &Scales,
    ) -> Result<Self, ScoreError> {
        let fit = |((member, (config, normals)), &scale): (
            (&Member, &(BackendConfig, Normals)),
            &Option<Scale>,
        )| {
            let (name, backend) = (member.name.clone(), config.fit_normals(normals)?);
            Ok(FusedMember { name, backend, scale })
        };
        let fused = members.iter().zip(&learning.members).zip(&known.members).map(fit);
        let members = fused.collect::<Result<_, ScoreError>>()?;
        Ok(Self { members, rule, held_out: known.held_out.clone() })
    }

    /// Joined scores of windows, given by one array (`[windows, dims]`) per member: deviations
    /// from the median of normals.
    ///
    /// # Errors
    /// [`ScoreError`] when arrays do not match the members, or a number is not finite.
    pub fn score(&self, windows: &[ArrayView2<f32>]) -> Result<Vec<f64>, ScoreError> {
        self.check(windows)?;
        let mut z_of_windows = vec![Vec::new(); windows[0].nrows()];
        for (member, embeddings) in self.members.iter().zip(windows) {
            let Some(scale) = member.scale else { continue };
            for (z, score) in z_of_windows.iter_mut().zip(member.backend.score(*embeddings)?) {
                z.push(scale.z(score));
            }
        }
        Ok(z_of_windows.into_iter().map(|z| self.rule.join(z.into_iter())).collect())
    }

    /// What each member says of each window: one list per window, in the order of the members.
    ///
    /// # Errors
    /// As [`Fusion::score`].
    pub fn member_scores(
        &self,
        windows: &[ArrayView2<f32>],
    ) -> Result<Vec<Vec<MemberScore>>, ScoreError> {
        self.check(windows)?;
        let mut of_windows = vec![Vec::new(); windows[0].nrows()];
        for (member, embeddings) in self.members.iter().zip(windows) {
            let scores = member.backend.score(*embeddings)?;
            let nearest = member.backend.nearest(*embeddings)?;
            for ((list, score), nearest) in of_windows.iter_mut().zip(scores).zip(nearest) {
                list.push(MemberScore { score, z: member.scale.map(|s| s.z(score)), nearest });
            }
        }
        Ok(of_windows)
    }

    /// The joined score of each window, the member that raised it the most, and its nearest reference by that one.
    pub(crate) fn raised(&self, windows: &[ArrayView2<f32>]) -> Result<Vec<Raised>, ScoreError> {
        let most = |scores: Vec<MemberScore>| {
            let z = |score: &MemberScore| score.z.unwrap_or(f64::NEG_INFINITY);
            let member = (1..scores.len()).fold(0, |best, other| {
                if z(&scores[other]) > z(&scores[best]) { other } else { best }
            });
            let score = self.rule.join(scores.iter().filter_map(|score| score.z));
            Raised { score, member, nearest: scores[member].nearest }
        };
        Ok(self.member_scores(windows)?.into_iter().map(most).collect())
    }

    /// The first member's backend.
    pub(crate) fn first(&self) -> &Backend {
        &self.members[0].backend
    }

    /// Joined scores of the references, each held out with its whole recording, in their order.
    pub fn held_out(&self) -> &[f64] {
        &self.held_out
    }

    /// Names of the members, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// The scale of each member, in order; none where a member does not count.
    pub fn scales(&self) -> impl Iterator<Item = Option<Scale>> {
        self.members.iter().map(|member| member.scale)
    }

    /// Names of the members that do not count, since their held-out scores do not vary.
    pub fn left_out(&self) -> impl Iterator<Item = &str> {
        self.members.iter().filter(|m| m.scale.is_none()).map(|member| member.name.as_str())
    }

    /// The rule that joins scores.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    fn check(&self, windows: &[ArrayView2<f32>]) -> Result<(), ScoreError> {
        let (found, expected) = (windows.len(), self.members.len());
        if found != expected {
            return Err(ScoreError::MemberCount { found, expected });
        }
        let rows = windows[0].nrows();
        for (member, embeddings) in self.members.iter().zip(windows) {
            if embeddings.nrows() != rows {
                return Err(ScoreError::Members { name: member.name.clone() });
            }
            check_finite(*embeddings)?;
        }
        Ok(())
    }
}

/// Members fitted without some units: what those units and new windows are compared by.
#[derive(Debug)]
pub(crate) struct LeaveOut {
    /// None where a member does not count.
    members: Vec<Option<(Box<dyn FittedBackend>, Scale)>>,
    /// Largest joined score over the windows of the unit left out.
    pub(crate) farthest: f64,
}

impl LeaveOut {
    pub(crate) fn fit(
        learning: &Learning,
        members: &[Member],
        out: usize,
        rule: Rule,
    ) -> Result<Self, ScoreError> {
        let units = &learning.partition.units;
        let mut fitted = Vec::new();
        for (config, normals) in &learning.members {
            let kept = learning.without(out, normals);
            let held_out = learning.held_out(config, &kept)?;
            let scale = Scale::of(&held_out, config.is_signed());
            fitted.push(match scale {
                Some(scale) => Some((config.fit_scores(&kept)?, scale)),
                None => None,
            });
        }
        let leave_out = Self { members: fitted, farthest: f64::NEG_INFINITY };
        let rows: Vec<usize> = (0..units.len()).filter(|&row| units[row] == out).collect();
        let windows: Vec<_> =
            members.iter().map(|m| m.references.embeddings().select(Axis(0), &rows)).collect();
        let views: Vec<_> = windows.iter().map(|array| array.view()).collect();
        let scores = leave_out.score(&views, rule)?;
        let farthest = scores.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Ok(Self { farthest, ..leave_out })
    }

    /// As [`LeaveOut::fit`], with the scales and the farthest score that it found before.
    pub(crate) fn restored(
        learning: &Learning,
        out: usize,
        known: &LeftOut,
    ) -> Result<Self, ScoreError> {
        let fit = |((config, normals), scale): (&(BackendConfig, Normals), &Option<Scale>)| {
            let Some(scale) = *scale else { return Ok(None) };
            Ok(Some((config.fit_scores(&learning.without(out, normals))?, scale)))
        };
        let members = learning.members.iter().zip(&known.members).map(fit);
        let members = members.collect::<Result<_, ScoreError>>()?;
        Ok(Self { members, farthest: known.farthest })
    }

    /// What fitting found on held-out normals.
    pub(crate) fn known(&self) -> LeftOut {
        let scale = |member: &Option<(Box<dyn FittedBackend>, Scale)>| {
            member.as_ref().map(|(_, scale)| *scale)
        };
        LeftOut { members: self.members.iter().map(scale).collect(), farthest: self.farthest }
    }

    /// Joined scores of windows, on the scale of the units kept.
    pub(crate) fn score(
        &self,
        windows: &[ArrayView2<f32>],
        rule: Rule,
    ) -> Result<Vec<f64>, ScoreError> {
        let mut z_of_windows = vec![Vec::new(); windows[0].nrows()];
        for (member, embeddings) in self.members.iter().zip(windows) {
            let Some((fitted, scale)) = member else { continue };
            for (z, score) in z_of_windows.iter_mut().zip(check_scores(fitted.score(*embeddings))?)
            {
                z.push(scale.z(score));
            }
        }
        Ok(z_of_windows.into_iter().map(|z| rule.join(z.into_iter())).collect())
    }
}

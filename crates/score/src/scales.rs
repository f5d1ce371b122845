//! What fitting a detector finds on held-out normals: with it, and the references, the detector is made
//! again, bit for bit, for a small part of the work.

use ndarray::{Array1, Array2, ArrayView2};

use crate::{BackendConfig, Guarantee, References, Scale, ScoreError, partition::Partition};

/// Scales of a detector's members, by all references and without each recording.
///
/// Most of the work of fitting goes into them: each is found on scores of normals that were held out in
/// folds, once per recording left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Scales {
    /// The scale of each member by all references; none where it does not count.
    pub(crate) members: Vec<Option<Scale>>,
    /// Joined scores of the references, each held out with its recording, in their order.
    pub(crate) held_out: Vec<f64>,
    /// For each recording left out.
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) guarantee: Guarantee,
}

/// What a detector without one recording compares with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LeftOut {
    /// The scale of each member; none where it does not count.
    pub(crate) members: Vec<Option<Scale>>,
    /// Largest joined score over the windows of the recording.
    pub(crate) farthest: f64,
}

impl Scales {
    /// As tables, to be kept beside the references: one row for all references and one for each recording
    /// left out, with median and deviation of each member (no numbers where it does not count) and the
    /// farthest score; and the held-out scores.
    pub fn to_tables(&self) -> (Array2<f64>, Array1<f64>) {
        let mut table = Array2::from_elem((0, 2 * self.members.len() + 1), f64::NAN);
        let rows = self.left_out.iter().map(|out| (&out.members, out.farthest));
        for (scales, farthest) in std::iter::once((&self.members, 0.0)).chain(rows) {
            let numbers = scales.iter().flat_map(|scale| {
                scale.map_or([f64::NAN; 2], |scale| [scale.median(), scale.deviation()])
            });
            let row: Array1<f64> = numbers.chain([farthest]).collect();
            table.push_row(row.view()).expect("every row has its members and one more");
        }
        (table, self.held_out.iter().copied().collect())
    }

    /// From the tables of [`Scales::to_tables`], for the references of any member, which they were found on,
    /// and the backends of all; none where they do not go with them.
    ///
    /// # Errors
    /// As [`crate::Detector::fit`], where the references cannot be used at all.
    pub fn of_tables(
        table: ArrayView2<f64>,
        held_out: &[f64],
        references: &References,
        backends: &[&BackendConfig],
    ) -> Result<Option<Self>, ScoreError> {
        let partition = Partition::new(references)?;
        let expected = (1 + partition.leave_outs.len(), 2 * backends.len() + 1);
        let usable = table.dim() == expected
            && held_out.len() == partition.units.len()
            && held_out.iter().chain(table.column(expected.1 - 1)).all(|score| score.is_finite());
        if !usable {
            return Ok(None);
        }
        let scales = |row: usize| {
            let mut scales = Vec::new();
            for (number, backend) in backends.iter().enumerate() {
                let (median, deviation) = (table[[row, 2 * number]], table[[row, 2 * number + 1]]);
                let is_absent = median.is_nan() && deviation.is_nan();
                let restored = || Scale::restored(median, deviation, backend.is_signed());
                scales.push(if is_absent { None } else { Some(restored()?) });
            }
            Some(scales)
        };
        let Some(of_all) = scales(0) else { return Ok(None) };
        let left_out = (1..expected.0).map(|row| {
            Some(LeftOut { members: scales(row)?, farthest: table[[row, expected.1 - 1]] })
        });
        let Some(left_out) = left_out.collect::<Option<Vec<_>>>() else { return Ok(None) };
        let (held_out, guarantee) = (held_out.to_vec(), partition.guarantee);
        Ok(Some(Self { members: of_all, held_out, left_out, guarantee }))
    }

    /// What is known about false alarms.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// Joined scores of the references, each held out with its whole recording, in their order.
    pub fn held_out(&self) -> &[f64] {
        &self.held_out
    }
}

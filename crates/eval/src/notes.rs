//! What is to be said of rows and their means.

use crate::{
    Note, SectionMetrics,
    official::Formula,
    result_rows::{Areas, ResultRow},
};

/// Why numbers of these rows and their means are missing, or stand for less than all.
pub(crate) fn notes(
    formula: Formula,
    rows: &[(&ResultRow, Areas)],
    sections: &[SectionMetrics],
) -> Vec<Note> {
    let ranked = rows.iter().filter(|(_, areas)| areas.auc.is_some()).count();
    if ranked == 0 {
        return vec![Note::NothingToRank];
    }
    let mut notes = Vec::new();
    let lacking = formula.without_domains(rows);
    if lacking > 0 {
        notes.push(Note::NoDomains { rows: lacking, of: ranked });
    }
    for (section, (row, _)) in sections.iter().zip(rows).filter(|(s, _)| s.auc.is_none()) {
        notes.push(Note::RowLeftOut {
            row: row.name(),
            normal: section.normal,
            anomalous: section.anomalous,
            unlabelled: section.unlabelled,
        });
    }
    let with_source = rows.iter().filter(|(_, areas)| areas.auc_source.is_some()).count();
    let with_target = rows.iter().filter(|(_, areas)| areas.auc_target.is_some()).count();
    for (metric, with) in [("source AUC", with_source), ("target AUC", with_target)] {
        if 0 < with && with < ranked && !formula.scores_domains_apart() {
            notes.push(Note::FewerRows { metric: metric.to_owned(), rows: with, of: ranked });
        }
    }
    notes
}

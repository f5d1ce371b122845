//! The official score of each year.

use offkey_core::{ScoreRow, Year};

/// The year whose file names these are, where they tell: 2020 by its machine ids, 2021 by test
/// names that state domain and condition but no attributes, over several sections.
pub fn recognise_year(rows: &[ScoreRow]) -> Option<Year> {
    let _ = rows;
    None
}

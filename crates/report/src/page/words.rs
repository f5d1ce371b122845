//! Numbers in words, the same on every part of the page.

use offkey_eval::{Drawn, Estimate};

/// A count with its noun.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Names in a row, as in `fan, pump and valve`.
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// As in `0.77 to 0.91`; empty without an interval.
pub(crate) fn range(estimate: &Estimate) -> String {
    estimate.interval.map_or_else(String::new, |interval| {
        let text = |value: f64| format!("{value:.2}").replace('-', "\u{2212}");
        format!("{} to {}", text(interval.low), text(interval.high))
    })
}

/// What an interval is drawn over, as in ` over 16 sections`; nothing of recordings.
pub(crate) fn drawn_over(drawn: Drawn, rows: usize, seeds: usize) -> String {
    match drawn {
        Drawn::Recordings => String::new(),
        Drawn::Rows => format!(" over {}", plural(rows, "section")),
        Drawn::Seeds => format!(" over {}", plural(seeds, "seed")),
    }
}

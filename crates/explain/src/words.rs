//! An explanation in sentences.

use offkey_report::rise::Finding;

use crate::explanation::Explanation;

/// Below this the groups of masks disagree about more than they agree on.
const RELIABLE: f64 = 0.5;

/// Places of the spectrogram, as in `3.2-4.1 s, 2400-3100 Hz: 9 dB above normal`.
pub fn places(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Bands of the whole clip's spectrum, as in `spectrum, 2400-3100 Hz: 9 dB above normal`.
pub fn bands(findings: &[Finding]) -> Vec<String> {
    let words = findings.iter().map(ToString::to_string);
    words.map(|words| words.replacen("throughout", "spectrum of the whole clip", 1)).collect()
}

/// Score, nearest normal clip, places, bands, and how far to trust them.
pub(crate) fn sentences(explanation: &Explanation) -> Vec<String> {
    let Explanation { score, threshold, section, nearest, nearest_distance, .. } = explanation;
    let side = if score > threshold { "above" } else { "not above" };
    let mut words = vec![
        format!(
            "score {score:.4}, {side} the threshold {threshold:.4} of {} {}",
            section.machine, section.section
        ),
        format!("nearest normal clip: {}, distance {nearest_distance:.4}", nearest.display()),
    ];
    let found = places(&explanation.findings);
    words.extend(found.iter().enumerate().map(|(index, place)| format!("{}: {place}", index + 1)));
    if found.is_empty() {
        words.push("no part of the spectrogram raises the score more than the rest".to_owned());
    }
    if explanation.spectrum_reliability.is_some_and(|reliability| reliability >= RELIABLE) {
        words.extend(bands(&explanation.spectrum_findings));
    }
    words.extend(explanation.gaps.iter().map(|gap| format!("gap: {gap}")));
    words.push(trust(explanation));
    words
}

fn trust(explanation: &Explanation) -> String {
    let Explanation { masks, reliability, deletion_gain, .. } = explanation;
    let estimate = format!("{masks} masks, reliability {reliability:.2}");
    if *reliability < RELIABLE {
        return format!("{estimate}: a rough estimate, more masks would change it");
    }
    let (amount, than) = (deletion_gain.abs(), "than removing parts at random");
    if *deletion_gain > 0.0 {
        format!(
            "{estimate}; removing the marked parts first lowers the score by {amount:.4} more {than}"
        )
    } else {
        format!(
            "{estimate}; removing the marked parts first lowers the score by {amount:.4} less {than}: \
             doubt the marks"
        )
    }
}

//! Histogram of anomaly scores: normal, anomalous and unlabelled clips, with the threshold.

use std::fmt::Write;

use super::{Axis, Canvas, Chart, Frame, number, svg::Legend};

/// Height without legend.
const HEIGHT: f64 = 212.0;
const MOST_BINS: usize = 40;

/// Scores of one section.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// What the scores are of, as in `fan 00`.
    pub title: String,
    /// Scores of normal clips.
    pub normal: Vec<f64>,
    /// Scores of anomalous clips.
    pub anomalous: Vec<f64>,
    /// Scores of clips without truth.
    pub unlabelled: Vec<f64>,
    /// Scores above it are alarms.
    pub threshold: Option<f64>,
}

/// Equal bins and the counts of the three groups in each.
struct Binned {
    low: f64,
    width: f64,
    counts: [Vec<usize>; 3],
}

impl Histogram {
    /// The groups that have clips: class of their colour, name, scores.
    fn groups(&self) -> [(&'static str, &'static str, &[f64]); 3] {
        [
            ("0", "normal", &self.normal),
            ("1", "anomalous", &self.anomalous),
            ("6", "not labelled", &self.unlabelled),
        ]
    }

    fn legend(&self) -> Legend {
        let groups = self.groups().into_iter().filter(|group| !group.2.is_empty());
        let names = groups.map(|(class, name, scores)| {
            (format!("s{class}"), format!("{name} ({})", scores.len()))
        });
        let threshold = self
            .threshold
            .map(|threshold| ("threshold".to_owned(), format!("threshold {}", number(threshold))));
        Legend::new(names.chain(threshold))
    }

    /// How many clips lie above the threshold, in words; empty without one.
    pub fn above_threshold(&self) -> String {
        let Some(threshold) = self.threshold else { return String::new() };
        let groups = self.groups().into_iter().filter(|group| !group.2.is_empty());
        let counts: Vec<String> = groups
            .map(|(_, name, scores)| {
                let above = scores.iter().filter(|score| **score > threshold).count();
                format!("{above} of {} {name}", scores.len())
            })
            .collect();
        format!("Above the threshold: {}.", counts.join(", "))
    }

    /// Bins as wide as Freedman and Diaconis propose, at least 8 and at most 40 of them.
    fn binned(&self) -> Binned {
        let mut all: Vec<f64> = self.groups().iter().flat_map(|group| group.2).copied().collect();
        all.sort_unstable_by(f64::total_cmp);
        let (low, high) = match (all.first(), all.last()) {
            (Some(&low), Some(&high)) if high > low => (low, high),
            (Some(&low), _) => (low - 0.5, low + 0.5),
            _ => (0.0, 1.0),
        };
        let quartile = |share: f64| all.get((share * all.len() as f64) as usize).copied();
        let spread = quartile(0.75).zip(quartile(0.25)).map_or(0.0, |(high, low)| high - low);
        let width = 2.0 * spread / (all.len() as f64).cbrt();
        let wanted = if width > 0.0 { ((high - low) / width).ceil() as usize } else { 0 };
        let bins = wanted.clamp(8, MOST_BINS);
        let width = (high - low) / bins as f64;
        let count = |scores: &[f64]| {
            let mut counts = vec![0; bins];
            for score in scores {
                counts[(((score - low) / width) as usize).min(bins - 1)] += 1;
            }
            counts
        };
        Binned { low, width, counts: self.groups().map(|group| count(group.2)) }
    }
}

impl Chart for Histogram {
    fn svg(&self) -> String {
        let Binned { low, width, counts } = self.binned();
        let high = low + width * counts[0].len() as f64;
        let edges = [low, high].into_iter().chain(self.threshold);
        let tallest = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
        let legend = self.legend();
        let height = HEIGHT + legend.height();
        let y = Axis::around([0.0, tallest as f64].into_iter(), 4);
        let frame = Frame::new(height, &legend, Axis::around(edges, 6), y);
        let mut canvas = Canvas::new(height);
        frame.draw(&mut canvas, "anomaly score", "clips");
        let groups = self.groups().into_iter().zip(&counts);
        for ((class, _, _), counts) in groups.filter(|((_, _, scores), _)| !scores.is_empty()) {
            let mut outline = vec![frame.place(low, 0.0)];
            for (bin, &count) in counts.iter().enumerate() {
                let edge = low + width * bin as f64;
                outline.push(frame.place(edge, count as f64));
                outline.push(frame.place(edge + width, count as f64));
            }
            outline.push(frame.place(high, 0.0));
            canvas.path(&format!("f{class} area"), &outline, true);
            canvas.path(&format!("s{class}"), &outline, false);
        }
        if let Some(threshold) = self.threshold {
            let [x, _] = frame.place(threshold, 0.0);
            canvas.line("threshold", [x, frame.top], [x, frame.bottom]);
        }
        legend.draw(&mut canvas);
        canvas.finish(&self.description())
    }

    fn description(&self) -> String {
        let mut words = format!("Histogram of anomaly scores, {}.", self.title);
        for (_, name, scores) in self.groups() {
            let Some(median) = median(scores) else { continue };
            let _ = write!(words, " {} {name} clips, median {}.", scores.len(), number(median));
        }
        format!("{words} {}", self.above_threshold()).trim_end().to_owned()
    }

    fn csv(&self) -> String {
        let Binned { low, width, counts: [normal, anomalous, unlabelled] } = self.binned();
        let mut csv = "from,to,normal,anomalous,unlabelled\n".to_owned();
        for bin in 0..normal.len() {
            let (from, to) = (low + width * bin as f64, low + width * (bin + 1) as f64);
            let counts = format!("{},{},{}", normal[bin], anomalous[bin], unlabelled[bin]);
            let _ = writeln!(csv, "{from},{to},{counts}");
        }
        csv
    }
}

/// The middle value; the lower of the two middle ones for an even count.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

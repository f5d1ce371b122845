//! Histogram of anomaly scores: normal, anomalous and unlabelled clips, with the threshold.

use std::fmt::Write;

use offkey_core::stats::{Sorted, median};

use super::{Axis, Canvas, Chart, Frame, are_skewed, number, svg::Legend};

/// Height without legend.
const HEIGHT: f64 = 212.0;
const MOST_BINS: usize = 40;
/// Most clips that are marked one by one.
const MOST_SINGLE: usize = 60;

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

/// Bins of equal width on the axis, and the counts of the three groups in each.
struct Binned {
    /// Edges of the bins: one more than there are bins.
    edges: Vec<f64>,
    counts: [Vec<usize>; 3],
    is_logarithmic: bool,
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

    fn legend(&self, width: f64) -> Legend {
        let groups = self.groups().into_iter().filter(|group| !group.2.is_empty());
        let names = groups.map(|(class, name, scores)| {
            (format!("s{class}"), format!("{name} ({})", scores.len()))
        });
        let threshold = self
            .threshold
            .map(|threshold| ("threshold".to_owned(), format!("threshold {}", number(threshold))));
        Legend::new(width, names.chain(threshold))
    }

    /// A stroke a clip at the foot of the chart, where bins alone would hide how few there are.
    fn draw_single(&self, frame: &Frame, canvas: &mut Canvas) {
        let groups = self.groups();
        if groups.iter().map(|group| group.2.len()).sum::<usize>() > MOST_SINGLE {
            return;
        }
        for (class, _, scores) in groups {
            for score in scores {
                let [x, y] = frame.place(*score, 0.0);
                canvas.line(&format!("s{class}"), [x, y - 7.0], [x, y]);
            }
        }
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

    /// Bins as wide as Freedman and Diaconis propose, at least 8 and at most 40 of them; of the
    /// scores' logarithms where most scores are far below the largest.
    fn binned(&self) -> Binned {
        let scores = || self.groups().into_iter().flat_map(|group| group.2).copied();
        let is_logarithmic = are_skewed(scores()) && self.threshold.is_none_or(|at| at > 0.0);
        let to = |value: f64| if is_logarithmic { value.ln() } else { value };
        let from = |value: f64| if is_logarithmic { value.exp() } else { value };
        let all = Sorted::new(scores().map(to));
        let (low, high) = match all.range() {
            Some((low, high)) if high > low => (low, high),
            Some((low, _)) => (low - 0.5, low + 0.5),
            None => (0.0, 1.0),
        };
        let quartiles = all.quantile(0.75).zip(all.quantile(0.25));
        let spread = quartiles.map_or(0.0, |(upper, lower)| upper - lower);
        let width = 2.0 * spread / (all.values().len() as f64).cbrt();
        let wanted = if width > 0.0 { ((high - low) / width).ceil() as usize } else { 0 };
        let bins = wanted.clamp(8, MOST_BINS);
        let width = (high - low) / bins as f64;
        let count = |scores: &[f64]| {
            let mut counts = vec![0; bins];
            for score in scores {
                counts[(((to(*score) - low) / width) as usize).min(bins - 1)] += 1;
            }
            counts
        };
        let counts = self.groups().map(|group| count(group.2));
        let edges = (0..=bins).map(|edge| from(low + width * edge as f64)).collect();
        Binned { edges, counts, is_logarithmic }
    }
}

impl Chart for Histogram {
    fn svg_at(&self, width: f64) -> String {
        let Binned { edges, counts, is_logarithmic } = self.binned();
        let (low, high) = (edges[0], edges[edges.len() - 1]);
        let ends = [low, high].into_iter().chain(self.threshold);
        let (x, title) = if is_logarithmic {
            (Axis::around_logarithms(ends), "anomaly score (log)")
        } else {
            (Axis::around(ends, 6), "anomaly score")
        };
        let tallest = counts.iter().flatten().copied().max().unwrap_or(0);
        let legend = self.legend(width);
        let height = HEIGHT + legend.height();
        let y = Axis::counts(tallest);
        let frame = Frame::new([width, height], &legend, x, y);
        let mut canvas = Canvas::new(width, height);
        frame.draw(&mut canvas, title, "clips");
        let bin = |(bin, ends): (usize, &[f64])| {
            let [normal, anomalous, unlabelled] = [0, 1, 2].map(|group| counts[group][bin]);
            format!("{:.4e} {:.4e} {normal} {anomalous} {unlabelled}", ends[0], ends[1])
        };
        canvas.tell("bins", &edges.windows(2).enumerate().map(bin).collect::<Vec<_>>().join(";"));
        let groups = self.groups().into_iter().zip(&counts);
        for ((class, _, _), counts) in groups.filter(|((_, _, scores), _)| !scores.is_empty()) {
            let mut outline = vec![frame.place(low, 0.0)];
            for (bin, &count) in counts.iter().enumerate() {
                outline.push(frame.place(edges[bin], count as f64));
                outline.push(frame.place(edges[bin + 1], count as f64));
            }
            outline.push(frame.place(high, 0.0));
            canvas.path(&format!("f{class} area"), &outline, true);
            canvas.path(&format!("s{class}"), &outline, false);
        }
        self.draw_single(&frame, &mut canvas);
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
            let Some(median) = median(scores.iter().copied()) else { continue };
            let _ = write!(words, " {} {name} clips, median {}.", scores.len(), number(median));
        }
        format!("{words} {}", self.above_threshold()).trim_end().to_owned()
    }

    fn csv(&self) -> String {
        let Binned { edges, counts: [normal, anomalous, unlabelled], .. } = self.binned();
        let mut csv = "from,to,normal,anomalous,unlabelled\n".to_owned();
        for bin in 0..normal.len() {
            let (from, to) = (edges[bin], edges[bin + 1]);
            let counts = format!("{},{},{}", normal[bin], anomalous[bin], unlabelled[bin]);
            let _ = writeln!(csv, "{from},{to},{counts}");
        }
        csv
    }
}

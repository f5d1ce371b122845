//! Why a clip scored as it did, on one sheet: the clip with its marks, the nearest normal clip, the
//! spectrum, and the words.

use std::fmt::Write;

use super::{
    Chart, LineChart, Picture, SPECTROGRAM_HEIGHT, spectrogram_svg,
    svg::{Canvas, WIDTH, shortened, standalone},
};
use crate::rise::Finding;

/// Letters of a line of words.
const LINE_LETTERS: usize = 56;
const LINE_HEIGHT: f64 = 17.0;
/// Room between the columns.
const GAP: f64 = 20.0;
/// Where the pictures begin, below the headings.
const PICTURES_TOP: f64 = 66.0;

/// An explanation as one picture that needs no other file.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedClip {
    /// The clip, as its file's name.
    pub title: String,
    /// Its score in a line.
    pub subtitle: String,
    /// Its spectrogram with importance laid over it.
    pub clip: Picture,
    /// Places framed and numbered in it.
    pub marked: Vec<Finding>,
    /// Name and spectrogram of the nearest normal clip.
    pub nearest: Option<(String, Picture)>,
    /// Importance over the spectrum of the whole clip.
    pub spectrum: Option<LineChart>,
    /// What there is to say, a sentence each.
    pub words: Vec<String>,
}

impl ExplainedClip {
    /// The sheet as an SVG file: two columns, pictures above, spectrum and words below.
    pub fn svg(&self) -> String {
        let words = self.lines();
        let spectrum = self.spectrum.as_ref().map(|chart| (chart, chart_height(chart)));
        let below = PICTURES_TOP + SPECTROGRAM_HEIGHT + 28.0;
        let words_height = LINE_HEIGHT * words.len() as f64;
        let height = below + spectrum.as_ref().map_or(0.0, |s| s.1).max(words_height) + 12.0;
        let mut canvas = Canvas::new(2.0 * WIDTH + GAP, height);
        canvas.text("title", [12.0, 20.0], &shortened(&self.title, 100));
        canvas.text("tick", [12.0, 38.0], &self.subtitle);
        let right = WIDTH + GAP;
        canvas.text("label", [12.0, PICTURES_TOP - 8.0], "this clip; orange raises the score");
        let description = format!("Spectrogram of {}. {}", self.title, self.words.join("; "));
        let clip = spectrogram_svg(&self.clip, None, &self.marked, &description);
        canvas.raw(&placed(&clip, [0.0, PICTURES_TOP], SPECTROGRAM_HEIGHT));
        if let Some((name, picture)) = &self.nearest {
            let heading = format!("nearest normal clip: {}", shortened(name, 40));
            canvas.text("label", [right + 12.0, PICTURES_TOP - 8.0], &heading);
            let svg = spectrogram_svg(picture, None, &[], &format!("Spectrogram of {name}"));
            canvas.raw(&placed(&svg, [right, PICTURES_TOP], SPECTROGRAM_HEIGHT));
        }
        let mut words_left = 12.0;
        if let Some((chart, height)) = spectrum {
            canvas.text("label", [12.0, below - 8.0], &chart.title);
            canvas.raw(&placed(&chart.svg(), [0.0, below], height));
            words_left += right;
        }
        for (index, line) in words.iter().enumerate() {
            let y = below + LINE_HEIGHT * (index as f64 + 1.0);
            canvas.text("label", [words_left, y], line);
        }
        standalone(&canvas.finish(&format!("Why {} scored as it did", self.title)))
    }

    fn lines(&self) -> Vec<String> {
        self.words.iter().flat_map(|words| wrapped(words)).collect()
    }
}

/// A chart inside another, at a place.
fn placed(svg: &str, [x, y]: [f64; 2], height: f64) -> String {
    let tag = format!(
        "<svg x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{height}\" overflow=\"visible\" "
    );
    svg.replacen("<svg ", &tag, 1)
}

/// Height of a chart, from its own `viewBox`.
fn chart_height(chart: &LineChart) -> f64 {
    let svg = chart.svg();
    let size = svg.split("viewBox=\"").nth(1).and_then(|rest| rest.split('"').next());
    let height = size.and_then(|size| size.split(' ').nth(3)?.parse().ok());
    height.expect("every chart has a viewBox of four numbers")
}

/// Words in lines; all but the first are set in.
fn wrapped(words: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let line = lines.last_mut().expect("never empty");
        if !line.trim().is_empty() && line.chars().count() + word.chars().count() >= LINE_LETTERS {
            lines.push(format!("\u{2003}{word}"));
        } else {
            let space = if line.is_empty() { "" } else { " " };
            let _ = write!(line, "{space}{word}");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_keeps_every_word_and_no_line_is_too_long() {
        let words = "one two three ".repeat(20);
        let lines = wrapped(words.trim());
        assert!(lines.len() > 3 && lines.iter().all(|line| line.chars().count() <= LINE_LETTERS));
        let again: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        assert_eq!(again, words.split_whitespace().collect::<Vec<_>>());
    }
}

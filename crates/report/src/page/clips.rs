//! All scored clips in one table, mistakes first; rows of shown clips open to sound, spectrogram, what
//! raised the score, and the nearest normal clip.

use std::{collections::BTreeSet, fmt::Write};

use askama::Template;
use offkey_core::{Clip, Condition, ScoreRow};

use super::{
    PageData,
    counts::{Counts, Key, Outcome},
    data::{AudioClip, ClipCard, NearestNormal, Role, SectionScores},
    relative::{RelativeAxis, Scale},
    threshold::first_of_section,
};
use crate::{
    chart::{Picture, spectrogram_svg},
    markup::{Markup, breakable, data_url},
};

/// Rows at most: mistakes and shown clips come first, so they are not left out.
const MOST_ROWS: usize = 1500;

/// The order in which sound is given to roles, where a page does not hold all of it.
const ROLES: [Role; 5] =
    [Role::Chosen, Role::Miss, Role::FalseAlarm, Role::MostAnomalous, Role::MostNormal];

#[derive(Template)]
#[template(path = "clips.html")]
struct Table {
    rows: Vec<Line>,
    machines: Vec<String>,
    /// Outcomes that occur, with their count.
    outcomes: Vec<(Outcome, usize)>,
    mistakes: usize,
    all: usize,
    is_judged: bool,
    threshold_at: String,
}

/// One clip of the table.
struct Line {
    /// Its place in the arrays of the threshold's script.
    index: String,
    machine: String,
    section: String,
    name: Markup,
    text: String,
    meta: Markup,
    outcome: Outcome,
    /// Its relative score, and the place of that in per cent.
    relative: String,
    at: String,
    card: Option<Card>,
    /// What it is ordered by: outcome, then how far it lies on its side.
    order: (Outcome, f64),
}

/// What opens below a row.
struct Card {
    anchor: usize,
    body: Markup,
}

/// A clip with all that is known of it.
#[derive(Template)]
#[template(path = "clip.html")]
struct Article<'a> {
    plain_name: &'a str,
    name: Markup,
    known: Markup,
    words: &'a [String],
    title: &'static str,
    drawing: Markup,
    is_marked: bool,
    player: Markup,
    nearest: Option<Nearest>,
}

struct Nearest {
    title: String,
    drawing: Markup,
    player: Markup,
    name: Markup,
}

/// A player of a clip's sound, or why there is none.
#[derive(Template)]
#[template(path = "player.html")]
struct Player<'a> {
    name: &'a str,
    url: Option<Markup>,
}

/// The table, with as much sound as `audio_bytes` hold.
pub(crate) fn clips(data: &PageData, audio_bytes: usize) -> Markup {
    let heard = Heard::of(&data.clips, audio_bytes);
    let mut rows = lines(data, &heard);
    if rows.is_empty() {
        return Markup::default();
    }
    let all = rows.len();
    rows.sort_by(|a, b| a.order.0.cmp(&b.order.0).then(a.order.1.total_cmp(&b.order.1)));
    let mut left = MOST_ROWS;
    rows.retain(|row| {
        let is_kept = row.card.is_some() || left > 0;
        left = left.saturating_sub(usize::from(is_kept));
        is_kept
    });
    let counts = Counts::of(data.sections.iter().flat_map(|section| &section.rows));
    let outcomes = Outcome::ALL.into_iter().map(|outcome| (outcome, counts.get(outcome)));
    let names: BTreeSet<&String> = rows.iter().map(|row| &row.machine).collect();
    Markup::of(&Table {
        machines: names.into_iter().cloned().collect(),
        outcomes: outcomes.filter(|(_, count)| *count > 0).collect(),
        mistakes: counts.get(Outcome::Missed) + counts.get(Outcome::FalseAlarm),
        all,
        is_judged: counts.is_judged(),
        threshold_at: format!("{:.2}", 100.0 * axis_of(data).share(1.0)),
        rows,
    })
}

/// The scale of the small bars, of all sections together.
fn axis_of(data: &PageData) -> RelativeAxis {
    let of = |section: &SectionScores| {
        let scale = Scale::of(section);
        let rows = section.rows.iter();
        rows.filter_map(move |row| Some(scale?.relative(row.score))).collect::<Vec<_>>()
    };
    RelativeAxis::around(data.sections.iter().flat_map(of))
}

fn lines(data: &PageData, heard: &Heard) -> Vec<Line> {
    let axis = axis_of(data);
    let mut used = BTreeSet::new();
    let mut lines = Vec::new();
    for (section, first) in data.sections.iter().zip(first_of_section(&data.sections)) {
        let scale = Scale::of(section);
        for (at, row) in section.rows.iter().enumerate() {
            let card = index_of(&data.clips, &row.clip).filter(|card| used.insert(*card));
            let relative = scale.map(|scale| scale.relative(row.score));
            lines.push(line(
                row,
                relative,
                first.map(|first| first + at),
                axis,
                card.map(|card| article(card, &data.clips[card], heard)),
            ));
        }
    }
    // Clips that are shown and in no section of the page.
    for (index, card) in data.clips.iter().enumerate() {
        if !used.contains(&index) {
            let decision = card.threshold.map(|threshold| card.score > threshold);
            let row = ScoreRow { clip: card.clip.clone(), score: card.score, decision };
            lines.push(line(&row, None, None, axis, Some(article(index, card, heard))));
        }
    }
    lines
}

fn line(
    row: &ScoreRow,
    relative: Option<f64>,
    index: Option<usize>,
    axis: RelativeAxis,
    card: Option<Card>,
) -> Line {
    let clip = &row.clip;
    let outcome = Outcome::of(row);
    let distance = relative.unwrap_or(row.score);
    let is_low_first = matches!(outcome, Outcome::Missed | Outcome::Normal | Outcome::NoAlarm);
    let mut meta: Vec<String> = clip.domain.iter().map(ToString::to_string).collect();
    meta.extend((!clip.attributes.is_empty()).then(|| breakable(&clip.attributes)));
    Line {
        index: index.map_or_else(String::new, |index| index.to_string()),
        machine: clip.machine.clone(),
        section: clip.section.clone(),
        name: Markup(breakable(&clip.name)),
        text: format!("{} {} {} {}", clip.name, clip.machine, clip.section, clip.attributes)
            .to_lowercase(),
        meta: Markup(meta.join(" \u{b7} ")),
        relative: relative
            .map_or_else(|| format!("{:.3}", row.score), |relative| format!("{relative:.2}"))
            .replace('-', "\u{2212}"),
        at: relative.map_or_else(String::new, |relative| {
            format!("{:.2}", 100.0 * axis.share(relative).clamp(0.0, 1.0))
        }),
        order: (outcome, if is_low_first { distance } else { -distance }),
        outcome,
        card,
    }
}

/// Index of a clip's card, where it has one.
pub(crate) fn index_of(cards: &[ClipCard], clip: &Clip) -> Option<usize> {
    let is_same = |card: &ClipCard| {
        card.clip.name == clip.name
            && card.clip.section == clip.section
            && card.clip.machine == clip.machine
            && card.clip.domain == clip.domain
    };
    cards.iter().position(is_same)
}

/// Whose sound the page can take: of cards by their index, and of their nearest normal clips.
struct Heard {
    clips: BTreeSet<usize>,
    nearest: BTreeSet<usize>,
}

impl Heard {
    /// The shown clips come before those they are compared with, each in the order of roles.
    fn of(cards: &[ClipCard], mut bytes: usize) -> Self {
        let in_order = || {
            let of_role =
                |role| cards.iter().enumerate().filter(move |(_, card)| card.role == role);
            ROLES.into_iter().flat_map(of_role)
        };
        let mut fits = |audio: Option<&AudioClip>| {
            let Some(size) = audio.map(AudioClip::url_bytes) else { return false };
            let fits = size <= bytes;
            bytes -= if fits { size } else { 0 };
            fits
        };
        let clips = in_order().filter(|(_, card)| fits(card.audio.as_ref()));
        let clips = clips.map(|(index, _)| index).collect();
        let nearest = in_order().filter(|(_, card)| fits(nearest_audio(card)));
        Self { clips, nearest: nearest.map(|(index, _)| index).collect() }
    }
}

fn nearest_audio(card: &ClipCard) -> Option<&AudioClip> {
    card.nearest.as_ref().and_then(|nearest| nearest.audio.as_ref())
}

impl AudioClip {
    fn media_type(&self) -> &'static str {
        if self.file.starts_with(b"fLaC") { "audio/flac" } else { "audio/wav" }
    }

    /// Length of its `data:` URL: four letters for three bytes, and the words before them.
    fn url_bytes(&self) -> usize {
        "data:;base64,".len() + self.media_type().len() + 4 * self.file.len().div_ceil(3)
    }
}

/// The player of a clip's sound; nothing where the clip has none.
fn player(audio: Option<&AudioClip>, is_heard: bool, clip: &Clip) -> Markup {
    audio.map_or_else(Markup::default, |audio| {
        let url = is_heard.then(|| Markup(data_url(audio.media_type(), &audio.file)));
        Markup::of(&Player { name: &clip.name, url })
    })
}

fn article(index: usize, card: &ClipCard, heard: &Heard) -> Card {
    let overlay = card.overlay.as_ref();
    let body = Markup::of(&Article {
        plain_name: &card.clip.name,
        name: Markup(breakable(&card.clip.name)),
        known: known(card),
        words: &card.words,
        title: match card.clip.condition {
            Some(Condition::Anomaly) => "This clip, in truth faulty",
            Some(Condition::Normal) => "This clip, in truth normal",
            None => "This clip",
        },
        drawing: drawing(card.spectrogram.as_ref(), overlay, &card.clip, &card.words),
        is_marked: overlay.is_some() && card.spectrogram.is_some(),
        player: player(card.audio.as_ref(), heard.clips.contains(&index), &card.clip),
        nearest: card.nearest.as_ref().map(|near| nearest(near, heard.nearest.contains(&index))),
    });
    Card { anchor: index, body }
}

fn nearest(nearest: &NearestNormal, is_heard: bool) -> Nearest {
    Nearest {
        title: format!("Nearest normal clip, distance {:.3}", nearest.distance),
        drawing: drawing(nearest.spectrogram.as_ref(), None, &nearest.clip, &[]),
        player: player(nearest.audio.as_ref(), is_heard, &nearest.clip),
        name: Markup(breakable(&nearest.clip.name)),
    }
}

/// Machine, section, domain, attributes, score and decision, in one line.
fn known(card: &ClipCard) -> Markup {
    let clip = &card.clip;
    let mut facts = vec![breakable(&format!("{} {}", clip.machine, clip.section))];
    facts.extend(clip.domain.map(|domain| domain.to_string()));
    if !clip.attributes.is_empty() {
        facts.push(breakable(&clip.attributes));
    }
    let mut score = format!("score <b>{:.3}</b>", card.score);
    if let Some(threshold) = card.threshold {
        let side = if card.score > threshold { "above" } else { "not above" };
        let _ = write!(score, ", {side} the threshold {threshold:.3}");
    }
    facts.push(score);
    Markup(facts.join(" \u{b7} "))
}

/// A spectrogram with axes, and importance laid over it.
fn drawing(
    picture: Option<&Picture>,
    overlay: Option<&Picture>,
    clip: &Clip,
    words: &[String],
) -> Markup {
    let Some(picture) = picture else { return Markup::default() };
    let mut description = format!(
        "Spectrogram of {}, 0 to {:.1} s, {:.0} to {:.0} Hz.",
        clip.name, picture.duration_s, picture.low_hz, picture.high_hz
    );
    if overlay.is_some() && !words.is_empty() {
        let _ = write!(description, " Marked: {}.", words.join("; "));
    }
    Markup(spectrogram_svg(picture, overlay, &[], &description))
}

impl Line {
    /// Class of its outcome.
    fn key(&self) -> Key {
        self.outcome.key()
    }
}

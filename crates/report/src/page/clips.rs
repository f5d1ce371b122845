//! Clips one by one: sound, spectrogram, what raised the score, and the nearest normal clip.

use std::fmt::Write;

use offkey_core::{Clip, Condition};

use super::{
    data::{AudioClip, ClipCard, NearestNormal, Picture, Role},
    embed::{data_url, escape},
};
use crate::chart::spectrogram_svg;

/// Cards grouped by role; sound from the first card on until `audio_bytes` are spent.
pub(crate) fn clips(cards: &[ClipCard], audio_bytes: usize) -> String {
    let mut budget = Budget { bytes: audio_bytes };
    let mut bodies: Vec<(Role, String)> = Vec::new();
    for (index, card) in cards.iter().enumerate() {
        bodies.push((card.role, article(index, card, &mut budget)));
    }
    let mut html = String::new();
    for role in [Role::Chosen, Role::MostAnomalous, Role::FalseAlarm, Role::Miss, Role::MostNormal]
    {
        let of_role: Vec<&String> =
            bodies.iter().filter(|(of, _)| *of == role).map(|(_, body)| body).collect();
        if !of_role.is_empty() {
            let _ = write!(html, "<h3>{}</h3>", heading(role));
            html.extend(of_role.into_iter().map(String::as_str));
        }
    }
    html
}

/// Anchor of a clip's card, where it has one.
pub(crate) fn anchor_of(cards: &[ClipCard], clip: &Clip) -> Option<String> {
    index_of(cards, clip).map(anchor)
}

/// Index of a clip's card, where it has one.
pub(crate) fn index_of(cards: &[ClipCard], clip: &Clip) -> Option<usize> {
    let is_same = |card: &ClipCard| {
        card.clip.name == clip.name
            && card.clip.section == clip.section
            && card.clip.machine == clip.machine
    };
    cards.iter().position(is_same)
}

fn anchor(index: usize) -> String {
    format!("clip-{index}")
}

fn heading(role: Role) -> &'static str {
    match role {
        Role::MostAnomalous => "Most anomalous",
        Role::MostNormal => "Most normal",
        Role::FalseAlarm => "False alarms",
        Role::Miss => "Misses",
        Role::Chosen => "Chosen clips",
    }
}

/// Bytes of sound that the page can still take.
struct Budget {
    bytes: usize,
}

impl Budget {
    fn player(&mut self, audio: Option<&AudioClip>, name: &str) -> String {
        let Some(audio) = audio else { return String::new() };
        let url = data_url("audio/wav", &audio.wav);
        if url.len() > self.bytes {
            return "<p class=\"remark\">Sound left out to keep this page small.</p>".to_owned();
        }
        self.bytes -= url.len();
        let name = escape(name);
        format!(
            "<audio controls preload=\"metadata\" aria-label=\"Sound of {name}\" src=\"{url}\"></audio>"
        )
    }
}

fn article(index: usize, card: &ClipCard, budget: &mut Budget) -> String {
    let anchor = anchor(index);
    let name = escape(&card.clip.name);
    let words: Vec<String> = card.words.iter().map(|words| escape(words)).collect();
    let words = match words.join("</li><li>").as_str() {
        "" => String::new(),
        items => format!(
            "<p class=\"stands-out\">What raises the score:</p><ul class=\"words\"><li>{items}</li></ul>"
        ),
    };
    let toggle = match card.overlay {
        Some(_) => {
            "<label class=\"toggle\"><input type=\"checkbox\" checked>show what raises the score</label>"
        }
        None => "",
    };
    let this = pane(
        "This clip",
        card.spectrogram.as_ref(),
        card.overlay.as_ref(),
        &card.clip,
        &card.words,
    ) + &budget.player(card.audio.as_ref(), &card.clip.name)
        + toggle;
    let nearest =
        card.nearest.as_ref().map_or_else(String::new, |nearest| nearest_pane(nearest, budget));
    format!(
        "<article id=\"{anchor}\" class=\"clip\" aria-labelledby=\"{anchor}-h\">\
         <h4 id=\"{anchor}-h\">{name}</h4><p class=\"known\">{}</p>{words}\
         <div class=\"panes\"><div class=\"pane\">{this}</div>{nearest}</div></article>",
        known(card)
    )
}

fn nearest_pane(nearest: &NearestNormal, budget: &mut Budget) -> String {
    let title = format!("Nearest normal clip, distance {:.3}", nearest.distance);
    let picture = pane(&title, nearest.spectrogram.as_ref(), None, &nearest.clip, &[]);
    let player = budget.player(nearest.audio.as_ref(), &nearest.clip.name);
    format!(
        "<div class=\"pane\">{picture}{player}<p class=\"remark\">{}</p></div>",
        escape(&nearest.clip.name)
    )
}

/// Machine, section, domain, attributes, score and decision, in one line.
fn known(card: &ClipCard) -> String {
    let clip = &card.clip;
    let mut facts = vec![escape(&format!("{} {}", clip.machine, clip.section))];
    facts.extend(clip.domain.map(|domain| domain.to_string()));
    if !clip.attributes.is_empty() {
        facts.push(escape(&clip.attributes));
    }
    facts.push(format!("score <b>{:.3}</b>", card.score));
    if let Some(threshold) = card.threshold {
        let decision = if card.score > threshold {
            "<b class=\"alarm\">alarm</b>"
        } else {
            "<b class=\"calm\">no alarm</b>"
        };
        facts.push(format!("threshold {threshold:.3}: {decision}"));
    }
    facts.extend(clip.condition.map(|condition| match condition {
        Condition::Normal => "in truth normal".to_owned(),
        Condition::Anomaly => "in truth anomalous".to_owned(),
    }));
    facts.join(" \u{b7} ")
}

/// A titled spectrogram with axes, and importance laid over it.
fn pane(
    title: &str,
    picture: Option<&Picture>,
    overlay: Option<&Picture>,
    clip: &Clip,
    words: &[String],
) -> String {
    let title = format!("<p class=\"pane-title\">{}</p>", escape(title));
    let Some(picture) = picture else { return title };
    let mut description = format!(
        "Spectrogram of {}, 0 to {:.1} s, {:.0} to {:.0} Hz.",
        clip.name, picture.duration_s, picture.low_hz, picture.high_hz
    );
    if overlay.is_some() && !words.is_empty() {
        let _ = write!(description, " Marked: {}.", words.join("; "));
    }
    title + &spectrogram_svg(picture, overlay, &[], &description)
}

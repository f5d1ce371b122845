//! Clips one by one: sound, spectrogram, what raised the score, and the nearest normal clip.

use std::{collections::BTreeSet, fmt::Write};

use offkey_core::{Clip, Condition};

use super::{
    data::{AudioClip, ClipCard, NearestNormal, Picture, Role},
    embed::{breakable, data_url, escape},
};
use crate::chart::spectrogram_svg;

/// The order in which roles are shown.
const ROLES: [Role; 5] =
    [Role::Chosen, Role::MostAnomalous, Role::FalseAlarm, Role::Miss, Role::MostNormal];

/// Cards grouped by role, with as much sound as `audio_bytes` hold.
pub(crate) fn clips(cards: &[ClipCard], audio_bytes: usize) -> String {
    let heard = Heard::of(cards, audio_bytes);
    let mut html = String::new();
    for role in ROLES {
        let mut of_role = cards.iter().enumerate().filter(|(_, card)| card.role == role).peekable();
        if of_role.peek().is_some() {
            let _ = write!(html, "<h3>{}</h3>", heading(role));
            html.extend(of_role.map(|(index, card)| article(index, card, &heard)));
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

/// Whose sound the page can take: of cards by their index, and of their nearest normal clips.
struct Heard {
    clips: BTreeSet<usize>,
    nearest: BTreeSet<usize>,
}

impl Heard {
    /// The shown clips come before those they are compared with, each in the order of the page.
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

    fn player(&self, is_heard: bool, name: &str) -> String {
        if !is_heard {
            return "<p class=\"remark\">Sound left out to keep this page small.</p>".to_owned();
        }
        let (url, name) = (data_url(self.media_type(), &self.file), escape(name));
        format!(
            "<audio controls preload=\"metadata\" aria-label=\"Sound of {name}\" src=\"{url}\"></audio>"
        )
    }
}

fn article(index: usize, card: &ClipCard, heard: &Heard) -> String {
    let anchor = anchor(index);
    let name = breakable(&card.clip.name);
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
    ) + &player(card.audio.as_ref(), heard.clips.contains(&index), &card.clip)
        + toggle;
    let nearest = card
        .nearest
        .as_ref()
        .map_or_else(String::new, |nearest| nearest_pane(nearest, heard.nearest.contains(&index)));
    format!(
        "<article id=\"{anchor}\" class=\"clip\" aria-labelledby=\"{anchor}-h\">\
         <h4 id=\"{anchor}-h\">{name}</h4><p class=\"known\">{}</p>{words}\
         <div class=\"panes\"><div class=\"pane\">{this}</div>{nearest}</div></article>",
        known(card)
    )
}

fn player(audio: Option<&AudioClip>, is_heard: bool, clip: &Clip) -> String {
    audio.map_or_else(String::new, |audio| audio.player(is_heard, &clip.name))
}

fn nearest_pane(nearest: &NearestNormal, is_heard: bool) -> String {
    let title = format!("Nearest normal clip, distance {:.3}", nearest.distance);
    let picture = pane(&title, nearest.spectrogram.as_ref(), None, &nearest.clip, &[]);
    let player = player(nearest.audio.as_ref(), is_heard, &nearest.clip);
    format!(
        "<div class=\"pane\">{picture}{player}<p class=\"remark\">{}</p></div>",
        breakable(&nearest.clip.name)
    )
}

/// Machine, section, domain, attributes, score and decision, in one line.
fn known(card: &ClipCard) -> String {
    let clip = &card.clip;
    let mut facts = vec![escape(&format!("{} {}", clip.machine, clip.section))];
    facts.extend(clip.domain.map(|domain| domain.to_string()));
    if !clip.attributes.is_empty() {
        facts.push(breakable(&clip.attributes));
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

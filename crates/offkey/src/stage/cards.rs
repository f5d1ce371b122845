//! The clips a page shows one by one: how they look, how they sound, what raises their scores, and
//! the normal clip they were compared with.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::PathBuf,
};

use ndarray::{Array2, ArrayView2};
use offkey_core::{Clip, ScoreRow, Seed, progress::Hushed};
use offkey_explain::{
    Cause, Gap, NORMAL_CLIPS, NormalLevels, Question, bands, can_be_explained, cause, places,
};
use offkey_infer::Encoder;
use offkey_report::{
    chart::{Levels, importance_png, spectrogram_png},
    page::{AudioClip, ClipCard, NearestNormal, Picture, Role, SectionScores, picks},
    rise::{Finding, RiseConfig},
};
use offkey_signal::{Stft, encode_flac};
use serde::Serialize;

use super::{
    Embedded, Embedder,
    score::{RaisedBy, SectionScorer},
};
use crate::{ModelConfig, OffkeyError, SectionKey, Stage, open_run::Run};

/// Clips shown in each role.
const SHOWN: usize = 4;

/// What the page says of a clip, as `shown_clips.json` holds it.
#[derive(Debug, Serialize)]
pub(super) struct ShownClip {
    role: Role,
    clip: Clip,
    score: f64,
    threshold: Option<f64>,
    #[serde(default, with = "offkey_core::paths::option")]
    nearest: Option<PathBuf>,
    nearest_distance: Option<f64>,
    /// Places and bands that raise the score; none where the page was written without masks.
    findings: Vec<Finding>,
    spectrum_findings: Vec<Finding>,
    gaps: Vec<Gap>,
    masks: Option<usize>,
    reliability: Option<f64>,
    words: Vec<String>,
}

/// The sections that shown clips belong to, fitted once each.
struct Sections<'a> {
    run: &'a Run<'a>,
    embedded: &'a Embedded,
    /// The networks, where clips are to be explained and can be; else none.
    encoders: Vec<Encoder>,
    masks: usize,
    fitted: BTreeMap<SectionKey, (SectionScorer, Option<NormalLevels>)>,
}

impl Run<'_> {
    /// Cards for the most telling clips, explained with up to `masks` masks each; 0 for none.
    pub(super) fn cards(
        &self,
        sections: &[SectionScores],
        embedded: &Embedded,
        masks: usize,
    ) -> Result<(Vec<ClipCard>, Vec<ShownClip>), OffkeyError> {
        let mut fitted = Sections {
            run: self,
            embedded,
            encoders: self.explainable(masks)?,
            masks,
            fitted: BTreeMap::new(),
        };
        let picked = picks(sections, SHOWN);
        let mut cards = Vec::new();
        let mut shown = Vec::new();
        self.progress.begin(Stage::Report, picked.len() as u64, "clips");
        for pick in &picked {
            let (card, words) = self.card(pick.role, pick.row, pick.threshold, &mut fitted)?;
            cards.push(card);
            shown.push(words);
            self.progress.advance(cards.len() as u64, "");
            if self.progress.cancelled() {
                return Err(OffkeyError::Cancelled { run: self.folder.root().to_owned() });
            }
        }
        self.progress.end();
        Ok((cards, shown))
    }

    fn explainable(&self, masks: usize) -> Result<Vec<Encoder>, OffkeyError> {
        if masks == 0 || !matches!(self.recipe.model, ModelConfig::Network(_)) {
            return Ok(Vec::new());
        }
        match Embedder::load(&self.folder.model(), &self.recipe, self.manifest.compute)? {
            Embedder::Network(encoders) if encoders.iter().all(can_be_explained) => Ok(encoders),
            Embedder::Network(_)
            | Embedder::Statistics(_)
            | Embedder::Pooled(_)
            | Embedder::Autoencoders(_)
            | Embedder::Foreign(_) => Ok(Vec::new()),
        }
    }

    fn card(
        &self,
        role: Role,
        row: &ScoreRow,
        threshold: Option<f64>,
        sections: &mut Sections<'_>,
    ) -> Result<(ClipCard, ShownClip), OffkeyError> {
        let nearest = sections.nearest_normal(&row.clip)?;
        let wave = self.clip_audio(&[&row.clip])?.wave_at(0, 0)?;
        let levels = levels_db(&wave)?;
        let near = match nearest {
            Some((clip, distance)) => {
                let wave = self.clip_audio(&[&clip])?.wave_at(0, 0)?;
                Some((clip, distance, levels_db(&wave)?, wave))
            }
            None => None,
        };
        let mut compared = vec![levels.view()];
        compared.extend(near.iter().map(|(_, _, levels, _)| levels.view()));
        let range = Levels::around(&compared);
        let cause = sections.cause(&row.clip, &wave)?;
        let words = cause.as_ref().map_or_else(Vec::new, words);
        let (rate_hz, _) = self.recipe.clip_shape();
        let audio = |wave: &[f32]| Some(AudioClip { file: encode_flac(wave, rate_hz) });
        let picture = |levels: ArrayView2<f32>| {
            let png = spectrogram_png(levels, range).map_err(OffkeyError::embed)?;
            Ok::<_, OffkeyError>(self.picture(png, wave.len()))
        };
        let overlay = cause
            .as_ref()
            .map(|cause| importance_png(cause.importance.values.view()))
            .transpose()
            .map_err(OffkeyError::embed)?
            .map(|png| self.picture(png, wave.len()));
        let shown = ShownClip {
            role,
            clip: row.clip.clone(),
            score: row.score,
            threshold,
            nearest: near.as_ref().map(|(clip, ..)| clip.path.clone()),
            nearest_distance: near.as_ref().map(|(_, distance, ..)| *distance),
            findings: cause.as_ref().map_or_else(Vec::new, |cause| cause.findings.clone()),
            spectrum_findings: cause
                .as_ref()
                .and_then(|cause| cause.spectrum.as_ref())
                .map_or_else(Vec::new, |spectrum| spectrum.findings.clone()),
            gaps: cause.as_ref().map_or_else(Vec::new, |cause| cause.gaps.clone()),
            masks: cause.as_ref().map(|cause| cause.importance.masks),
            reliability: cause.as_ref().map(|cause| cause.importance.reliability),
            words: words.clone(),
        };
        let nearest = near
            .map(|(clip, distance, levels, wave)| {
                Ok::<_, OffkeyError>(NearestNormal {
                    clip,
                    distance,
                    spectrogram: Some(picture(levels.view())?),
                    audio: audio(&wave),
                })
            })
            .transpose()?;
        let card = ClipCard {
            clip: row.clip.clone(),
            role,
            score: row.score,
            threshold,
            spectrogram: Some(picture(levels.view())?),
            overlay,
            audio: audio(&wave),
            nearest,
            words,
        };
        Ok((card, shown))
    }

    fn picture(&self, png: Vec<u8>, samples: usize) -> Picture {
        let (rate_hz, _) = self.recipe.clip_shape();
        let rate_hz = f64::from(rate_hz);
        Picture { png, duration_s: samples as f64 / rate_hz, low_hz: 0.0, high_hz: rate_hz / 2.0 }
    }
}

impl Sections<'_> {
    fn section_of(
        &mut self,
        clip: &Clip,
    ) -> Result<&(SectionScorer, Option<NormalLevels>), OffkeyError> {
        match self.fitted.entry(SectionKey::of(clip)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let run = self.run;
                let scorer = SectionScorer::fit(
                    entry.key(),
                    self.embedded,
                    &run.recipe.scoring(),
                    offkey_core::Seed::new(run.manifest.seed),
                )?;
                let normal = match self.encoders.first() {
                    Some(encoder) => {
                        let rows = scorer.spread_references(NORMAL_CLIPS);
                        let clips: Vec<&Clip> =
                            rows.map(|row| &self.embedded.table.clips[row]).collect();
                        let waves = run.clip_audio(&clips)?.waves(0..clips.len())?;
                        NormalLevels::of(encoder, &waves)?
                    }
                    None => None,
                };
                Ok(entry.insert((scorer, normal)))
            }
        }
    }

    fn nearest_normal(&mut self, clip: &Clip) -> Result<Option<(Clip, f64)>, OffkeyError> {
        let embedded = self.embedded;
        let clips = &embedded.table.clips;
        let Some(row) = clips.iter().position(|other| other == clip) else { return Ok(None) };
        let (scorer, _) = self.section_of(clip)?;
        let RaisedBy { nearest, .. } = scorer.raised(&embedded.select(&[row]))?.remove(0);
        Ok(Some((clips[nearest.reference].clone(), nearest.distance)))
    }

    fn cause(&mut self, clip: &Clip, wave: &[f32]) -> Result<Option<Cause>, OffkeyError> {
        let progress = Hushed(self.run.progress);
        let rise = RiseConfig { masks: self.masks, ..RiseConfig::default() };
        self.section_of(clip)?;
        if self.encoders.is_empty() {
            return Ok(None);
        }
        let (scorer, normal) = &self.fitted[&SectionKey::of(clip)];
        let question = Question {
            encoders: &self.encoders,
            score: &|embeddings| Ok(scorer.score_by_model(embeddings)?),
            wave,
            normal: normal.as_ref(),
            rise: &rise,
            seed: Seed::new(0),
            tested: false,
        };
        let cause = cause(&question, &progress);
        cause.map(Some).map_err(|e| OffkeyError::from(e).in_run(self.run.folder.root()))
    }
}

fn words(cause: &Cause) -> Vec<String> {
    let spectrum = cause.spectrum.iter().flat_map(|spectrum| bands(&spectrum.findings));
    let gaps = cause.gaps.iter().map(|gap| format!("gap: {gap}"));
    gaps.chain(places(&cause.findings)).chain(spectrum).collect()
}

/// Magnitude spectrogram in decibels, `[frames, bins]`.
pub(crate) fn levels_db(wave: &[f32]) -> Result<Array2<f32>, OffkeyError> {
    let magnitude = Stft { window: 1024, hop: 512 }.magnitude(wave).map_err(OffkeyError::embed)?;
    Ok(magnitude.mapv(|value| 20.0 * value.max(1e-6).log10()))
}

//! The clips a page shows one by one: how they look, how they sound, and the normal clip they
//! were compared with.

use ndarray::{Array2, ArrayView2, Axis};
use offkey_core::{Clip, Condition, EmbeddingTable, ScoreRow};
use offkey_report::{
    chart::{Levels, spectrogram_png},
    page::{AudioClip, ClipCard, NearestNormal, Picture, Role},
};
use offkey_signal::{Stft, encode_wav};

use super::score::{SectionKey, SectionScorer, SectionThreshold};
use crate::{OffkeyError, run::Run};

/// Clips shown in each role.
const SHOWN: usize = 4;

impl Run<'_> {
    /// Cards for the most telling clips.
    pub(super) fn cards(
        &self,
        rows: &[ScoreRow],
        thresholds: &[SectionThreshold],
        table: &EmbeddingTable,
    ) -> Result<Vec<ClipCard>, OffkeyError> {
        let threshold_of = |row: &ScoreRow| {
            let key = SectionKey::of(&row.clip);
            thresholds.iter().find(|section| section.key == key).map(|section| section.threshold)
        };
        let mut cards = Vec::new();
        for (role, row) in chosen(rows) {
            cards.push(self.card(role, row, threshold_of(row), table)?);
        }
        Ok(cards)
    }

    fn card(
        &self,
        role: Role,
        row: &ScoreRow,
        threshold: Option<f64>,
        table: &EmbeddingTable,
    ) -> Result<ClipCard, OffkeyError> {
        let nearest = self.nearest_normal(&row.clip, table)?;
        let wave = self.clip_audio(&[&row.clip])?.wave_at(0, 0)?;
        let levels = levels_db(&wave)?;
        let mut compared = vec![levels.view()];
        let near = match &nearest {
            Some((clip, distance)) => {
                let wave = self.clip_audio(&[clip])?.wave_at(0, 0)?;
                Some((clip, *distance, levels_db(&wave)?, wave))
            }
            None => None,
        };
        if let Some((_, _, levels, _)) = &near {
            compared.push(levels.view());
        }
        let range = Levels::around(&compared);
        let (rate_hz, _) = self.recipe.clip_shape();
        let audio = |wave: &[f32]| Some(AudioClip { wav: encode_wav(wave, rate_hz) });
        let nearest = match &near {
            Some((clip, distance, levels, wave)) => Some(NearestNormal {
                clip: (*clip).clone(),
                distance: *distance,
                spectrogram: Some(self.picture(levels.view(), range, wave.len())?),
                audio: audio(wave),
            }),
            None => None,
        };
        Ok(ClipCard {
            clip: row.clip.clone(),
            role,
            score: row.score,
            threshold,
            spectrogram: Some(self.picture(levels.view(), range, wave.len())?),
            overlay: None,
            audio: audio(&wave),
            nearest,
            words: Vec::new(),
        })
    }

    fn nearest_normal(
        &self,
        clip: &Clip,
        table: &EmbeddingTable,
    ) -> Result<Option<(Clip, f64)>, OffkeyError> {
        let Some(row) = table.clips.iter().position(|other| other == clip) else { return Ok(None) };
        let scorer = SectionScorer::fit(
            &SectionKey::of(clip),
            table,
            &self.recipe.backend,
            &self.recipe.threshold,
            offkey_core::Seed::new(self.manifest.seed),
        )?;
        let nearest = scorer.nearest(table.embeddings.select(Axis(0), &[row]).view())?[0];
        Ok(Some((table.clips[nearest.reference].clone(), nearest.distance)))
    }

    fn picture(
        &self,
        levels_db: ArrayView2<f32>,
        range: Levels,
        samples: usize,
    ) -> Result<Picture, OffkeyError> {
        let (rate_hz, _) = self.recipe.clip_shape();
        Ok(Picture {
            png: spectrogram_png(levels_db, range).map_err(OffkeyError::embed)?,
            duration_s: samples as f64 / f64::from(rate_hz),
            low_hz: 0.0,
            high_hz: f64::from(rate_hz) / 2.0,
        })
    }
}

/// Magnitude spectrogram in decibels, `[frames, bins]`.
pub(crate) fn levels_db(wave: &[f32]) -> Result<Array2<f32>, OffkeyError> {
    let magnitude = Stft { window: 1024, hop: 512 }.magnitude(wave).map_err(OffkeyError::embed)?;
    Ok(magnitude.mapv(|value| 20.0 * value.max(1e-6).log10()))
}

/// The clips worth showing: both ends of the ranking, and mistakes where labels are known.
fn chosen(rows: &[ScoreRow]) -> Vec<(Role, &ScoreRow)> {
    let mut ranked: Vec<&ScoreRow> = rows.iter().collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    let pick = |role: Role, fits: &dyn Fn(&ScoreRow) -> bool, from_top: bool| {
        let fitting = ranked.iter().copied().filter(|row| fits(row));
        let picked: Vec<&ScoreRow> = if from_top {
            fitting.take(SHOWN).collect()
        } else {
            fitting.rev().take(SHOWN).collect()
        };
        picked.into_iter().map(move |row| (role, row)).collect::<Vec<_>>()
    };
    let false_alarm = |row: &ScoreRow| {
        row.clip.condition == Some(Condition::Normal) && row.decision == Some(true)
    };
    let miss = |row: &ScoreRow| {
        row.clip.condition == Some(Condition::Anomaly) && row.decision == Some(false)
    };
    let mut cards = pick(Role::MostAnomalous, &|_| true, true);
    cards.extend(pick(Role::MostNormal, &|_| true, false));
    cards.extend(pick(Role::FalseAlarm, &false_alarm, true));
    cards.extend(pick(Role::Miss, &miss, false));
    cards
}

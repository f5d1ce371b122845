//! The clips a page shows one by one: how they look, how they sound, and the normal clip they
//! were compared with.

use ndarray::{Array2, ArrayView2, Axis};
use offkey_core::{Clip, EmbeddingTable, ScoreRow};
use offkey_report::{
    chart::{Levels, spectrogram_png},
    page::{AudioClip, ClipCard, NearestNormal, Picture, Role, SectionScores, picks},
};
use offkey_signal::{Stft, encode_wav};

use super::score::{SectionKey, SectionScorer};
use crate::{OffkeyError, run::Run};

/// Clips shown in each role.
const SHOWN: usize = 4;

impl Run<'_> {
    /// Cards for the most telling clips.
    pub(super) fn cards(
        &self,
        sections: &[SectionScores],
        table: &EmbeddingTable,
    ) -> Result<Vec<ClipCard>, OffkeyError> {
        picks(sections, SHOWN)
            .into_iter()
            .map(|pick| self.card(pick.role, pick.row, pick.threshold, table))
            .collect()
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

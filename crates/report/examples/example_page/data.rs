//! Made-up machines with a planted fault: hums, scores, embeddings, and a page of them.

use std::{error::Error, f32::consts::TAU, ops::ControlFlow};

use ndarray::{Array2, s};
use offkey_core::{Clip, Condition, Domain, ScoreRow, Seed, Split};
use offkey_eval::{BootstrapConfig, compare, evaluate};
use offkey_report::{
    PageData, TsneConfig,
    chart::{ChartRow, Levels, RowChart, importance_png, spectrogram_png},
    page::{
        AudioClip, ClipCard, Covariate, EmbeddingMap, MapPoint, NearestNormal, Picture, Role,
        SectionScores, TrainingRow, metric_tables, wav,
    },
    rise::{Extent, Mask, RiseConfig, explain, findings},
};
use rand::RngExt;

const MACHINES: [&str; 3] = ["fan", "pump", "valve"];
const SECTIONS: [&str; 2] = ["00", "01"];
const FRAMES: usize = 200;
const BINS: usize = 128;
const RATE_HZ: u32 = 16_000;
const CLIP_S: f64 = 4.0;

/// A clip and what the made-up model says of it.
struct Heard {
    clip: Clip,
    embedding: Vec<f32>,
    score: f64,
    snr_db: f64,
}

/// A page of 6 sections, `shown` clips with sound and explanation.
pub(crate) fn example_page(shown: usize) -> Result<PageData, Box<dyn Error>> {
    let heard = all_clips();
    let sections = sections(&heard);
    let rows: Vec<ScoreRow> = sections.iter().flat_map(|section| section.rows.clone()).collect();
    let metrics = evaluate(&rows, None)?;
    let comparison = compare(&rows, &[plain(&rows)], None, &BootstrapConfig::default())?;
    Ok(PageData {
        title: "Three made-up machines, one page".to_owned(),
        subtitle: "Synthetic values, to look at the page itself".to_owned(),
        summary: vec![],
        comparison,
        trials: vec![],
        clip_s: Some(CLIP_S),
        metrics: metric_tables(&metrics),
        covariates: vec![Covariate {
            name: "Signal-to-noise ratio".to_owned(),
            unit: "dB".to_owned(),
            values: heard
                .iter()
                .map(|h| {
                    let Clip { machine, section, name, .. } = h.clip.clone();
                    (machine, section, name, h.snr_db)
                })
                .collect(),
        }],
        comparisons: vec![three_losses()],
        curves: vec![],
        training: training(),
        map: Some(embedding_map(&heard)?),
        clips: cards(&heard, shown)?,
        sections,
        recipe_toml: "seed = 7\n\n[features.spectrogram]\nwindow_ms = 64\nhop_ms = 32\n\n\
                      [loss.sub-cluster-ada-cos]\nsub_clusters = 16\n"
            .to_owned(),
        manifest_json: "{\n  \"device\": \"cpu\",\n  \"seed\": 7\n}".to_owned(),
        limit_bytes: None,
    })
}

/// A made-up baseline: the same scores with noise of its own.
fn plain(rows: &[ScoreRow]) -> (String, Vec<ScoreRow>) {
    let mut rng = Seed::new(21).rng();
    let noisy =
        |row: &ScoreRow| ScoreRow { score: row.score + rng.random_range(0.0..0.4), ..row.clone() };
    ("log-mel-statistics".to_owned(), rows.iter().map(noisy).collect())
}

/// Trials of three made-up losses.
fn three_losses() -> RowChart {
    let mut rng = Seed::new(12).rng();
    let mut row = |name: &str, mean: f64, trials: usize| ChartRow {
        name: name.to_owned(),
        values: (0..trials).map(|_| mean + rng.random_range(-0.03..0.03)).collect(),
    };
    RowChart {
        title: "AUC of three losses".to_owned(),
        x_title: "AUC".to_owned(),
        rows: vec![
            row("sub-cluster AdaCos", 0.9, 5),
            row("intra-class compactness & cross-entropy", 0.87, 5),
            row("compactness", 0.71, 4),
        ],
    }
}

fn all_clips() -> Vec<Heard> {
    let mut rng = Seed::new(11).rng();
    let mut heard = Vec::new();
    for (m, machine) in MACHINES.iter().enumerate() {
        for (s, section) in SECTIONS.iter().enumerate() {
            for index in 0..60 {
                let is_anomaly = index >= 36;
                let is_target = index % 3 == 0;
                let snr_db = [-6.0, 0.0, 6.0][index % 3];
                let center = Seed::new(5).child(machine).child(section);
                let mut center = center.rng();
                let stray = if is_anomaly { rng.random_range(0.0..0.55) } else { 0.0 };
                let embedding = (0..32)
                    .map(|_| {
                        let normal: f32 = center.random_range(-1.0..1.0);
                        normal + rng.random_range(-0.3..0.3) + stray * rng.random_range(-1.0..3.0)
                    })
                    .collect();
                let noise = rng.random_range(0.0..0.2) + if is_target { 0.06 } else { 0.0 };
                let score = 0.12 + 0.03 * m as f64 + noise + 0.6 * f64::from(stray);
                heard.push(Heard {
                    clip: clip(machine, section, index, is_anomaly, is_target),
                    embedding,
                    score: score - 0.002 * snr_db + 0.01 * s as f64,
                    snr_db,
                });
            }
        }
    }
    heard
}

fn clip(machine: &str, section: &str, index: usize, is_anomaly: bool, is_target: bool) -> Clip {
    let condition = if is_anomaly { Condition::Anomaly } else { Condition::Normal };
    let domain = if is_target { Domain::Target } else { Domain::Source };
    let attributes = ["vel_6", "vel_8 <b>\"loud\"</b>", "vel_12"][index % 3];
    let name = if index == 59 {
        "<script>alert('clip')</script>.wav".to_owned()
    } else {
        format!("section_{section}_{domain}_test_{condition}_{index:04}_{}.wav", &attributes[..5])
    };
    Clip {
        path: format!("{machine}/test/{name}").into(),
        group: name.clone(),
        name,
        machine: machine.to_owned(),
        section: section.to_owned(),
        domain: Some(domain),
        split: Split::Test,
        condition: Some(condition),
        attributes: attributes.to_owned(),
    }
}

fn sections(heard: &[Heard]) -> Vec<SectionScores> {
    heard
        .chunk_by(|a, b| a.clip.machine == b.clip.machine && a.clip.section == b.clip.section)
        .map(|section| {
            let threshold = threshold(&section[0].clip.machine);
            let row = |h: &Heard| ScoreRow {
                clip: h.clip.clone(),
                score: h.score,
                decision: Some(h.score > threshold),
            };
            SectionScores {
                machine: section[0].clip.machine.clone(),
                section: section[0].clip.section.clone(),
                threshold: Some(threshold),
                held_out: held_out(&section[0].clip.machine),
                rows: section.iter().map(row).collect(),
            }
        })
        .collect()
}

/// Scores of normal clips that the threshold could have been found on.
fn held_out(machine: &str) -> Vec<f64> {
    (0..20).map(|index| threshold(machine) - 0.02 - 0.009 * f64::from(index)).collect()
}

fn threshold(machine: &str) -> f64 {
    0.34 + 0.03 * MACHINES.iter().position(|known| *known == machine).unwrap_or(0) as f64
}

fn training() -> Vec<TrainingRow> {
    let mut rng = Seed::new(2).rng();
    (0..600_u32)
        .map(|step| {
            let done = f64::from(step) / 600.0;
            let noise = rng.random_range(-0.05..0.05);
            TrainingRow {
                step: step.into(),
                epoch: step / 60,
                loss: 2.8 * (-4.0 * done).exp() + 0.25 + noise,
                scale: Some(6.0 + 2.0 * done),
                intra: Some(1.4 * (-3.0 * done).exp() + 0.35 + noise * 0.3),
                inter: Some(1.98 + noise * 0.1),
                held_out_intra: (step % 60 == 0).then(|| 1.4 * (-3.0 * done).exp() + 0.45),
                held_out_inter: (step % 60 == 0).then_some(1.97),
            }
        })
        .collect()
}

fn embedding_map(heard: &[Heard]) -> Result<EmbeddingMap, Box<dyn Error>> {
    let flat: Vec<f32> = heard.iter().flat_map(|h| h.embedding.clone()).collect();
    let embeddings = Array2::from_shape_vec((heard.len(), 32), flat)?;
    let config = TsneConfig::default();
    let map = config.fit(embeddings.view(), Seed::new(0), |_, _| ControlFlow::Continue(()))?;
    let point = |(h, at): (&Heard, ndarray::ArrayView1<f32>)| MapPoint {
        clip: h.clip.clone(),
        x: at[0],
        y: at[1],
        score: Some(h.score),
    };
    Ok(EmbeddingMap {
        method: "t-SNE, cosine distance, perplexity 30".to_owned(),
        kl: Some(map.kl()),
        points: heard.iter().zip(map.positions().rows()).map(point).collect(),
    })
}

fn cards(heard: &[Heard], shown: usize) -> Result<Vec<ClipCard>, Box<dyn Error>> {
    let mut by_score: Vec<&Heard> = heard.iter().collect();
    by_score.sort_by(|a, b| b.score.total_cmp(&a.score));
    let is_odd = |h: &&&Heard| h.clip.name.contains('<');
    let odd = by_score.iter().find(is_odd).copied();
    let half = shown / 2;
    let anomalous = by_score[..half].iter().copied().map(|h| (h, Role::MostAnomalous));
    let normal = by_score[by_score.len() - half..].iter().copied().map(|h| (h, Role::MostNormal));
    let chosen = odd.into_iter().map(|h| (h, Role::Chosen));
    chosen.chain(anomalous).chain(normal).map(|(h, role)| card(h, role)).collect()
}

fn card(heard: &Heard, role: Role) -> Result<ClipCard, Box<dyn Error>> {
    let is_anomaly = heard.clip.condition == Some(Condition::Anomaly);
    let levels = levels_db(&heard.clip, is_anomaly);
    let nearest = Clip {
        name: heard.clip.name.replace("test_anomaly", "train_normal").replace("test", "train"),
        ..heard.clip.clone()
    };
    let nearest_levels = levels_db(&nearest, false);
    let range = Levels::around(&[levels.view(), nearest_levels.view()]);
    let picture = |png: Vec<u8>| Picture { png, duration_s: CLIP_S, low_hz: 0.0, high_hz: 8000.0 };
    let above = &levels - &nearest_levels;
    let config = RiseConfig { masks: 300, ..RiseConfig::default() };
    let excess = above.mapv(|level| (level - 6.0).max(0.0));
    let total = excess.sum().max(1.0);
    let importance = explain((FRAMES, BINS), &config, Seed::new(1), |masks| {
        let score = |mask: &Mask| f64::from((mask.values() * &excess).sum() / total);
        Ok(masks.iter().map(score).collect())
    })?;
    let extent = Extent { duration_s: CLIP_S, low_hz: 0.0, high_hz: 8000.0 };
    let found =
        if is_anomaly { findings(&importance, extent, Some(above.view()), 2) } else { vec![] };
    Ok(ClipCard {
        role,
        score: heard.score,
        threshold: Some(threshold(&heard.clip.machine)),
        spectrogram: Some(picture(spectrogram_png(levels.view(), range)?)),
        overlay: if is_anomaly {
            Some(picture(importance_png(importance.values.view())?))
        } else {
            None
        },
        audio: Some(AudioClip { file: sound(&heard.clip, is_anomaly) }),
        nearest: Some(NearestNormal {
            distance: heard.score,
            spectrogram: Some(picture(spectrogram_png(nearest_levels.view(), range)?)),
            audio: Some(AudioClip { file: sound(&nearest, false) }),
            clip: nearest,
        }),
        words: found.iter().map(ToString::to_string).collect(),
        clip: heard.clip.clone(),
    })
}

/// Where the fault of a clip is: frames and bins.
fn fault(clip: &Clip) -> (usize, usize) {
    let mut rng = Seed::new(9).child(&clip.machine).child(&clip.section).rng();
    (rng.random_range(40..120), rng.random_range(30..90))
}

fn levels_db(clip: &Clip, is_faulty: bool) -> Array2<f32> {
    let mut rng = Seed::new(4).child(&clip.name).rng();
    let pitch = 5.0 + 2.0 * clip.machine.len() as f32;
    let mut levels = Array2::from_shape_fn((FRAMES, BINS), |(frame, bin)| {
        let harmonic = (bin as f32 / pitch * TAU / 2.0).cos().abs().powi(12);
        let sway = 3.0 * (frame as f32 * 0.11).sin();
        let noise: f32 = rng.random_range(-5.0..5.0);
        -62.0 - 0.14 * bin as f32 + 22.0 * harmonic + sway + noise
    });
    if is_faulty {
        let (frame, bin) = fault(clip);
        levels.slice_mut(s![frame..frame + 40, bin..bin + 14]).mapv_inplace(|level| level + 16.0);
    }
    levels
}

fn sound(clip: &Clip, is_faulty: bool) -> Vec<u8> {
    let mut rng = Seed::new(8).child(&clip.name).rng();
    let count = (CLIP_S * f64::from(RATE_HZ)) as usize;
    let hum_hz = 60.0 * clip.machine.len() as f32;
    let (frame, bin) = fault(clip);
    let start_s = frame as f32 / FRAMES as f32 * CLIP_S as f32;
    let fault_hz = bin as f32 / BINS as f32 * 8000.0;
    let samples: Vec<f32> = (0..count)
        .map(|index| {
            let at_s = index as f32 / RATE_HZ as f32;
            let hum: f32 = (1..6).map(|k| (TAU * hum_hz * k as f32 * at_s).sin() / k as f32).sum();
            let is_fault = is_faulty && (start_s..start_s + 0.8).contains(&at_s);
            let rattle = if is_fault { (TAU * fault_hz * at_s).sin() } else { 0.0 };
            0.2 * hum + 0.3 * rattle + rng.random_range(-0.1..0.1)
        })
        .collect();
    wav(&samples, RATE_HZ, 10.0)
}

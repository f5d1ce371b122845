//! Does an explanation point at the truth? Faults of known place, planted into normal clips.

use std::{
    fs,
    path::{Path, PathBuf},
};

use offkey::{Clip, Detector, ExplainRequest, OffkeyError, RiseConfig, Seed, Silent, explain_clip};
use offkey_signal::{DecodeConfig, decode, encode_wav};
use offkey_synth::{PlantedFault, Region, plant};

/// Where the importance of one clip lies.
#[derive(Debug, Clone)]
pub(crate) struct Pointed {
    pub(crate) fault: PlantedFault,
    /// Share of the positive importance inside the planted region.
    pub(crate) share: f64,
    /// Share of the area: what a picture that knows nothing would put there.
    pub(crate) chance: f64,
    /// Whether the most important place lies in the region.
    pub(crate) hit: bool,
    /// Score with the fault less score without.
    pub(crate) rise: f64,
    /// How much more removing the marked parts lowers the score than removing parts at random.
    pub(crate) deletion_gain: f64,
}

/// How faults are planted and explained.
pub(crate) struct Trial {
    pub(crate) faults: Vec<PlantedFault>,
    /// Mean power of the fault, while it lasts, relative to the clip's.
    pub(crate) snr_db: f64,
    pub(crate) masks: usize,
    pub(crate) seed: Seed,
}

impl Trial {
    /// Plants every fault into every clip, explains the result and measures it; recordings and
    /// explanations go into `folder`.
    pub(crate) fn run(
        &self,
        detector: &Detector,
        clips: &[Clip],
        folder: &Path,
    ) -> Result<Vec<Pointed>, OffkeyError> {
        let mut pointed = Vec::new();
        for (index, clip) in clips.iter().enumerate() {
            let (machine, section) = (Some(clip.machine.as_str()), Some(clip.section.as_str()));
            let before =
                detector.score(std::slice::from_ref(&clip.path), machine, section)?[0].score;
            for &fault in &self.faults {
                let mut wave = decode(&clip.path, &DecodeConfig::default())?;
                let region = plant(&mut wave, fault, self.snr_db, self.seed.child(index));
                let path = folder.join(format!("{}_{}_{index}.wav", clip.machine, fault.name()));
                write(&path, &encode_wav(&wave.samples, wave.rate_hz));
                let request = ExplainRequest {
                    machine: Some(clip.machine.clone()),
                    section: Some(clip.section.clone()),
                    rise: RiseConfig { masks: self.masks, ..RiseConfig::default() },
                    seed: Seed::new(0),
                    folder: folder.join("explained"),
                };
                let explained = explain_clip(detector, &path, &request, &Silent)?;
                let places = places(&explained.folder.join("importance.csv"));
                pointed.push(Pointed {
                    fault,
                    share: share(&places, &region),
                    chance: chance(&places, &region),
                    hit: hit(&places, &region),
                    rise: explained.score - before,
                    deletion_gain: explained.deletion_gain,
                });
            }
        }
        Ok(pointed)
    }
}

/// A row of `importance.csv`: begin and end in seconds, lower and upper edge in hertz, importance.
struct Place {
    edges: [f64; 4],
    importance: f64,
}

fn places(path: &Path) -> Vec<Place> {
    let text = fs::read_to_string(path).expect("what was just written");
    let place = |line: &str| {
        let numbers: Vec<f64> = line.split(',').filter_map(|field| field.parse().ok()).collect();
        Place { edges: [numbers[0], numbers[1], numbers[2], numbers[3]], importance: numbers[4] }
    };
    text.lines().skip(1).map(place).collect()
}

impl Place {
    fn area(&self) -> f64 {
        let [from, to, low, high] = self.edges;
        (to - from) * (high - low)
    }

    /// Share of the place that lies in a region.
    fn inside(&self, region: &Region) -> f64 {
        let [from, to, low, high] = self.edges;
        let overlap = |low: f64, high: f64, from: f32, to: f32| {
            high.min(f64::from(to)) - low.max(f64::from(from))
        };
        let time = overlap(from, to, region.start_s, region.end_s).max(0.0);
        let frequency = overlap(low, high, region.low_hz, region.high_hz).max(0.0);
        time * frequency / self.area()
    }
}

fn share(places: &[Place], region: &Region) -> f64 {
    let weight = |place: &Place| place.importance.max(0.0) * place.area();
    let inside: f64 = places.iter().map(|place| weight(place) * place.inside(region)).sum();
    let all: f64 = places.iter().map(weight).sum();
    if all > 0.0 { inside / all } else { 0.0 }
}

fn chance(places: &[Place], region: &Region) -> f64 {
    let inside: f64 = places.iter().map(|place| place.area() * place.inside(region)).sum();
    inside / places.iter().map(Place::area).sum::<f64>()
}

fn hit(places: &[Place], region: &Region) -> bool {
    let most = places.iter().max_by(|a, b| a.importance.total_cmp(&b.importance));
    most.is_some_and(|place| place.inside(region) > 0.0)
}

fn write(path: &PathBuf, bytes: &[u8]) {
    fs::write(path, bytes).expect("the folder can be written");
}

/// Mean of a number over clips.
pub(crate) fn mean<'a>(
    pointed: impl Iterator<Item = &'a Pointed>,
    of: impl Fn(&Pointed) -> f64,
) -> f64 {
    let values: Vec<f64> = pointed.map(of).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

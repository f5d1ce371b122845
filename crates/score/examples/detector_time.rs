//! Times the detector of three members (128, 256 and 128 dimensions, shrunk Mahalanobis):
//! `detector_time [RECORDINGS] [WINDOWS PER RECORDING] [THREADS]` prints seconds of fitting and of
//! judging one window.
#![expect(clippy::print_stdout, reason = "the timings are the program's result")]

use std::{error::Error, time::Instant};

use ndarray::{Array2, ArrayView1};
use offkey_core::Seed;
use offkey_score::{BackendConfig, Detector, Member, References, Rule};
use rand::RngExt;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let numbers: Vec<usize> =
        std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let number = |index: usize, otherwise| numbers.get(index).copied().unwrap_or(otherwise);
    let (recordings, windows, threads) = (number(0, 100), number(1, 1), number(2, 2));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| measure(recordings, windows))
}

fn measure(recordings: usize, windows: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let rows = recordings * windows;
    let groups: Vec<String> = (0..rows).map(|row| format!("{:06}", row / windows)).collect();
    let domains = vec![None; rows];
    let mut rng = Seed::new(1).rng();
    let mut cloud =
        |dims| Array2::from_shape_simple_fn((rows, dims), || rng.random_range(-60.0..-40.0_f32));
    let embeddings = [cloud(128), cloud(256), cloud(128)];
    let backend = BackendConfig::from_name("shrunk-mahalanobis")?;
    let members: Vec<Member> = embeddings
        .iter()
        .map(|array| {
            let references = References::new(array.view(), &domains, &groups, Seed::new(1))?;
            Ok(Member { name: "member".to_owned(), backend: backend.clone(), references })
        })
        .collect::<Result<_, offkey_score::ScoreError>>()?;
    let start = Instant::now();
    let detector = Detector::fit(&members, Rule::Max)?;
    let fit_s = start.elapsed().as_secs_f64();
    let window: Vec<ArrayView1<f32>> = embeddings.iter().map(|array| array.row(0)).collect();
    detector.judge(&window)?;
    let (start, judged) = (Instant::now(), 50);
    for _ in 0..judged {
        detector.judge(&window)?;
    }
    let judge_s = start.elapsed().as_secs_f64() / f64::from(judged);
    println!(
        "{}",
        serde_json::json!({ "recordings": recordings, "windows": rows, "fit_s": fit_s, "judge_s": judge_s })
    );
    Ok(())
}

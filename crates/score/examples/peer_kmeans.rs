//! Times the k-means backend's fit on an array: `peer_kmeans EMBEDDINGS.npy [REPEATS]` prints
//! `{"seconds": [...]}`.
#![expect(clippy::print_stdout, reason = "the timings are the program's result")]

use std::{error::Error, hint::black_box, path::Path, time::Instant};

use offkey_core::{Seed, npy};
use offkey_score::{BackendConfig, KMeansConfig, References};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let input = arguments.next().ok_or("expected the path of a float32 .npy array")?;
    let repeats: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let points = npy::read(Path::new(&input))?;
    let domains = vec![None; points.nrows()];
    let groups: Vec<String> = (0..points.nrows()).map(|clip| clip.to_string()).collect();
    let references = References::new(points.view(), &domains, &groups, Seed::new(0))?;
    let backend = BackendConfig::KMeans(KMeansConfig::default());
    backend.fit(&references)?;
    let mut seconds = Vec::new();
    for _ in 0..repeats {
        let start = Instant::now();
        black_box(backend.fit(&references)?);
        seconds.push(start.elapsed().as_secs_f64());
    }
    println!("{}", serde_json::json!({ "seconds": seconds }));
    Ok(())
}

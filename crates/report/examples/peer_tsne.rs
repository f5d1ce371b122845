//! Times t-SNE on an array: `peer_tsne EMBEDDINGS.npy [POSITIONS.npy] [METHOD]`, with METHOD one
//! of `cosine` (the default) and `euclidean`, prints `{"seconds": ..., "kl": ...}`.

use std::{env, error::Error, io::Write, ops::ControlFlow, path::Path, time::Instant};

use offkey_core::{Seed, npy, write_whole};
use offkey_report::tsne::{Distance, TsneConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let input = arguments.first().ok_or("expected the path of a float32 .npy array")?;
    let distance = match arguments.get(2).map(String::as_str) {
        None | Some("cosine") => Distance::Cosine,
        Some("euclidean") => Distance::Euclidean,
        Some(other) => return Err(format!("unknown distance `{other}`").into()),
    };
    let points = npy::read(Path::new(input))?;
    let config = TsneConfig { distance, ..TsneConfig::default() };
    let start = Instant::now();
    let map = config.fit(points.view(), Seed::new(0), |_, _| ControlFlow::Continue(()))?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(output) = arguments.get(1) {
        write_whole(Path::new(output), &npy::to_bytes(map.positions().view()))?;
    }
    let result = serde_json::json!({ "seconds": seconds, "kl": map.kl() });
    writeln!(std::io::stdout(), "{result}")?;
    Ok(())
}

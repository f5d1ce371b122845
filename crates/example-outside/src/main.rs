//! Trains, scores, evaluates and writes a page with a loss, a backend and a branch of this crate:
//!
//! ```text
//! cargo run --release -p offkey-example-outside -- DATA RUN
//! ```

#![expect(clippy::print_stdout, reason = "a program prints")]

use std::{error::Error, fs, path::PathBuf};

use offkey::{Recipe, RunRequest, Silent, run};
use offkey_example_outside::{RECIPE, registries};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [data, out] = paths.as_slice() else { return Err("usage: DATA RUN".into()) };
    let recipe = std::env::temp_dir().join("offkey-example-outside.toml");
    fs::write(&recipe, RECIPE)?;
    let recipe = Recipe::load(&recipe.to_string_lossy(), &[])?;
    let request = RunRequest {
        registries: registries(),
        ..RunRequest::new(vec![data.clone()], recipe, out.clone())
    };
    let metrics = run(&request, &Silent)?;
    println!("AUC {:?}, everything in {}", metrics.metrics.auc, out.join("report.html").display());
    Ok(())
}

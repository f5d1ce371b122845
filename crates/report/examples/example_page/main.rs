//! Writes a page with made-up machines to look at: `example_page PAGE.html`.

mod data;

use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("expected the path of the page to write")?;
    fs::write(path, offkey_report::render(&data::example_page(12)?))?;
    Ok(())
}

//! `offkey recipes`: the built-in recipes.

use clap::Args;
use offkey::{BUILT_IN, Recipe};

use super::tables;
use crate::{
    error::CliError,
    output::{print, print_json},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  offkey recipes\n  offkey recipes default\n  offkey recipes default --resolved"
)]
pub(crate) struct RecipesArgs {
    /// Print this recipe as it is written, comments included
    pub(crate) name: Option<String>,
    /// Print it as runs save it: without comments, every default spelled out
    #[arg(long, requires = "name", conflicts_with = "json")]
    pub(crate) resolved: bool,
    /// Print as JSON, every default spelled out
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn recipes(args: &RecipesArgs) -> Result<(), CliError> {
    if let Some(name) = &args.name {
        let recipe = Recipe::load(name, &[])?;
        if args.json {
            print_json(&recipe);
        } else if args.resolved {
            print(&recipe.to_toml());
        } else {
            print(&Recipe::text(name)?);
        }
        return Ok(());
    }
    if args.json {
        let recipes: Result<Vec<Recipe>, _> =
            BUILT_IN.iter().map(|built_in| Recipe::load(built_in.name, &[])).collect();
        print_json(&recipes?);
        return Ok(());
    }
    let mut rows = Vec::new();
    for built_in in BUILT_IN {
        rows.push(vec![format!(
            "{:<24}{}",
            built_in.name,
            Recipe::load(built_in.name, &[])?.description
        )]);
    }
    print(&tables::render(&["recipe                  what it is for"], &rows));
    Ok(())
}

//! `docs/reference/recipe.md` says of every recipe key its type, default, range, effect and source. It is
//! made here from the types and compared with the page: `OFFKEY_WRITE_REFERENCE=1` writes it.

#![expect(clippy::unwrap_used, reason = "a page that cannot be made should stop the test there")]

#[path = "reference/page.rs"]
mod page;
#[path = "reference/source.rs"]
mod source;

use std::{collections::BTreeSet, env, fs, path::Path};

use offkey::{BUILT_IN, Recipe, RecipeError};

use page::{BASE, Page};

const PATH: &str = "docs/reference/recipe.md";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_page_of_recipe_keys_is_that_of_the_types() {
    let page = Page::of(&source::types(root())).text;
    let path = root().join(PATH);
    if env::var_os("OFFKEY_WRITE_REFERENCE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{PATH} is not what the types say; write it by \
         `OFFKEY_WRITE_REFERENCE=1 cargo test -p offkey --test reference`"
    );
}

/// The types themselves name the parts of a key, so nothing that the source reader misses goes unnoticed.
#[test]
fn every_part_of_a_key_that_the_types_know_is_on_the_page() {
    let page = Page::of(&source::types(root()));
    assert!(page.tables.len() > 50, "{} tables", page.tables.len());
    for table in &page.tables {
        let mut changes = table.changes.clone();
        changes.push(table.below("no-such-part") + "=1");
        let error = Recipe::load(BASE, &changes).expect_err("there is no such part");
        let RecipeError::Key { expected, .. } = &error else {
            panic!("{}: {error:?}", table.key);
        };
        let expected: BTreeSet<&str> = expected.split(", ").collect();
        let found: BTreeSet<&str> = table.parts.iter().map(String::as_str).collect();
        assert_eq!(found, expected, "parts of `{}`", table.key);
    }
}

#[test]
fn every_key_of_a_built_in_recipe_is_on_the_page() {
    let page = Page::of(&source::types(root())).text;
    for built_in in BUILT_IN {
        let recipe = Recipe::load(built_in.name, &[]).unwrap();
        let table: toml::Value = toml::from_str(&recipe.to_toml()).unwrap();
        for key in keys(&table, "") {
            let row = format!("| `{key}` |");
            assert!(page.contains(&row), "{}: no row `{key}`", built_in.name);
        }
    }
}

/// Dotted keys of every value that is no table; what stands in a list is a key by its place.
fn keys(value: &toml::Value, key: &str) -> Vec<String> {
    let below = |part: &str| if key.is_empty() { part.to_owned() } else { format!("{key}.{part}") };
    match value {
        toml::Value::Table(table) if !table.is_empty() => {
            table.iter().flat_map(|(part, value)| keys(value, &below(part))).collect()
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            let tables = items.iter().filter(|item| item.is_table());
            tables.flat_map(|item| keys(item, &below("N"))).collect()
        }
        _ => vec![key.to_owned()],
    }
}

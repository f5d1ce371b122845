//! Any text as a recipe: what is understood can be written down and understood again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use offkey::Recipe;

fuzz_target!(|text: &str| {
    if let Ok(recipe) = toml::from_str::<Recipe>(text) {
        let written = recipe.to_toml();
        let again = toml::from_str::<Recipe>(&written).expect("own text");
        assert_eq!(again.to_toml(), written);
    }
});

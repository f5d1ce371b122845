//! Names of computers, models and versions. They become parts of paths and topics.

/// Longest name.
const LONGEST: usize = 64;

/// Why a name cannot be used, where that is so.
pub fn bad_name(what: &str, name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = !name.is_empty()
        && name.len() <= LONGEST
        && !name.starts_with('.')
        && name.chars().all(allowed);
    (!good).then(|| {
        format!(
            "the {what} `{name}` cannot be used, expected at most {LONGEST} of a-z, A-Z, 0-9, -, _ and ., not beginning with a dot"
        )
    })
}

/// Whether a name is meant by a pattern: itself, or all that begin alike where it ends with `*`.
pub fn is_meant(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_paths_are_refused() {
        for name in ["", "..", ".a", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(bad_name("version", name).is_some(), "{name}");
        }
        for name in ["3", "2026-11-29.1", "hall_2-07", "A"] {
            assert_eq!(bad_name("version", name), None, "{name}");
        }
    }

    #[test]
    fn a_star_stands_for_any_end() {
        assert!(is_meant("hall-2-*", "hall-2-07") && is_meant("*", "x") && is_meant("a", "a"));
        assert!(!is_meant("hall-2-*", "hall-3-07") && !is_meant("a", "ab"));
    }
}

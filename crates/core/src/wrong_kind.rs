//! What a parser says of a value of the wrong kind, as a person would.

/// `found the number 7, expected a path in quotes` for `invalid type: integer `7`, expected path string`; another
/// message as it is.
///
/// ```
/// use offkey_core::wrong_kind;
///
/// let said = "invalid type: integer `7`, expected path string";
/// assert_eq!(wrong_kind(said), "found the number `7`, expected a path in quotes");
/// assert_eq!(wrong_kind("unknown field `x`"), "unknown field `x`");
/// ```
pub fn wrong_kind(message: &str) -> String {
    let kind = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|begin| message.strip_prefix(begin)?.rsplit_once(", expected "));
    let Some((found, wanted)) = kind else { return message.to_owned() };
    format!("found {}, expected {}", what_is_there(found), what_is_wanted(wanted))
}

fn what_is_there(found: &str) -> String {
    let names = [
        ("integer ", "the number "),
        ("floating point ", "the number "),
        ("string ", "the text "),
        ("boolean ", ""),
        ("character ", "the text "),
    ];
    let named = names.iter().find_map(|(kind, word)| Some((word, found.strip_prefix(kind)?)));
    match (named, found) {
        (Some((word, value)), _) => format!("{word}{value}"),
        (None, "map") => "a table".to_owned(),
        (None, "sequence") => "a list".to_owned(),
        (None, other) => other.to_owned(),
    }
}

fn what_is_wanted(wanted: &str) -> String {
    let words = match wanted {
        "a string" => "text in quotes",
        "path string" => "a path in quotes",
        "a boolean" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => "a whole number, 1 or more",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        _ if wanted.starts_with("struct ") => "a table",
        other => other,
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_word() {
        for (said, words) in [
            (
                "invalid type: string \"x\", expected u32",
                "found the text \"x\", expected a whole number, 0 or more",
            ),
            (
                "invalid type: boolean `true`, expected a string",
                "found `true`, expected text in quotes",
            ),
            (
                "invalid value: integer `-1`, expected u64",
                "found the number `-1`, expected a whole number, 0 or more",
            ),
            (
                "invalid type: map, expected a sequence",
                "found a table, expected a list in brackets",
            ),
            ("invalid type: sequence, expected struct WebConfig", "found a list, expected a table"),
            (
                "invalid type: integer `3`, expected a time, as in `5s`",
                "found the number `3`, expected a time, as in `5s`",
            ),
        ] {
            assert_eq!(wrong_kind(said), words);
        }
    }
}

//! Numbers of things, in words.

/// A number and its noun: `1 recording`, `2 recordings`, `0 recordings`.
pub fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    // Negative numbers count nothing.
    match count.try_into() {
        Ok(1) => format!("1 {noun}"),
        Ok(count) => format!("{count} {noun}s"),
        Err(_) => format!("no {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_every_other_number_plural() {
        let words: Vec<String> = (0..3_usize).map(|count| counted(count, "window")).collect();
        assert_eq!(words, ["0 windows", "1 window", "2 windows"]);
    }
}

//! What may have been meant by an option that a verb does not have.

use std::ffi::OsString;

use clap::{
    Command,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// The error with a tip, where it is about an unknown option: of a short one, the verb's options that begin with its
/// letter. A long one that is like another has a tip already.
pub(crate) fn with_tips(
    mut error: clap::Error,
    definition: Command,
    words: &[OsString],
) -> clap::Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(typed)) if error.kind() == ErrorKind::UnknownArgument => {
            let is_like_another = error.get(ContextKind::SuggestedArg).is_some();
            only_letter(typed)
                .map(Some)
                .or_else(|| (typed.starts_with("--") && !is_like_another).then_some(None))
        }
        _ => None,
    };
    if let Some(letter) = unknown {
        let tip = StyledStr::from(tip(letter, definition, words));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// `x` of `-x`.
fn only_letter(typed: &str) -> Option<char> {
    let mut letters = typed.strip_prefix('-')?.chars();
    letters.next().filter(|letter| letter.is_ascii_alphabetic() && letters.next().is_none())
}

fn tip(letter: Option<char>, definition: Command, words: &[OsString]) -> String {
    let (mut verb, mut name) = (definition, "offkey".to_owned());
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(below) = verb.find_subcommand(word).cloned() {
            name += &format!(" {word}");
            verb = below;
        }
    }
    let options = verb.get_arguments().filter_map(|argument| argument.get_long());
    let options = options
        .filter(|long| letter.is_some_and(|letter| long.starts_with(letter.to_ascii_lowercase())));
    let meant: Vec<String> = options.map(|long| format!("`--{long}`")).collect();
    match meant.as_slice() {
        [] => format!("`{name} --help` lists the options"),
        [one] => format!("did you mean {one}?"),
        [some @ .., last] => format!("did you mean {} or {last}?", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Cli;

    #[test]
    fn a_short_option_that_is_not_there_is_answered_with_those_of_its_letter() {
        for (line, tip) in [
            ("offkey learn DIR -o m -w 2s", "did you mean `--window`?"),
            (
                "offkey learn DIR -o m -f x",
                "did you mean `--false-alarms`, `--faults` or `--force`?",
            ),
            ("offkey check DIR -m m -x", "`offkey check --help` lists the options"),
            ("offkey data synth -o d -c 3", "did you mean `--clips` or `--clip-s`?"),
            ("offkey data plant --data d -o p", "`offkey data plant --help` lists the options"),
            ("offkey check DIR --modle m", "'--model'"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let error = Cli::definition().try_get_matches_from(&words).expect_err("not there");
            let told = with_tips(error, Cli::definition(), &words).to_string();
            assert!(told.contains(tip), "{line}: {told}");
        }
    }
}

//! Every `offkey` command that README and docs show is a command line that the program takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::command::Cli;

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of pages") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
}

/// The lines of code blocks, those that end with a backslash joined with the next.
fn code(page: &str) -> Vec<String> {
    let (mut inside, mut lines, mut begun) = (false, Vec::new(), String::new());
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            begun += line.trim_end_matches('\\');
            if !line.ends_with('\\') {
                lines.push(std::mem::take(&mut begun));
            }
        }
    }
    lines
}

/// The words of a line of a shell, quotes taken away; a pipe, a semicolon or a redirection begins a new list.
fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut lists, mut word, mut quote, mut any) = (vec![Vec::new()], String::new(), None, false);
    for letter in line.chars() {
        let ends = quote.is_none() && (letter.is_whitespace() || "|;<>&".contains(letter));
        if quote == Some(letter) {
            quote = None;
        } else if quote.is_none() && (letter == '"' || letter == '\'') {
            (quote, any) = (Some(letter), true);
        } else if quote.is_none() && letter == '#' && word.is_empty() {
            break;
        } else if !ends {
            word.push(letter);
        }
        if ends {
            if any || !word.is_empty() {
                lists.last_mut().expect("never empty").push(std::mem::take(&mut word));
                any = false;
            }
            if !letter.is_whitespace() {
                lists.push(Vec::new());
            }
        }
    }
    if any || !word.is_empty() {
        lists.last_mut().expect("never empty").push(word);
    }
    lists
}

/// The command lines of `offkey` in a line of code, run through cargo or not.
fn of_offkey(line: &str) -> Vec<Vec<String>> {
    let line = line.trim_start().trim_start_matches("$ ");
    let through_cargo =
        line.strip_prefix("cargo run --release -- ").map(|rest| format!("offkey {rest}"));
    let mut found = commands(through_cargo.as_deref().unwrap_or(line));
    found.iter_mut().flatten().for_each(|word| *word = without_variables(word));
    found.retain(|words| words.first().is_some_and(|word| word == "offkey") && words.len() > 1);
    found
}

/// Variables of the shell replaced by a number.
fn without_variables(word: &str) -> String {
    let mut pieces = word.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push('1');
        text += piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    }
    text
}

#[test]
fn every_command_of_the_docs_is_a_command_line() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut files = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    pages(&root.join("docs"), &mut files);
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let page = fs::read_to_string(&file).expect("a page");
        for words in code(&page).iter().flat_map(|line| of_offkey(line)) {
            count += 1;
            let parsed = Cli::definition().try_get_matches_from(&words);
            if let Some(error) = parsed.err().filter(clap::Error::use_stderr) {
                wrong.push(format!("{}: `{}`: {error}", file.display(), words.join(" ")));
            }
        }
    }
    assert!(count > 60, "{count} commands found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_are_split_as_a_shell_does() {
    let found = of_offkey("$ arecord -r 16000 | offkey watch - --set 'a b' > out.txt  # heard");
    assert_eq!(found, [["offkey", "watch", "-", "--set", "a b"]]);
    assert!(of_offkey("offkey: a line of output").is_empty());
    assert_eq!(of_offkey("offkey run --seed $JOB_1")[0][3], "1");
}

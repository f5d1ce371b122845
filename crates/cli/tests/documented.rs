//! The docs against the real program: the page of verbs is its own help, and every block marked `console`
//! is run and gives the output that stands below its commands.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const OFFKEY: &str = env!("CARGO_BIN_EXE_offkey");
const VERBS: &str = "docs/reference/verbs.md";

/// What the pages with `console` blocks begin from, as the walkthrough makes it.
const BEFORE: &str = "
offkey data synth --out DATA --machines 1 --clips 24 --quiet
mkdir normal later faults
cp DATA/fan/train/*source_train_normal_00[01]* normal/
cp DATA/fan/train/*source_train_normal_002* DATA/fan/train/*target* later/
cp DATA/fan/test/*source_test_anomaly* faults/
offkey learn normal/ -o pump.offkey
offkey run --data DATA --recipe fusion --out RUN --quiet
";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn help(words: &[&str]) -> String {
    let output =
        Command::new(OFFKEY).args(words).arg("--help").output().expect("the program starts");
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The verbs that a help text lists: lines of two spaces, a word, and more.
fn verbs(help: &str) -> Vec<String> {
    let lines = help.lines().take_while(|line| !line.starts_with("Options:"));
    let verbs = lines.filter_map(|line| line.strip_prefix("  "));
    let verbs = verbs.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    verbs.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

fn page_of_verbs() -> String {
    let top = help(&[]);
    let mut page = format!(
        "# Verbs\n\nFor everybody who types `offkey`. A test compares this page with the program's own help.\n\n\
         ```text\n{}\n```\n",
        top.trim_end()
    );
    for verb in verbs(&top) {
        // Their options are those of another program.
        if verb == "serve" || verb == "history" {
            page += &format!("\n## offkey {verb}\n\nSee [the service](../service.md).\n");
            continue;
        }
        let text = help(&[&verb]);
        page += &format!("\n## offkey {verb}\n\n```text\n{}\n```\n", text.trim_end());
        if text.contains("<COMMAND>") {
            for inner in verbs(&text) {
                let text = help(&[&verb, &inner]);
                page +=
                    &format!("\n## offkey {verb} {inner}\n\n```text\n{}\n```\n", text.trim_end());
            }
        }
    }
    page
}

#[test]
fn the_page_of_verbs_is_the_programs_own_help() {
    let page = page_of_verbs();
    let path = root().join(VERBS);
    if env::var_os("OFFKEY_WRITE_REFERENCE").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{VERBS} is not the program's help; write it by \
         `OFFKEY_WRITE_REFERENCE=1 cargo test -p offkey-cli --test documented`"
    );
}

/// A command of a page and the lines of output below it.
struct Step {
    command: String,
    expected: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let (mut inside, mut steps) = (false, Vec::<Step>::new());
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            steps.push(Step { command: command.to_owned(), expected: Vec::new() });
        } else if let (true, Some(step)) = (inside, steps.last_mut()) {
            step.expected.push(line.to_owned());
        }
    }
    steps
}

/// Whether an output is the expected lines; `...` stands for anything within a line, and for any lines where
/// it is a line of its own.
fn fits(expected: &[String], found: &[&str]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return found.is_empty() };
    if first == "..." {
        return (0..=found.len()).any(|skipped| fits(rest, &found[skipped..]));
    }
    found.split_first().is_some_and(|(line, others)| line_fits(first, line) && fits(rest, others))
}

fn line_fits(expected: &str, found: &str) -> bool {
    let mut pieces = expected.trim_end().split("...");
    let Some(mut rest) = pieces.next().and_then(|piece| found.trim_end().strip_prefix(piece))
    else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    for (index, piece) in pieces.iter().enumerate() {
        if index + 1 == pieces.len() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

fn shell(folder: &Path, command: &str) -> String {
    let program = Path::new(OFFKEY).parent().expect("it lies in a folder");
    let path = format!("{}:{}", program.display(), env::var("PATH").unwrap_or_default());
    let output = Command::new("bash")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(folder)
        .env("PATH", path)
        .env("COLUMNS", "100")
        .output()
        .expect("bash starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn what_console_blocks_show_is_what_the_program_prints() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = folder.path().join("before");
    fs::create_dir(&before).expect("a new folder");
    let made = shell(&before, &format!("{{ set -e; {}; }}", BEFORE.trim().replace('\n', "; ")));
    assert!(before.join("RUN/metrics.json").exists(), "{made}");
    let mut files = pages(&root().join("docs"));
    files.push(root().join("README.md"));
    let (mut count, mut wrong) = (0, String::new());
    for file in files {
        let page = fs::read_to_string(&file).expect("a page");
        let steps = steps(&page);
        if steps.is_empty() {
            continue;
        }
        let place = folder.path().join("page");
        shell(folder.path(), "rm -rf page && cp -r before page");
        if steps.iter().any(|step| step.command.ends_with("-o pump.offkey")) {
            fs::remove_file(place.join("pump.offkey")).expect("it is there");
        }
        for Step { command, expected } in steps {
            count += 1;
            let output = shell(&place, &command);
            let progress = |line: &&str| !(line.contains(", about ") && line.ends_with(" left"));
            let found: Vec<&str> = output.trim_end().lines().filter(progress).collect();
            if !fits(&expected, &found) {
                wrong += &format!("{}: $ {command}\n{output}\n", file.display());
            }
        }
    }
    assert!(count > 15, "{count} commands found");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn dots_stand_for_anything() {
    assert!(line_fits("learned ... of 10.0 s", "learned from 20, 20 of 10.0 s"));
    assert!(!line_fits("learned ... of 10.0 s", "learned from 20, 20 of 2.0 s"));
    assert!(!line_fits("wrote a", "wrote ab"));
    let expected = ["a".to_owned(), "...".to_owned(), "c".to_owned()];
    assert!(fits(&expected, &["a", "b", "b", "c"]));
    assert!(!fits(&expected, &["a", "b", "b"]));
}

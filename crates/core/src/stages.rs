//! The stages of a run in one table: what each needs, which files it writes, and what is in them.

use std::fmt;

/// The parts of long calls; most are stages of a run, see [`STAGES`].
///
/// ```
/// use offkey_core::stages::{STAGES, Stage};
///
/// let embed = STAGES.iter().find(|row| row.stage == Stage::Embed).expect("a stage of every run");
/// assert_eq!(embed.needs, [Stage::Train]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Making synthetic recordings.
    Synthesize,
    /// Decoding every recording once, so that a broken one is found before training starts.
    Check,
    /// Training the encoder.
    Train,
    /// Turning clips into embeddings.
    Embed,
    /// Turning embeddings into anomaly scores and decisions.
    Score,
    /// Scoring the same clips by plain statistics, to compare the model with.
    Baselines,
    /// Turning scores and truth into metrics.
    Evaluate,
    /// Arranging embeddings on a plane.
    Map,
    /// Finding what raises a clip's score.
    Explain,
    /// Writing the page.
    Report,
}

/// One stage of a run.
#[derive(Debug, Clone, Copy)]
pub struct StageRow {
    /// The stage.
    pub stage: Stage,
    /// Its name in `manifest.json`.
    pub name: &'static str,
    /// The verb of the command line that runs it.
    pub verb: &'static str,
    /// The stages whose files it reads.
    pub needs: &'static [Stage],
    /// The files and folders it writes, each with what is in it; one without a text belongs to the one before.
    pub files: &'static [(&'static str, &'static str)],
}

/// A run's recipe: what makes a folder a run.
pub const RECIPE_FILE: &str = "recipe.toml";
/// How far a run has come.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The AUC on test clips while training went on.
pub const WATCHED_FILE: &str = "watched.csv";
/// The training curve, one row a step.
pub const LOSSES_FILE: &str = "losses.csv";
/// Intra- and inter-class compactness, one row an epoch.
pub const COMPACTNESS_FILE: &str = "compactness.csv";
/// What `TensorBoard` opens.
pub const EVENTS_FOLDER: &str = "events";

/// Every stage of a run, in the order they are run.
pub static STAGES: [StageRow; 9] = [
    StageRow {
        stage: Stage::Check,
        name: "prepare",
        verb: "run",
        needs: &[],
        files: &[
            (
                RECIPE_FILE,
                "the recipe as resolved, every default spelled out; running it gives the same run",
            ),
            (
                MANIFEST_FILE,
                "version, commit, seed, device, kernels, data fingerprint, stages done, seconds and processor seconds per stage, peak memory",
            ),
            ("clips.csv", "the clips the run works on"),
            ("skipped.csv", "the clips left out, with the reason"),
        ],
    },
    StageRow {
        stage: Stage::Train,
        name: "train",
        verb: "train",
        needs: &[Stage::Check],
        files: &[
            (
                "model",
                "encoder.toml, weights.safetensors, classes.csv (class of each training clip); while training the checkpoint. The further networks of an ensemble stand in network_2 and on, with curves of their own. Of statistics: statistics.json. Of pooled spectra: pooled.json. Of autoencoders: machines.json, and per machine a folder with weights and errors.csv",
            ),
            (LOSSES_FILE, "one row per step"),
            (
                COMPACTNESS_FILE,
                "one row per epoch, where the recipe asks for it or holds clips out",
            ),
            (
                WATCHED_FILE,
                "AUC on the test clips after every so many epochs, for looking only, where `--watch-metrics` asks for it",
            ),
            (EVENTS_FOLDER, "event files for TensorBoard, where `--tensorboard` asks for them"),
        ],
    },
    StageRow {
        stage: Stage::Embed,
        name: "embed",
        verb: "embed",
        needs: &[Stage::Train],
        files: &[(
            "embeddings",
            "embeddings.npy, `[clips, dims]`, with rows.csv; pooled.npy: the pooled spectra of the recipe's `fusion`, side by side",
        )],
    },
    StageRow {
        stage: Stage::Score,
        name: "score",
        verb: "score",
        needs: &[Stage::Embed],
        files: &[(
            "scores",
            "one CSV per machine and section, thresholds.json, challenge/ (the official file forms)",
        )],
    },
    StageRow {
        stage: Stage::Baselines,
        name: "baselines",
        verb: "run",
        needs: &[Stage::Check],
        files: &[(
            "baselines",
            "per baseline one CSV: the same test clips scored by plain statistics",
        )],
    },
    StageRow {
        stage: Stage::Evaluate,
        name: "evaluate",
        verb: "evaluate",
        needs: &[Stage::Score, Stage::Baselines],
        files: &[(
            "metrics.json",
            "the metrics of the model and of the baselines, and what they cost",
        )],
    },
    StageRow {
        stage: Stage::Map,
        name: "map",
        verb: "tsne",
        needs: &[Stage::Score],
        files: &[
            ("tsne.csv", "the map of the embeddings, with pictures"),
            ("tsne.svg", ""),
            ("tsne.png", ""),
            ("tsne_domain.csv", ""),
            ("tsne_domain.svg", ""),
            ("tsne_domain.png", ""),
            ("tsne_label.csv", ""),
            ("tsne_label.svg", ""),
            ("tsne_label.png", ""),
            ("tsne_score.csv", ""),
            ("tsne_score.svg", ""),
            ("tsne_score.png", ""),
        ],
    },
    StageRow {
        stage: Stage::Explain,
        name: "explain",
        verb: "explain",
        needs: &[Stage::Embed],
        files: &[(
            "explain",
            "per clip a folder: what raises its score as sheet, pictures and numbers",
        )],
    },
    StageRow {
        stage: Stage::Report,
        name: "report",
        verb: "report",
        needs: &[Stage::Evaluate, Stage::Map],
        files: &[
            ("report.html", "the page"),
            ("shown_clips.json", "what the page says of the clips it shows"),
            ("figures", "per chart of the page its numbers as CSV"),
            ("covariates.csv", "quantities that scores are drawn against, where given"),
        ],
    },
];

impl Stage {
    /// The stage as a word in the present participle, as progress lines show it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Synthesize => "synthesizing",
            Self::Check => "checking",
            Self::Train => "training",
            Self::Embed => "embedding",
            Self::Score => "scoring",
            Self::Baselines => "baselines",
            Self::Evaluate => "evaluating",
            Self::Map => "mapping",
            Self::Explain => "explaining",
            Self::Report => "reporting",
        }
    }

    /// The stage's row, where it is a stage of a run.
    fn row(self) -> Option<&'static StageRow> {
        STAGES.iter().find(|row| row.stage == self)
    }

    /// Its name in `manifest.json`.
    pub fn name(self) -> &'static str {
        self.row().map_or_else(|| self.label(), |row| row.name)
    }

    /// The verb of the command line that runs it.
    pub fn verb(self) -> &'static str {
        self.row().map_or("run", |row| row.verb)
    }

    /// The files and folders it writes, by name.
    pub fn files(self) -> impl Iterator<Item = &'static str> {
        self.row().into_iter().flat_map(|row| row.files).map(|(name, _)| *name)
    }

    /// Whether its files are made from those of another stage, by way of others or at once.
    pub fn depends_on(self, other: Self) -> bool {
        let needs = self.row().map_or(&[][..], |row| row.needs);
        needs.iter().any(|&need| need == other || need.depends_on(other))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())
    }
}

/// The files a run may hold, in the order in which beginning anew removes them: first what says how far
/// the run has come, last what makes the folder a run, so that one cleared halfway can be begun again.
pub fn removable() -> impl Iterator<Item = &'static str> {
    let ends = [MANIFEST_FILE, RECIPE_FILE];
    let between = STAGES.iter().flat_map(|row| row.files).map(|(name, _)| *name);
    let between = between.filter(move |name| !ends.contains(name));
    std::iter::once(MANIFEST_FILE).chain(between).chain([RECIPE_FILE])
}

/// The table as Markdown, one row per file.
pub fn listing() -> String {
    let mut text = "| file | stage | what is in it |\n| --- | --- | --- |\n".to_owned();
    for row in STAGES {
        for (name, about) in row.files.iter().filter(|(_, about)| !about.is_empty()) {
            text += &format!("| `{name}` | {} | {about} |\n", row.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_stage_comes_after_what_it_needs_and_no_file_has_two_writers() {
        let mut done = BTreeSet::new();
        let mut files = BTreeSet::new();
        for row in STAGES {
            assert!(row.needs.iter().all(|need| done.contains(need)), "{}", row.name);
            done.insert(row.stage);
            for (name, _) in row.files {
                assert!(files.insert(name), "`{name}` is written by two stages");
            }
        }
    }

    #[test]
    fn what_is_cleared_begins_with_the_manifest_and_ends_with_the_recipe() {
        let names: Vec<&str> = removable().collect();
        assert_eq!(names.first(), Some(&MANIFEST_FILE));
        assert_eq!(names.last(), Some(&RECIPE_FILE));
        let files: usize = STAGES.iter().map(|row| row.files.len()).sum();
        assert_eq!(names.len(), files);
    }

    #[test]
    fn the_map_of_the_house_lists_the_files_of_a_run_as_the_table_does() {
        let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
        let map = fs::read_to_string(map).expect("the map is there");
        assert!(map.contains(&listing()), "ARCHITECTURE.md should hold:\n{}", listing());
    }
}

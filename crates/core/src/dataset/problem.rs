//! What can be wrong with a data set that can still be used.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// Something a user should know of a data set; the clips that remain are usable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Problem {
    /// A file or folder could not be looked at; left out.
    #[error("cannot read `{}` ({reason}); left out", path.display())]
    Unreadable {
        /// File or folder.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// What the file system said.
        reason: String,
    },
    /// A link leads back to a folder it lies in; not followed.
    #[error("`{}` leads back to a folder it lies in; not followed", path.display())]
    SymlinkLoop {
        /// The link.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// The same file is reached twice; taken once.
    #[error("`{}` is the same file as `{}`; taken once", path.display(), first.display())]
    SameFile {
        /// The second way to it.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// The first way to it.
        #[serde(with = "crate::paths")]
        first: PathBuf,
    },
    /// A manifest names a file that does not exist; left out.
    #[error("`{}` names `{}`, which does not exist; left out", manifest.display(), path.display())]
    MissingFile {
        /// The manifest.
        #[serde(with = "crate::paths")]
        manifest: PathBuf,
        /// The file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// A manifest has columns that nobody reads.
    #[error("`{}` has columns that are not read: {}", manifest.display(), columns.join(", "))]
    UnknownColumns {
        /// The manifest.
        #[serde(with = "crate::paths")]
        manifest: PathBuf,
        /// The columns' names.
        columns: Vec<String>,
    },
    /// A file among challenge files has no challenge name; left out.
    #[error(
        "`{}` lies among challenge files but has no challenge name, as in \
        `section_00_source_train_normal_0000.wav`; left out",
        path.display()
    )]
    UnparsableName {
        /// The file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// A file's name and its folder say different things; it is taken as a test clip or an anomaly.
    #[error("`{}` is `{name_says}` by its name but `{folder_says}` by its folder; taken as `{taken_as}`", path.display())]
    NameAgainstFolder {
        /// The file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// What its name says.
        name_says: String,
        /// What its folder says.
        folder_says: String,
        /// What it was taken as.
        taken_as: String,
    },
    /// A training clip is labelled anomalous; left out.
    #[error("`{}` is a training clip labelled anomaly; left out", path.display())]
    AnomalyInTraining {
        /// The file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// File names repeat within a section, so clips are known by their relative paths.
    #[error(
        "file names repeat within a section (names: {names}, sections: {sections}), as `{example}` of \
        {machine} {section}; these clips are known by their paths"
    )]
    RepeatedNames {
        /// How many names repeat.
        names: usize,
        /// In how many sections.
        sections: usize,
        /// The first of them.
        example: String,
        /// The first one's machine.
        machine: String,
        /// The first one's section.
        section: String,
    },
    /// Name and truth disagree on a clip; the name is believed.
    #[error("`{}` is `{name_says}` by its name but `{truth_says}` by the truth file; the name is believed", path.display())]
    NameAgainstTruth {
        /// The file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// What its name says.
        name_says: String,
        /// What the truth says.
        truth_says: String,
    },
    /// A truth file that lies with the clips cannot be understood; left out.
    #[error("{reason}; the truth file is left out")]
    UnusableTruth {
        /// The truth file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The full names of a truth or attribute file contradict what other files state.
    #[error(
        "`{}` contradicts the stated labels or domains in {rows} rows, so it belongs to another \
        numbering of the clips; left out",
        file.display()
    )]
    TruthAgainstTruth {
        /// The truth file.
        #[serde(with = "crate::paths")]
        file: PathBuf,
        /// How many rows.
        rows: usize,
    },
    /// Machines or sections that no run can keep apart.
    #[error("{reason}; no run can begin with this data set")]
    UnusableNames {
        /// Why.
        reason: String,
    },
    /// Rows of a truth or attribute file name no clip of a machine that is there.
    #[error("{rows} rows of `{}` name no clip, as `{example}`", file.display())]
    TruthWithoutClip {
        /// The truth file.
        #[serde(with = "crate::paths")]
        file: PathBuf,
        /// How many rows.
        rows: usize,
        /// The first row's file name, without extension.
        example: String,
    },
    /// Test clips whose label nobody knows: they are scored, but not evaluated.
    #[error(
        "no truth for {clips} of {of} test clips of {machine} {section}: scored, not evaluated"
    )]
    MissingTruth {
        /// The clips' machine.
        machine: String,
        /// The clips' section.
        section: String,
        /// Test clips without label.
        clips: usize,
        /// Test clips.
        of: usize,
    },
    /// Nothing says whether clips are normal, nor what they are for.
    #[error(
        "{clips} clips of {machine} {section} lie in no folder named `train`, `test`, `normal` or \
        `anomaly`, and no table knows them: scored, never trained on"
    )]
    Unlabelled {
        /// The clips' machine.
        machine: String,
        /// The clips' section.
        section: String,
        /// Clips without label and split.
        clips: usize,
    },
    /// A section has clips to score and nothing to compare them with.
    #[error(
        "{machine} {section} has {clips} test clips but no normal training clip to compare them \
        with: a run leaves them out"
    )]
    NoTraining {
        /// The clips' machine.
        machine: String,
        /// The clips' section.
        section: String,
        /// Test clips.
        clips: usize,
    },
    /// A section has target clips to score but none to learn from.
    #[error("{machine} {section} has target test clips but no target training clip")]
    NoTargetTraining {
        /// The clips' machine.
        machine: String,
        /// The clips' section.
        section: String,
    },
    /// All training clips of a machine share section, attributes and domain: within the machine
    /// there is nothing to tell apart.
    #[error(
        "the training clips of {machine} are all of one section, one domain and one attribute \
        text: the auxiliary task has one class for this machine"
    )]
    OneClass {
        /// The machine.
        machine: String,
    },
}

impl Problem {
    /// A short name of the kind of problem, the same as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::SymlinkLoop { .. } => "symlink-loop",
            Self::SameFile { .. } => "same-file",
            Self::MissingFile { .. } => "missing-file",
            Self::UnknownColumns { .. } => "unknown-columns",
            Self::UnparsableName { .. } => "unparsable-name",
            Self::NameAgainstFolder { .. } => "name-against-folder",
            Self::AnomalyInTraining { .. } => "anomaly-in-training",
            Self::RepeatedNames { .. } => "repeated-names",
            Self::NameAgainstTruth { .. } => "name-against-truth",
            Self::UnusableTruth { .. } => "unusable-truth",
            Self::TruthAgainstTruth { .. } => "truth-against-truth",
            Self::UnusableNames { .. } => "unusable-names",
            Self::TruthWithoutClip { .. } => "truth-without-clip",
            Self::MissingTruth { .. } => "missing-truth",
            Self::Unlabelled { .. } => "unlabelled",
            Self::NoTraining { .. } => "no-training",
            Self::NoTargetTraining { .. } => "no-target-training",
            Self::OneClass { .. } => "one-class",
        }
    }

    /// The file or folder at fault, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { path, .. }
            | Self::SymlinkLoop { path }
            | Self::SameFile { path, .. }
            | Self::MissingFile { path, .. }
            | Self::UnparsableName { path }
            | Self::NameAgainstFolder { path, .. }
            | Self::AnomalyInTraining { path }
            | Self::UnusableTruth { path, .. }
            | Self::NameAgainstTruth { path, .. } => Some(path),
            Self::UnknownColumns { manifest, .. } => Some(manifest),
            Self::TruthAgainstTruth { file, .. } | Self::TruthWithoutClip { file, .. } => {
                Some(file)
            }
            Self::RepeatedNames { .. }
            | Self::UnusableNames { .. }
            | Self::MissingTruth { .. }
            | Self::Unlabelled { .. }
            | Self::NoTraining { .. }
            | Self::NoTargetTraining { .. }
            | Self::OneClass { .. } => None,
        }
    }
}

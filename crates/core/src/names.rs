//! What file and folder names say: DCASE Task 2 of all years, MIMII, and plain folders.

use std::fmt;

use crate::{Condition, Domain, Split, Year};

/// Audio files are known by these extensions, in any case.
pub const AUDIO_EXTENSIONS: [&str; 26] = [
    "wav", "flac", "wave", "w64", "rf64", "bwf", "aif", "aiff", "aifc", "caf", "ogg", "oga",
    "opus", "mp3", "m4a", "aac", "mka", "mkv", "mp4", "mov", "webm", "wma", "amr", "3gp", "au",
    "wv",
];

/// What a challenge file name says about its clip.
///
/// ```
/// use offkey_core::{Condition, DcaseName, Domain};
/// let name = DcaseName::parse("section_00_target_test_anomaly_0007_vel_5.wav").unwrap();
/// assert_eq!(name.domain, Some(Domain::Target));
/// assert_eq!(name.condition, Some(Condition::Anomaly));
/// assert_eq!(name.attributes, "vel_5");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DcaseName {
    /// Whether the name counts sections or, as in 2020, machine ids.
    pub form: NameForm,
    /// Section or machine id, digits as written.
    pub section: String,
    /// Source or target.
    pub domain: Option<Domain>,
    /// Train, test or supplemental.
    pub split: Option<Split>,
    /// Normal or anomalous; absent from neutral evaluation names.
    pub condition: Option<Condition>,
    /// The running number, digits as written; may be empty for supplemental clips alone.
    pub number: String,
    /// Everything after the number, kept verbatim. For a supplemental clip its other words.
    pub attributes: String,
}

/// The two families of challenge names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameForm {
    /// 2020: `normal_id_00_00000000.wav`, `id_01_00000000.wav`.
    MachineId,
    /// 2021 on: `section_00_source_train_normal_0000.wav`, `section_00_0000.wav`.
    Section,
}

impl DcaseName {
    /// Reads a file name, with or without extension; `None` when it is no challenge name.
    ///
    /// # Source
    /// The challenge's data descriptions of 2020 to 2026.
    pub fn parse(file_name: &str) -> Option<Self> {
        let stem = stem(file_name);
        Self::parse_section(stem).or_else(|| Self::parse_machine_id(stem))
    }

    fn parse_machine_id(stem: &str) -> Option<Self> {
        let (condition, rest) = if let Some(rest) = stem.strip_prefix("id_") {
            (None, rest)
        } else {
            let (word, rest) = stem.split_once("_id_")?;
            (Some(condition_word(word)?), rest)
        };
        let (section, number) = rest.split_once('_')?;
        (is_number(section) && is_number(number)).then(|| Self {
            form: NameForm::MachineId,
            section: section.to_owned(),
            domain: None,
            split: None,
            condition,
            number: number.to_owned(),
            attributes: String::new(),
        })
    }

    fn parse_section(stem: &str) -> Option<Self> {
        let (section, rest) = stem.strip_prefix("section_")?.split_once('_')?;
        if !is_number(section) {
            return None;
        }
        if rest.split('_').any(|word| word == "supplemental") {
            return Some(Self::supplemental(section, rest));
        }
        let mut words = Words(rest);
        let domain = words.take_if(|word| word.parse().ok());
        let split = words.take_if(|word| match word {
            "train" => Some(Split::Train),
            "test" => Some(Split::Test),
            _ => None,
        });
        let condition = words.take_if(|word| match word {
            "normal" => Some(Condition::Normal),
            "anomaly" => Some(Condition::Anomaly),
            _ => None,
        });
        let number = words.take_if(|word| is_number(word).then(|| word.to_owned()))?;
        Some(Self {
            form: NameForm::Section,
            section: section.to_owned(),
            domain,
            split,
            condition,
            number,
            attributes: words.0.to_owned(),
        })
    }

    /// `section_00_source_supplemental_machine_0000`: extra clips, neither reference nor test.
    fn supplemental(section: &str, rest: &str) -> Self {
        let mut words: Vec<&str> = rest.split('_').filter(|word| *word != "supplemental").collect();
        let domain = words.first().and_then(|word| word.parse().ok());
        if domain.is_some() {
            words.remove(0);
        }
        let number = words.pop_if(|word| is_number(word)).unwrap_or_default();
        Self {
            form: NameForm::Section,
            section: section.to_owned(),
            domain,
            split: Some(Split::Supplemental),
            condition: None,
            number: number.to_owned(),
            attributes: words.join("_"),
        }
    }
}

/// The name without extension. Names that [`DcaseName::parse`] read come back as they were, save
/// supplemental ones, whose words are kept but not their places.
impl fmt::Display for DcaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        match self.form {
            NameForm::MachineId => {
                words.extend(self.condition.map(|condition| condition.to_string()));
                words.extend(["id".to_owned(), self.section.clone()]);
            }
            NameForm::Section => {
                words.extend(["section".to_owned(), self.section.clone()]);
                words.extend(self.domain.map(|domain| domain.to_string()));
                words.extend(self.split.map(|split| split.to_string()));
                words.extend(self.condition.map(|condition| condition.to_string()));
            }
        }
        words.extend([self.number.clone(), self.attributes.clone()]);
        words.retain(|word| !word.is_empty());
        f.write_str(&words.join("_"))
    }
}

/// The words of a name, left to right.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn take_if<T>(&mut self, read: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let (word, rest) = self.0.split_once('_').unwrap_or((self.0, ""));
        let value = read(word)?;
        self.0 = rest;
        Some(value)
    }
}

/// What the name of a score or truth file says: `ground_truth_fan_section_00_source_test.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// Machine type.
    pub machine: String,
    /// Section or machine id.
    pub section: String,
    /// The domain of all rows: 2021 has one file a domain.
    pub domain: Option<Domain>,
}

impl TableName {
    /// Reads a CSV file's name around `marker`, as `anomaly_score_`, which may be written in any case;
    /// `None` without marker or section.
    ///
    /// Anything may stand before the marker and after the section. Before the machine a prefix is
    /// dropped where it is `DCASE2023T2` or the like, or where a machine of the challenge follows it.
    pub fn parse(file_name: &str, marker: &str) -> Option<Self> {
        let (stem, extension) = file_name.rsplit_once('.').unwrap_or((file_name, ""));
        let stem = if extension.eq_ignore_ascii_case("csv") { stem } else { file_name };
        let at = stem.to_ascii_lowercase().find(marker)?;
        let text = &stem[at + marker.len()..];
        let (machine, rest) = text.split_once("_section_").or_else(|| text.split_once("_id_"))?;
        let (section, suffix) = rest.split_once('_').unwrap_or((rest, ""));
        let domain = match suffix {
            _ if suffix.starts_with("source") => Some(Domain::Source),
            _ if suffix.starts_with("target") => Some(Domain::Target),
            _ => None,
        };
        let machine = without_prefix(machine);
        (!machine.is_empty() && !section.is_empty()).then(|| Self {
            machine: machine.to_owned(),
            section: section_text(section),
            domain,
        })
    }
}

fn without_prefix(machine: &str) -> &str {
    if let Some(rest) = machine.strip_prefix("DCASE")
        && let Some((year, machine)) = rest.split_at_checked(6)
        && let [_, _, _, _, b'T', b'0'..=b'9'] = year.as_bytes()
    {
        return machine.trim_start_matches('_');
    }
    let known = MACHINES.iter().flat_map(|(_, machines)| *machines).find(|known| {
        machine.strip_suffix(**known).is_some_and(|prefix| prefix.ends_with(['_', '-']))
    });
    known.copied().unwrap_or(machine)
}

/// The challenge's machine types, each year's new ones.
///
/// # Source
/// The challenge's data descriptions.
pub const MACHINES: [(Year, &[&str]); 7] = [
    (Year::Y2020, &["fan", "pump", "slider", "valve", "ToyCar", "ToyConveyor"]),
    (Year::Y2021, &["gearbox", "ToyTrain"]),
    (Year::Y2022, &["bearing"]),
    (Year::Y2023, &["bandsaw", "grinder", "shaker", "ToyDrone", "ToyNscale", "ToyTank", "Vacuum"]),
    (Year::Y2024, NEW_IN_2024),
    (Year::Y2025, NEW_IN_2025),
    (Year::Y2026, &["BlowerDustCollector", "Sander", "SewingMachine"]),
];

/// Machine types of 2024, all of them new.
pub(crate) const NEW_IN_2024: &[&str] = &[
    "3DPrinter",
    "AirCompressor",
    "BrushlessMotor",
    "HairDryer",
    "HoveringDrone",
    "RoboticArm",
    "Scanner",
    "ToothBrush",
    "ToyCircuit",
];

/// Machine types that were new in 2025.
pub(crate) const NEW_IN_2025: &[&str] = &[
    "AutoTrash",
    "BandSealer",
    "CoffeeGrinder",
    "HomeCamera",
    "Polisher",
    "ScrewFeeder",
    "ToyPet",
    "ToyRCCar",
];

/// What one folder's name says, whatever the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderWord<'a> {
    /// `normal`, `anomaly`, `abnormal`.
    Condition(Condition),
    /// `train`, `test`, `supplemental`; 2021's `source_test` and `target_test` say a domain too.
    Split(Split, Option<Domain>),
    /// MIMII's `id_00`, or `section_00`.
    Section(&'a str),
}

impl<'a> FolderWord<'a> {
    /// Reads a folder name, in any case; `None` when it is a name like any other.
    pub fn parse(folder: &'a str) -> Option<Self> {
        let lower = folder.to_ascii_lowercase();
        match lower.as_str() {
            "train" => Some(Self::Split(Split::Train, None)),
            "test" => Some(Self::Split(Split::Test, None)),
            "source_train" => Some(Self::Split(Split::Train, Some(Domain::Source))),
            "target_train" => Some(Self::Split(Split::Train, Some(Domain::Target))),
            "source_test" => Some(Self::Split(Split::Test, Some(Domain::Source))),
            "target_test" => Some(Self::Split(Split::Test, Some(Domain::Target))),
            "supplemental" => Some(Self::Split(Split::Supplemental, None)),
            word => condition_word(word)
                .map(Self::Condition)
                .or_else(|| section_word(folder, &lower).map(Self::Section)),
        }
    }
}

fn section_word<'a>(folder: &'a str, lower: &str) -> Option<&'a str> {
    let at = ["id_", "section_"].iter().find(|prefix| lower.starts_with(**prefix))?.len();
    is_number(&folder[at..]).then(|| &folder[at..])
}

/// The condition that a plain file name begins with, as in `normal_03.wav` or `anomaly-7.wav`.
pub fn condition_prefix(file_name: &str) -> Option<Condition> {
    let end = file_name.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(file_name.len());
    condition_word(&file_name[..end].to_ascii_lowercase())
}

fn condition_word(word: &str) -> Option<Condition> {
    match word {
        "normal" => Some(Condition::Normal),
        "anomaly" | "abnormal" => Some(Condition::Anomaly),
        _ => None,
    }
}

/// Whether a file name has an audio extension, in any case.
pub fn is_audio(file_name: &str) -> bool {
    stem(file_name).len() < file_name.len()
}

/// A file name without folders and without its audio extension.
///
/// Other extensions stay: `1.5_bar` is a whole name.
pub fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    match name.rsplit_once('.') {
        Some((stem, extension))
            if AUDIO_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)) =>
        {
            stem
        }
        _ => name,
    }
}

/// How a section is written everywhere: at least two digits where it is a number, `00` where
/// nothing is known, other text as it is.
pub fn section_text(section: &str) -> String {
    let section = section.trim();
    if section.is_empty() || is_number(section) {
        format!("{:0>2}", section.trim_start_matches('0'))
    } else {
        section.to_owned()
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

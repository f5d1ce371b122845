//! The challenge's official sets, year by year.
//!
//! Counts of 2022 to 2025 are those that the data descriptions and the READMEs of the official baselines state.
//! Test counts of 2021's development set are counted from the published scores of the official baseline; its other
//! counts are described as "around". Counts of 2020's development set were entered without the set or its
//! description at hand: a difference there is a reason to look, and proves nothing.

use super::official_part::{Count, Expected, OfficialPart, Sections};
use crate::names::{NEW_IN_2024, NEW_IN_2025};
use crate::{
    Condition::{self, Anomaly, Normal},
    Domain::{self, Source, Target},
    Split::{self, Supplemental, Test, Train},
    Year,
};

const fn row(
    split: Split,
    domain: Option<Domain>,
    condition: Option<Condition>,
    count: Count,
) -> Expected {
    Expected { split, domain, condition, count }
}

const fn exactly(split: Split, domain: Domain, condition: Condition, count: usize) -> Expected {
    row(split, Some(domain), Some(condition), Count::Exactly(count))
}

const FIRST: &[&str] = &["fan", "pump", "slider", "valve", "ToyCar", "ToyConveyor"];
const SECOND: &[&str] = &["fan", "gearbox", "pump", "slider", "valve", "ToyCar", "ToyTrain"];
const LATER: &[&str] = &["bearing", "fan", "gearbox", "slider", "valve", "ToyCar", "ToyTrain"];

const MIMII_DEVELOPMENT: &[&str] = &["00", "02", "04", "06"];
const MIMII_EVALUATION: &[&str] = &["01", "03", "05"];

const EVALUATION_IDS_2020: Sections = Sections::PerMachine(&[
    MIMII_EVALUATION,
    MIMII_EVALUATION,
    MIMII_EVALUATION,
    MIMII_EVALUATION,
    &["05", "06", "07"],
    &["04", "05", "06"],
]);

const DEVELOPMENT_SECTIONS: Sections = Sections::Same(&["00", "01", "02"]);
const EVALUATION_SECTIONS: Sections = Sections::Same(&["03", "04", "05"]);
const ONE_SECTION: Sections = Sections::Same(&["00"]);

/// From 2022 on.
const TRAINING: &[Expected] =
    &[exactly(Train, Source, Normal, 990), exactly(Train, Target, Normal, 10)];
/// With recordings of the clean machine or of noise alone beside it, from 2025 on.
const TRAINING_AND_SUPPLEMENT: &[Expected] = &[
    exactly(Train, Source, Normal, 990),
    exactly(Train, Target, Normal, 10),
    row(Supplemental, None, None, Count::Exactly(100)),
];
const DEVELOPMENT: &[Expected] = &[
    exactly(Train, Source, Normal, 990),
    exactly(Train, Target, Normal, 10),
    exactly(Test, Source, Normal, 50),
    exactly(Test, Source, Anomaly, 50),
    exactly(Test, Target, Normal, 50),
    exactly(Test, Target, Anomaly, 50),
];
const DEVELOPMENT_AND_SUPPLEMENT: &[Expected] = &[
    exactly(Train, Source, Normal, 990),
    exactly(Train, Target, Normal, 10),
    exactly(Test, Source, Normal, 50),
    exactly(Test, Source, Anomaly, 50),
    exactly(Test, Target, Normal, 50),
    exactly(Test, Target, Anomaly, 50),
    row(Supplemental, None, None, Count::Exactly(100)),
];
const EVALUATION: &[Expected] = &[row(Test, None, None, Count::Exactly(200))];

/// The two machines of 2021 whose test sets have other sizes than 100 clips of each kind.
const OTHER_SIZES_2021: &[(&str, &str, Expected)] = &[
    ("gearbox", "00", exactly(Test, Source, Normal, 195)),
    ("gearbox", "00", exactly(Test, Source, Anomaly, 105)),
    ("gearbox", "00", exactly(Test, Target, Normal, 96)),
    ("gearbox", "00", exactly(Test, Target, Anomaly, 108)),
    ("gearbox", "01", exactly(Test, Source, Normal, 108)),
    ("gearbox", "01", exactly(Test, Source, Anomaly, 108)),
    ("gearbox", "01", exactly(Test, Target, Normal, 108)),
    ("gearbox", "01", exactly(Test, Target, Anomaly, 108)),
    ("gearbox", "02", exactly(Test, Source, Normal, 108)),
    ("gearbox", "02", exactly(Test, Source, Anomaly, 138)),
    ("gearbox", "02", exactly(Test, Target, Normal, 105)),
    ("gearbox", "02", exactly(Test, Target, Anomaly, 120)),
    ("slider", "01", exactly(Test, Target, Normal, 98)),
    ("slider", "02", exactly(Test, Source, Normal, 110)),
    ("slider", "02", exactly(Test, Source, Anomaly, 102)),
    ("slider", "02", exactly(Test, Target, Normal, 102)),
    ("slider", "02", exactly(Test, Target, Anomaly, 102)),
];

/// Every part of every year's set.
pub(super) static OFFICIAL_SETS: &[OfficialPart] = &[
    OfficialPart {
        year: Year::Y2020,
        name: "development",
        archive: "https://zenodo.org/records/3678171",
        note: "",
        machines: FIRST,
        sections: Sections::PerMachine(&[
            MIMII_DEVELOPMENT,
            MIMII_DEVELOPMENT,
            MIMII_DEVELOPMENT,
            MIMII_DEVELOPMENT,
            &["01", "02", "03", "04"],
            &["01", "02", "03"],
        ]),
        groups: &[
            row(Train, None, None, Count::PerMachine(&[3675, 3349, 2804, 3291, 4000, 3000])),
            row(Test, None, None, Count::PerMachine(&[1875, 856, 1290, 879, 2459, 3509])),
        ],
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2020,
        name: "additional training",
        archive: "https://zenodo.org/records/3727685",
        note: "",
        machines: FIRST,
        sections: EVALUATION_IDS_2020,
        groups: &[row(Train, None, None, Count::Some)],
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2020,
        name: "evaluation",
        archive: "https://zenodo.org/records/3841772",
        note: "",
        machines: FIRST,
        sections: EVALUATION_IDS_2020,
        groups: &[row(Test, None, None, Count::Some)],
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2021,
        name: "development",
        archive: "https://zenodo.org/records/4562016",
        note: "",
        machines: SECOND,
        sections: DEVELOPMENT_SECTIONS,
        groups: &[
            row(Train, Some(Source), Some(Normal), Count::Around(1000)),
            row(Train, Some(Target), Some(Normal), Count::Exactly(3)),
            exactly(Test, Source, Normal, 100),
            exactly(Test, Source, Anomaly, 100),
            exactly(Test, Target, Normal, 100),
            exactly(Test, Target, Anomaly, 100),
        ],
        exceptions: OTHER_SIZES_2021,
    },
    OfficialPart {
        year: Year::Y2021,
        name: "additional training",
        archive: "https://zenodo.org/records/4660992",
        note: "",
        machines: SECOND,
        sections: EVALUATION_SECTIONS,
        groups: &[
            row(Train, Some(Source), Some(Normal), Count::Around(1000)),
            row(Train, Some(Target), Some(Normal), Count::Exactly(3)),
        ],
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2021,
        name: "evaluation",
        archive: "https://zenodo.org/records/4884786",
        note: "",
        machines: SECOND,
        sections: EVALUATION_SECTIONS,
        groups: &[
            row(Test, Some(Source), None, Count::Some),
            row(Test, Some(Target), None, Count::Some),
        ],
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2022,
        name: "development",
        archive: "https://zenodo.org/records/6355122",
        note: "",
        machines: LATER,
        sections: DEVELOPMENT_SECTIONS,
        groups: DEVELOPMENT,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2022,
        name: "additional training",
        archive: "https://zenodo.org/records/6462969",
        note: "",
        machines: LATER,
        sections: EVALUATION_SECTIONS,
        groups: TRAINING,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2022,
        name: "evaluation",
        archive: "https://zenodo.org/records/6586456",
        note: "",
        machines: LATER,
        sections: EVALUATION_SECTIONS,
        groups: EVALUATION,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2023,
        name: "development",
        archive: "https://zenodo.org/records/7882613",
        note: "",
        machines: LATER,
        sections: ONE_SECTION,
        groups: DEVELOPMENT,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2023,
        name: "additional training",
        archive: "https://zenodo.org/records/7830345",
        note: "",
        machines: &["bandsaw", "grinder", "shaker", "ToyDrone", "ToyNscale", "ToyTank", "Vacuum"],
        sections: ONE_SECTION,
        groups: TRAINING,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2023,
        name: "evaluation",
        archive: "https://zenodo.org/records/7860847",
        note: "",
        machines: &["bandsaw", "grinder", "shaker", "ToyDrone", "ToyNscale", "ToyTank", "Vacuum"],
        sections: ONE_SECTION,
        groups: EVALUATION,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2024,
        name: "development",
        archive: "https://zenodo.org/records/10902294",
        note: "",
        machines: LATER,
        sections: ONE_SECTION,
        groups: DEVELOPMENT,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2024,
        name: "additional training",
        archive: "https://zenodo.org/records/11259435",
        note: "replaces record 11183284; archives whose name ends in `train_r2` are corrected ones",
        machines: NEW_IN_2024,
        sections: ONE_SECTION,
        groups: TRAINING,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2024,
        name: "evaluation",
        archive: "https://zenodo.org/records/11363076",
        note: "",
        machines: NEW_IN_2024,
        sections: ONE_SECTION,
        groups: EVALUATION,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2025,
        name: "development",
        archive: "https://zenodo.org/records/15097779",
        note: "",
        machines: LATER,
        sections: ONE_SECTION,
        groups: DEVELOPMENT_AND_SUPPLEMENT,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2025,
        name: "additional training",
        archive: "https://zenodo.org/records/15392814",
        note: "",
        machines: NEW_IN_2025,
        sections: ONE_SECTION,
        groups: TRAINING_AND_SUPPLEMENT,
        exceptions: &[],
    },
    OfficialPart {
        year: Year::Y2025,
        name: "evaluation",
        archive: "https://zenodo.org/records/15519362",
        note: "",
        machines: NEW_IN_2025,
        sections: ONE_SECTION,
        groups: EVALUATION,
        exceptions: &[],
    },
];

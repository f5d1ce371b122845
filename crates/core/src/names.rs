//! File names of DCASE Task 2, all years, and of MIMII.

use crate::{Condition, Domain, Split};

/// What a challenge file name says about its clip.
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
    /// The running number, digits as written.
    pub number: String,
    /// Everything after the number, kept verbatim.
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
    pub fn parse(_file_name: &str) -> Option<Self> {
        todo!()
    }
}

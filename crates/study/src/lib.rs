//! Studies: a question, the recipes that answer it, many trials, one table with error bars.
//!
//! Start at [`StudyFile`]: [`plan()`] lists the jobs of a study, [`run_study`] runs those that have no result yet.

mod compare;
mod compared_page;
mod error;
#[cfg(test)]
mod example;
mod execute;
mod file;
mod page;
mod pictures;
mod plan;
mod recipes;
mod results;
mod runs;
mod shard;
mod tables;
mod write;

pub use compared_page::comparison_page;
pub use error::StudyError;
pub use execute::{StudyRequest, run_study};
pub use file::{
    BUILT_IN_STUDIES, BuiltInStudy, Cell, Confirmation, Factor, Level, StudyFile, StudyFileError,
};
pub use plan::{Job, Plan, plan};
pub use results::{JobResult, SplitOfClips};
pub use runs::{CompareError, ComparedRow, Comparison, compare_runs};
pub use shard::{Shard, ShardError};

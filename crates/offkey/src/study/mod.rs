//! Studies: a question, the recipes that answer it, many trials, one table with error bars.

mod compare;
#[cfg(test)]
mod example;
mod execute;
mod file;
mod page;
mod pictures;
mod plan;
mod results;
mod tables;

pub use execute::{JobResult, StudyRequest, run_study};
pub use file::{
    BUILT_IN_STUDIES, BuiltInStudy, Cell, Confirmation, Factor, Level, StudyError, StudyFile,
};
pub use plan::{Job, Plan, plan};

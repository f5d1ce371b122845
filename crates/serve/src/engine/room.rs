//! Room for the sound of events.

use std::sync::PoisonError;

use super::Shared;
use crate::store::{Op, Quota, StoreError};

/// Removes what the quotas say goes first, so that so many bytes of a machine fit.
pub(super) fn make_room(
    shared: &Shared,
    machine: &str,
    bytes: u64,
    quota: &Quota,
    ops: &mut Vec<Op>,
) -> Result<(), StoreError> {
    let store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
    let rows = store.reader()?.clips(None)?;
    drop(store);
    for row in quota.to_remove(&rows, machine, bytes) {
        shared.clips.remove(&row.name)?;
        ops.push(Op::ClipGone { name: row.name.clone() });
    }
    Ok(())
}

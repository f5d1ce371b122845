//! Fetches the plan and models from their place. A place that hangs holds nobody up: the computer's memory is asked and
//! told in between, and left alone while something is on its way.

use std::ops::DerefMut;

use offkey_core::with_causes;

use crate::{
    model::path_of,
    node::{Fetched, Node, NodeError},
    plan::PLAN,
};

/// Bytes of a plan at most.
const MOST_PLAN: u64 = 4 << 20;
/// Bytes of a model at most.
const MOST_MODEL: u64 = 512 << 20;

/// Looks whether there is another plan, and fetches what these machines lack by it. `node` gives the computer for a
/// moment; it is never kept over a request.
pub fn fetch<N: DerefMut<Target = Node>>(node: impl Fn() -> N, machines: &[String]) -> Fetched {
    let mut fetched = Fetched::default();
    let (place, tag) = {
        let node = node();
        (node.place(), node.tag())
    };
    let plan = place.get(PLAN, tag.as_deref(), MOST_PLAN).map_err(NodeError::from);
    if let Err(error) = plan.and_then(|answer| node().take_plan(answer)) {
        fetched.troubles.push(with_causes(&error));
    }
    let lacking = node().lacking(machines);
    for version in lacking {
        let path = path_of(&version.name, &version.version);
        let model = place.get(&path, None, MOST_MODEL).map_err(NodeError::from);
        if let Err(error) = model.and_then(|answer| node().take_model(&version, answer)) {
            fetched.failed.insert(version, with_causes(&error));
        }
    }
    fetched
}

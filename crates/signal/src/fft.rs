//! Transform plans, shared by all threads and kept for the lengths used last.

use std::sync::{Arc, Mutex, PoisonError};

use realfft::{RealFftPlanner, RealToComplex};

/// Lengths kept. A run uses a handful; inspecting a folder may meet a new length with every clip,
/// and plans are as large as their transform.
const PLANS_KEPT: usize = 16;

static PLANS: Mutex<Vec<Arc<dyn RealToComplex<f32>>>> = Mutex::new(Vec::new());

/// The forward real transform of one length (mixed radix, any length above zero).
pub(crate) fn forward_plan(length: usize) -> Arc<dyn RealToComplex<f32>> {
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = match plans.iter().position(|plan| plan.len() == length) {
        Some(index) => plans.remove(index),
        None => RealFftPlanner::new().plan_fft_forward(length),
    };
    plans.truncate(PLANS_KEPT - 1);
    plans.insert(0, Arc::clone(&plan));
    plan
}

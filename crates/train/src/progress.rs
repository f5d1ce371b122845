//! Training as one stage of a long call.

use std::ops::ControlFlow;

use offkey_core::{Progress, Stage};

use crate::observer::{EpochEvent, StepEvent, TrainObserver};

/// Shows how training goes, and passes a wish to stop on.
pub struct TrainProgress<'a> {
    progress: &'a dyn Progress,
    begun: bool,
    /// Loss and accuracy of the task on held-out clips after the epoch before.
    held_out: Option<(f64, Option<f64>)>,
}

impl<'a> TrainProgress<'a> {
    /// An observer that tells a long call's progress.
    pub fn new(progress: &'a dyn Progress) -> Self {
        Self { progress, begun: false, held_out: None }
    }

    /// Whether there was a step.
    pub fn has_begun(&self) -> bool {
        self.begun
    }
}

impl TrainObserver for TrainProgress<'_> {
    fn step(&mut self, step: &StepEvent) -> ControlFlow<()> {
        if !self.begun {
            self.begun = true;
            self.progress.begin(Stage::Train, step.steps as u64, "steps");
        }
        let speed = step.clips as f64 / step.seconds.max(f64::MIN_POSITIVE);
        let held_out = self.held_out.map_or_else(String::new, |(loss, accuracy)| {
            let accuracy = accuracy.map(|accuracy| format!(", accuracy {accuracy:.2}"));
            format!(", held out: loss {loss:.3}{}", accuracy.unwrap_or_default())
        });
        let note = format!(
            "epoch {}, loss {:.3}{held_out}, {speed:.1} clips/s",
            step.epoch + 1,
            step.loss
        );
        self.progress.advance(step.step as u64 + 1, &note);
        if self.progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn epoch(&mut self, epoch: &EpochEvent) {
        self.held_out = epoch.held_out.map(|c| (c.loss, c.accuracy));
    }
}

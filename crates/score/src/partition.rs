//! Which references are left out together.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;

use crate::{Guarantee, References, ScoreError};

/// Recordings from which on a guarantee is given.
const LEAST_RECORDINGS: usize = 5;
/// Recordings that are left out and compared with, at most: each costs a detector of its own. Of
/// more, so many are drawn at random; the others are references alone, which costs the bound
/// nothing but keeps it where it is.
pub const MOST_COMPARED: usize = 100;
/// Folds in which the scale of a member is found.
const SCALE_FOLDS: usize = 10;
/// Blocks in time wanted where there are too few recordings.
const BLOCKS: usize = 10;
/// Units without which nothing can be held out of what is left after leaving one out.
const LEAST_UNITS: usize = 3;

/// References dealt to units that are left out as a whole: recordings, or blocks in time.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    /// The unit of each reference, in the order given.
    pub(crate) units: Vec<usize>,
    /// Units that are left out in turn; some units may never be.
    pub(crate) leave_outs: Vec<usize>,
    /// For each unit the fold in which it is held out to find a scale.
    scale_fold: Vec<usize>,
    pub(crate) guarantee: Guarantee,
}

impl Partition {
    /// Deals references to units, and units to folds at random: a choice by the data would spoil
    /// the guarantee.
    pub(crate) fn new(references: &References) -> Result<Self, ScoreError> {
        // Recordings that can be left out come first, bystanders behind them. What stands by and is of a recording that
        // can be left out goes with it: it may hold the same sound.
        let clips = || references.groups().iter().map(String::as_str).enumerate();
        let calibrating: BTreeSet<&str> = clips()
            .filter(|(clip, _)| !references.stands_by(*clip))
            .map(|(_, group)| group)
            .collect();
        let key = |group: &'_ str| (!calibrating.contains(group), group.to_owned());
        let mut numbers: BTreeMap<_, usize> = clips().map(|(_, group)| (key(group), 0)).collect();
        numbers.values_mut().enumerate().for_each(|(number, unit)| *unit = number);
        let recordings = numbers.keys().filter(|(stands_by, _)| !stands_by).count();
        let recording: Vec<usize> = clips().map(|(_, group)| numbers[&key(group)]).collect();
        if recordings < LEAST_RECORDINGS {
            return Self::in_blocks(&recording, recordings);
        }
        let seed = references.seed().child("partition");
        let mut leave_outs: Vec<usize> = (0..recordings).collect();
        leave_outs.shuffle(&mut seed.child("leave-outs").rng());
        leave_outs.truncate(MOST_COMPARED);
        let guarantee = Guarantee::JackknifePlus { recordings: leave_outs.len() };
        // One place is the coming recording's, so that it is dealt like the others.
        let mut places: Vec<usize> = (0..=recordings).collect();
        places.shuffle(&mut seed.child("scale").rng());
        places.truncate(recordings);
        places.extend(recordings..numbers.len());
        let scale_fold = places.iter().map(|place| place % SCALE_FOLDS).collect();
        Ok(Self { units: recording, leave_outs, scale_fold, guarantee }.with_own_folds())
    }

    /// Recordings cut into blocks of neighbouring references, about ten in all; the first `recordings` of
    /// them can be left out.
    fn in_blocks(recording: &[usize], recordings: usize) -> Result<Self, ScoreError> {
        let found = recording.len();
        if found < LEAST_UNITS {
            return Err(ScoreError::TooFewReferences { found, expected: LEAST_UNITS });
        }
        let wanted = BLOCKS.min(found);
        let mut units = vec![0; found];
        let mut blocks = 0;
        let all = recording.iter().max().map_or(0, |last| last + 1);
        let mut left_out = 0;
        for number in 0..all {
            let rows: Vec<usize> = (0..found).filter(|&row| recording[row] == number).collect();
            let own = ((wanted * rows.len()) as f64 / found as f64).ceil() as usize;
            let own = own.clamp(1, rows.len());
            for (index, &row) in rows.iter().enumerate() {
                units[row] = blocks + index * own / rows.len();
            }
            blocks += own;
            if number < recordings {
                left_out = blocks;
            }
        }
        if left_out == 0 {
            return Err(ScoreError::TooFewReferences { found: 0, expected: LEAST_UNITS });
        }
        let leave_outs = (0..left_out).collect();
        let scale_fold = (0..blocks).map(|block| block % SCALE_FOLDS).collect();
        let guarantee = Guarantee::Measured { blocks: left_out };
        Ok(Self { units, leave_outs, scale_fold, guarantee }.with_own_folds())
    }

    /// Where ten folds are enough for the units left after leaving one out, each has its own.
    fn with_own_folds(mut self) -> Self {
        if self.scale_fold.len() <= SCALE_FOLDS + 1 {
            self.scale_fold = (0..self.scale_fold.len()).collect();
        }
        self
    }

    /// For each reference the fold in which it is held out to find a scale.
    pub(crate) fn scale_folds(&self) -> Vec<usize> {
        self.units.iter().map(|&unit| self.scale_fold[unit]).collect()
    }

    /// Names of units, one per reference: what a backend takes for recordings.
    pub(crate) fn names(&self) -> Vec<String> {
        self.units.iter().map(|unit| format!("{unit:09}")).collect()
    }
}

//! The auxiliary task: classes made from the metadata of training clips.
//!
//! The encoder learns to tell these classes apart; the class head is dropped after training.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::{Clip, Domain, Seed, Split};

/// Which metadata the encoder learns to tell apart: one class per distinct tuple of the enabled
/// levels among the training clips. No level at all means a single class.
///
/// # Source
/// The default is the paper's own task: machine, section, attributes and domain together
/// (Wilkinghoff & Kurth 2024, arXiv 2309.15643).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each level is on or off on its own")]
pub struct AuxiliaryTask {
    /// Tell machine types apart.
    pub machine: bool,
    /// Tell sections apart.
    pub section: bool,
    /// Tell attribute texts apart.
    pub attributes: bool,
    /// Of attribute texts `name_value_name_value…` only these names; none given: the whole text.
    pub attribute_names: Vec<String>,
    /// Tell source from target.
    pub domain: bool,
    /// Where these levels make a single class of the training clips, take in further ones: section,
    /// then attributes, then domain, until there are two classes or no levels left.
    pub widen: bool,
    /// The control: the same classes with the same numbers of clips, dealt to the clips at random.
    pub shuffled: bool,
}

impl Default for AuxiliaryTask {
    fn default() -> Self {
        Self {
            machine: true,
            section: true,
            attributes: true,
            attribute_names: Vec::new(),
            domain: true,
            widen: false,
            shuffled: false,
        }
    }
}

/// A class for each training clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Names of the classes, sorted by the tuple they stand for.
    pub classes: Vec<String>,
    /// For each training clip, in the order given, its index into `classes`.
    pub of_clip: Vec<u32>,
}

/// Why no labels could be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelError {
    /// Labels come from training clips alone.
    #[error(
        "clip `{name}` of {machine} {section} has split `{split}`, expected `train`: labels come from training clips alone"
    )]
    NotTraining {
        /// The clip's machine.
        machine: String,
        /// The clip's section.
        section: String,
        /// The clip's name.
        name: String,
        /// The split it belongs to.
        split: Split,
    },
    /// Extra attributes were given, but not one for each clip.
    #[error("{found} pseudo-attributes for {expected} training clips, expected one each")]
    PseudoAttributes {
        /// Training clips.
        expected: usize,
        /// Pseudo-attributes.
        found: usize,
    },
}

impl AuxiliaryTask {
    /// The class of each training clip.
    ///
    /// `pseudo_attributes`, one text a clip, adds a further level: operating conditions found by
    /// clustering, say, where the data set names none. `seed` is used by [`Self::shuffled`] alone.
    ///
    /// # Errors
    /// [`LabelError`] when a clip is not a training clip, or the pseudo-attributes do not fit.
    pub fn labels(
        &self,
        training: &[&Clip],
        pseudo_attributes: Option<&[String]>,
        seed: Seed,
    ) -> Result<Labels, LabelError> {
        if let Some(clip) = training.iter().find(|clip| clip.split != Split::Train) {
            return Err(LabelError::NotTraining {
                machine: clip.machine.clone(),
                section: clip.section.clone(),
                name: clip.name.clone(),
                split: clip.split,
            });
        }
        if let Some(found) = pseudo_attributes.map(<[String]>::len)
            && found != training.len()
        {
            return Err(LabelError::PseudoAttributes { expected: training.len(), found });
        }
        let task = self.widened(training);
        let unsaid = unsaid_domain(training);
        let tuples: Vec<Vec<String>> = training
            .iter()
            .enumerate()
            .map(|(clip_index, clip)| {
                let pseudo = pseudo_attributes.map(|texts| texts[clip_index].as_str());
                task.tuple(clip, unsaid, pseudo)
            })
            .collect();
        let classes: Vec<&Vec<String>> =
            tuples.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut of_clip: Vec<u32> = tuples
            .iter()
            .map(|tuple| classes.partition_point(|&class| class < tuple) as u32)
            .collect();
        if self.shuffled {
            of_clip.shuffle(&mut seed.child("shuffled labels").rng());
        }
        Ok(Labels {
            classes: classes.into_iter().map(|class| class_name(class)).collect(),
            of_clip,
        })
    }

    /// This task with the levels that [`Self::widen`] takes in for these clips.
    #[must_use]
    pub fn widened(&self, training: &[&Clip]) -> Self {
        let mut task = self.clone();
        let unsaid = unsaid_domain(training);
        let further: [fn(&mut Self); 3] =
            [|task| task.section = true, |task| task.attributes = true, |task| task.domain = true];
        for take_in in further {
            let mut classes = training.iter().map(|clip| task.tuple(clip, unsaid, None));
            let first = classes.next();
            if !self.widen || classes.any(|class| Some(class) != first) {
                break;
            }
            take_in(&mut task);
        }
        task
    }

    fn tuple(
        &self,
        clip: &Clip,
        unsaid: Option<Domain>,
        pseudo_attribute: Option<&str>,
    ) -> Vec<String> {
        let domain = clip.domain.or(unsaid).map(|domain| domain.to_string()).unwrap_or_default();
        let attributes = self.chosen(&clip.attributes);
        let levels = [
            (self.machine, clip.machine.as_str()),
            (self.section, clip.section.as_str()),
            (self.attributes, attributes.as_str()),
            (self.domain, domain.as_str()),
            (pseudo_attribute.is_some(), pseudo_attribute.unwrap_or_default()),
        ];
        levels.iter().filter(|(enabled, _)| *enabled).map(|(_, word)| (*word).to_owned()).collect()
    }

    /// The part of an attribute text that tells classes apart.
    fn chosen(&self, text: &str) -> String {
        if self.attribute_names.is_empty() {
            return text.to_owned();
        }
        let words: Vec<&str> = text.split('_').collect();
        let is_chosen = |pair: &&[&str]| self.attribute_names.iter().any(|name| name == pair[0]);
        let pairs: Vec<String> =
            words.chunks(2).filter(is_chosen).map(|pair| pair.join("_")).collect();
        pairs.join("_")
    }
}

/// The domain of clips that nobody says one of: source, as most clips are, where others have one.
fn unsaid_domain(training: &[&Clip]) -> Option<Domain> {
    training.iter().any(|clip| clip.domain.is_some()).then_some(Domain::Source)
}

fn class_name(tuple: &[String]) -> String {
    let words: Vec<&str> =
        tuple.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "all".to_owned() } else { words.join(" ") }
}

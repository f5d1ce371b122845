//! Models for many computers. A person signs a model and puts it into a place that all can read. A signed plan says
//! which computer uses which version. Every computer tells how it fares.
//!
//! Start at [`plan`]: what is wanted. [`signed`] and [`model`] are what travels, [`place`] is where from, [`node`] is
//! one computer's side, [`health`] and [`table`] are how all fare.

pub mod fetch;
pub mod health;
pub mod key;
pub mod model;
pub mod names;
pub mod node;
pub mod place;
pub mod plan;
pub mod signed;
pub mod state;
pub mod table;

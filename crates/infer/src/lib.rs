//! Sound to embeddings without training: models that are loaded, or fitted in one pass.
//!
//! Nothing here knows the tensor framework, labels or scores.

//! Embeddings to anomaly scores: backends and thresholds.

//! Features to embeddings: encoders, losses, training.

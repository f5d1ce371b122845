//! Anomalous sound detection for machines, from recordings to a scored test set.

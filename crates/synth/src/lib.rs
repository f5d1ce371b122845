//! Synthetic machines with known faults.

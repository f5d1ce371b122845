//! Matrix products for the spectrum branch.

//! Rows of results: one machine and section, in 2021 one domain too.

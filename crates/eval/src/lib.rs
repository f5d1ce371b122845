//! Scores and truth to numbers: official metrics of every challenge year.

//! Tests of the lints: a table of cases for each rule, what synthesis may never give, public access by brute force.

mod document;
mod public;
mod synthesised;
mod table;

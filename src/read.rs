//! Reads the live state of targets and accounts, with bounded concurrency; what may not be read stays marked so.

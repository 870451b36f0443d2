//! The pure modules that the fuzz targets reach, under the name of the crate that they belong to.

#[path = "../src"]
mod pure {
    pub mod access;
    pub mod ids;
    pub mod kms;
    pub mod policy;
    pub mod text;
}

pub use pure::{access, ids, kms, policy, text};

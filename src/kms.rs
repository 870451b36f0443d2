//! Facts about KMS as data: capabilities, specs, usages, states.

/// A KMS enumeration or capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    Encrypt,
}

/// A KMS enumeration or capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeySpec {
    SymmetricDefault,
}

/// A KMS enumeration or capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUsage {
    EncryptDecrypt,
}

/// A KMS enumeration or capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    AwsKms,
}

/// A KMS enumeration or capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyState {
    Enabled,
}

//! Keeps secret memory out of core dumps and of the swap, as far as the system allows.
//!
//! What is refused is a remark and no failure: the material would be as safe without keywright.

use region::LockGuard;

/// Sees to it that this process leaves no core dump and that no other process of the user may look into it; it stays
/// so to the end of the process. Returns what the system refused.
pub(super) fn hide_process() -> Vec<String> {
    let mut refused = Vec::new();
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(error) = setrlimit(Resource::Core, none) {
            refused.push(format!("core dumps cannot be switched off: {error}"));
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            refused.push(format!("other processes of this user can still look into this one: {error}"));
        }
    }
    if !cfg!(unix) {
        refused.push("core dumps cannot be switched off on this system".to_owned());
    }
    refused
}

/// Locks the pages of secret bytes into memory for as long as the guard lives.
///
/// # Errors
/// If the system refuses, with its reason.
pub(super) fn lock(bytes: &[u8]) -> Result<LockGuard, String> {
    region::lock(bytes.as_ptr(), bytes.len().max(1))
        .map_err(|error| format!("key material may be written to the swap, since its memory cannot be locked: {error}"))
}

/// Locks again what is locked already, under the guard that there is: a lock that ended beside it takes away whole pages.
pub(super) fn lock_again(bytes: &[u8]) {
    if let Ok(guard) = region::lock(bytes.as_ptr(), bytes.len().max(1)) {
        std::mem::forget(guard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_leaves_no_core_dump() {
        assert_eq!(hide_process(), Vec::<String>::new());
        let limits = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((limits.current, limits.maximum), (Some(0), Some(0)));
        let behaviour = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(behaviour, rustix::process::DumpableBehavior::NotDumpable);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn secret_bytes_are_locked() {
        let locked = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmLck:")).unwrap().to_owned();
            line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        let bytes = vec![7; 3 << 16];
        let before = locked();
        let guard = lock(&bytes).unwrap();
        assert!(locked() >= before + 100, "{} kB", locked());
        drop(guard);
    }
}

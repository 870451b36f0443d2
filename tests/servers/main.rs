//! Tests against programs that others wrote: independent servers, AWS's own Encryption SDK, Python's `cryptography`.
//!
//! They need Python. Each prepares its packages in a virtual environment under `target/`; where that is not possible
//! it reports `ignored` with the reason, and fails instead when `CI` is set.
#![expect(unreachable_pub, reason = "the modules of a test executable have no outside")]

mod behaviours;
mod boto3;
mod emulators;
mod esdk;
mod identities;
mod import;
mod imports;
mod process;
mod python;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("the_encryption_sdk_reads_ours_and_we_read_theirs", &["aws-encryption-sdk==4.0.0"], esdk::both_ways),
        trial("python_unwraps_what_we_wrap", behaviours::PACKAGES, import::python_unwraps),
        trial("moto_goes_the_whole_road", &["moto[server]==5.2.5"], emulators::moto),
        trial("ministack_is_found_out", &["ministack==1.5.33", "cryptography"], emulators::ministack),
        trial("ministack_takes_imported_material", &["ministack==1.5.33", "cryptography"], imports::ministack),
        trial("moto_tells_all_identities", &["moto[server]==5.2.5"], identities::moto),
        trial("ministack_tells_all_identities", &["ministack==1.5.33", "cryptography"], identities::ministack),
        trial("boto3_uses_the_sandbox", &["boto3==1.44.5"], boto3::uses_the_sandbox),
        trial("the_sandbox_does_as_aws_does", behaviours::PACKAGES, behaviours::of_the_sandbox),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Returns a test that is given a Python with packages.
fn trial(name: &str, packages: &'static [&'static str], test: fn(&Path) -> Result<(), Box<dyn Error>>) -> Trial {
    Trial::ignorable_test(name, move || match python::with_packages(packages) {
        Ok(python) => test(&python).map(|()| Completion::Completed).map_err(|error| Failed::from(error.to_string())),
        Err(reason) if std::env::var_os("CI").is_some() => Err(Failed::from(reason)),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

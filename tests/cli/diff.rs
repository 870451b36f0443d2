//! `keywright diff` and `keywright snapshot`: two folders, revisions of git, live state, files of what was live.

use crate::harness::{Place, Run};
use crate::live::{SMALL, applied, rewrite_policy};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// What a change of [`SMALL`] looks like: a wider key, a new one, one that is gone, a role that more may assume.
fn changed() -> String {
    let text = SMALL.replace(
        "[[key.orders.user]]\nprincipal = \"reports\"\ncan = [\"decrypt\"]\n",
        "[[key.orders.user]]\nprincipal = \"reports\"\ncan = [\"decrypt\", \"encrypt\"]\n",
    );
    let text = text.replace(
        "trust.services = [\"lambda.amazonaws.com\"]",
        "trust.services = [\"lambda.amazonaws.com\", \"ec2.amazonaws.com\"]",
    );
    let text = text.replace("[key.notes]", "[key.drafts]").replace("[[key.notes.user]]", "[[key.drafts.user]]");
    assert_ne!(text, SMALL);
    text
}

fn two_folders() -> Place {
    let place = Place::new();
    place.write("before/keys.toml", SMALL);
    place.write("after/keys.toml", changed());
    place
}

#[test]
fn two_folders_are_compared_without_aws() {
    let place = two_folders();
    let run = place.line("diff before after").ends(0);
    assert_eq!(run.stderr, "");
    insta::assert_snapshot!("two_folders", run);
    place.line("diff before before --check").ends(0).answers("no difference");
    place.line("diff before after --check").ends(4);
    place.line("diff before after --check --fail-on escalation").ends(5);
    place.line("diff after before --fail-on escalation").ends(5);
    // Roles are of no key: the gain of trust is there whatever the keys.
    place.line("diff before after --key orders --fail-on decrypt --quiet").ends(5);
    let json = place.line("diff before after --format json").ends(0).json();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["summary"]["gravest_gain"], "escalation");
    assert_eq!(json["old"], json!({"operand": "before", "origin": "manifest", "stack": "shop", "backends": []}));
    let again = place.line("diff before after --format json").stdout;
    assert_eq!(again, place.line("diff before after --format json").stdout);
}

#[test]
fn a_comment_for_a_pull_request_is_marked_and_folded() {
    let run = two_folders().line("diff before after --format markdown").ends(0);
    assert!(run.stdout.starts_with("<!-- keywright-diff stack=shop -->\n"), "{run}");
    insta::assert_snapshot!("a_comment", run);
    let refused = Place::new().line("diff a b --format sarif").ends(2);
    assert!(refused.stderr.contains("the format `sarif` is not yet supported"), "{refused}");
}

#[test]
fn what_is_wrong_is_said_with_the_operand() {
    let place = two_folders();
    place.line("diff live live").ends(2).talks_of("`live` and `live` are the same");
    place.line("diff before after --key ordres").ends(2).talks_of("did you mean `orders`?");
    place.line("diff before after --target prd").ends(2).talks_of("did you mean `prod`?");
    place.line("diff before nowhere").ends(3).talks_of("NEW, nowhere, is not a valid manifest");
    place.line("diff before monday.json").ends(1).talks_of("NEW: cannot read `monday.json`");
    place.write("bad/keys.toml", SMALL.replace("can = [\"decrypt\"]", "can = [\"decript\"]"));
    let both = place.line("diff bad nowhere").ends(3).talks_of("OLD, bad, is not a valid manifest");
    both.talks_of("did you mean `decrypt`?").talks_of("NEW, nowhere, is not a valid manifest");
    place.write("no.json", "{\"format_version\": 9}");
    place.line("diff no.json after").ends(1).talks_of("its format_version is 9; this program reads 1");
    place.line("diff git:--help after").ends(2).talks_of("is no revision");
}

#[test]
fn names_from_outside_are_shown_and_obeyed_by_nobody() {
    let place = Place::new();
    let evil = "\u{1b}[2J</summary><img src=x> @octocat | `x`";
    place.write("before/keys.toml", SMALL);
    let description = serde_json::to_string(evil).unwrap().replace("\\u001b", "\\u001B");
    place.write("after/keys.toml", SMALL.replace("[key.notes]", &format!("[key.notes]\ndescription = {description}")));
    for format in ["text", "json", "markdown"] {
        let run = place.run(&["diff", "before", "after", "--format", format]).ends(0);
        assert!(!run.stdout.contains('\u{1b}'), "{run}");
        if format == "markdown" {
            assert!(!run.stdout.contains("<img") && !run.stdout.contains("@octocat"), "{run}");
        }
    }
    let file = "after\u{1b}[2J@x";
    place.write(&format!("{file}/keys.toml"), changed());
    for format in ["text", "json", "markdown"] {
        let run = place.run(&["diff", "before", file, "--format", format]).ends(0);
        assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:?}");
    }
}

#[test]
fn schemas_are_printed_by_name() {
    for name in ["plan", "apply", "verify", "diff", "snapshot"] {
        let schema = Place::new().run(&["schema", name]).ends(0).json();
        assert!(schema["properties"]["format_version"].is_object(), "{name}");
    }
    assert_eq!(Place::new().line("schema").stdout, Place::new().line("schema manifest").stdout);
}

// ---- live --------------------------------------------------------------------------------------------------------

fn back_door(place: &Place) {
    rewrite_policy(place, "orders", |policy| {
        policy["Statement"].as_array_mut().unwrap().push(json!({
            "Sid": "BackDoor", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"},
            "Action": ["kms:Decrypt", "kms:CreateGrant"], "Resource": "*",
        }));
    });
}

#[test]
fn live_state_is_compared_with_the_manifest_in_both_directions() {
    let place = applied();
    place.line("diff keywright.toml live --sandbox --check").ends(0).answers("no difference");
    place.line("diff live keywright.toml --sandbox --check").ends(0).answers("no difference");
    back_door(&place);
    let drift = place.line("diff keywright.toml live --sandbox --check").ends(4);
    insta::assert_snapshot!("live_against_manifest", drift);
    place.line("diff keywright.toml live --sandbox --fail-on escalation").ends(5);
    let back = place.line("diff live keywright.toml --sandbox --fail-on routine").ends(0);
    assert!(back.stdout.contains("- admin loses"), "{back}");
    let json = place.line("diff keywright.toml live --sandbox --format json").json();
    assert_eq!(json["new"]["backends"], json!(["sandbox"]));
}

#[test]
fn a_snapshot_keeps_what_was_live_and_needs_no_aws() {
    let place = applied();
    let first = place.line("snapshot --sandbox --out monday.json").ends(0).talks_of("Read 2 keys and 3 roles");
    assert_eq!(first.stdout, "");
    let text = std::fs::read_to_string(place.path("monday.json")).unwrap();
    assert_eq!(place.line("snapshot --sandbox --quiet").ends(0).stdout, text);
    place.line("diff monday.json keywright.toml --check").ends(0);
    back_door(&place);
    place.line("snapshot --sandbox --out tuesday.json --quiet").ends(0);
    std::fs::remove_dir_all(place.path(".keywright")).unwrap();
    let run = place.line("diff monday.json tuesday.json --check").ends(4);
    insta::assert_snapshot!("two_snapshots", run);
    let kept: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(kept["targets"][0]["keys"][0]["grants"], json!([]));
    assert!(!text.to_lowercase().contains("token\""), "{text}");
}

// ---- git ---------------------------------------------------------------------------------------------------------

/// A place whose commands find git, with a repository; `None` where there is no git.
///
/// On a machine that must have it, its absence is a failure.
fn repository() -> Option<Place> {
    let place = Place::new().with("PATH", &std::env::var("PATH").unwrap_or_default());
    if Command::new("git").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("CI").is_none(), "git is missing, and CI must have it");
        return None;
    }
    git(&place, &["init", "--quiet", "--initial-branch=main", "."]);
    Some(place)
}

fn git(place: &Place, arguments: &[&str]) {
    let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(place.path(".")).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn commit(place: &Place, message: &str) {
    git(place, &["add", "--all"]);
    git(place, &["commit", "--quiet", "--no-verify", "--message", message]);
}

/// Says that a test did nothing.
const NO_GIT: &str = "skipped: there is no git on this machine";

#[test]
fn revisions_are_read_from_git() {
    let Some(place) = repository() else { return eprintln!("{NO_GIT}") };
    place.write("infra/keys/keys.toml", SMALL);
    place.write("infra/keys/below/ignored.toml", "this is no manifest");
    place.write("keywright.toml", SMALL);
    commit(&place, "before");
    place.write("infra/keys/keys.toml", changed());
    commit(&place, "after");
    std::fs::remove_dir_all(place.path("infra")).unwrap();

    place.line("diff git:HEAD~1:infra/keys git:HEAD:infra/keys").ends(0).answers("+ reports gains encrypt");
    let same = place.line("diff git:HEAD:infra/keys git:main:infra/keys/keys.toml --check").ends(0);
    assert!(same.stdout.contains("git:HEAD:infra/keys → git:main:infra/keys/keys.toml"), "{same}");
    place.line("diff git:HEAD keywright.toml --check").ends(0);
    place.line("diff git:HEAD~1 git:HEAD -f infra/keys --check").ends(4);
    let named = place.line("diff git:HEAD~1:infra/keys git:HEAD:infra/keys --format json").json();
    let keys = named["targets"][0]["keys"].as_array().unwrap();
    assert_eq!(keys[0]["location"]["file"], "git:HEAD:infra/keys/keys.toml");

    place.line("diff git:nowhere keywright.toml").ends(1).talks_of("the repository has no commit `nowhere`");
    place.line("diff git:HEAD:gone.toml keywright.toml").ends(3).talks_of("the revision does not have it");
    place.line("diff git:HEAD:infra keywright.toml").ends(3).talks_of("the folder has no *.toml file");
    let outside = Place::new().with("PATH", &std::env::var("PATH").unwrap_or_default());
    outside.write("keywright.toml", SMALL);
    outside.line("diff git:HEAD keywright.toml").ends(1).talks_of("is in no git repository");
    let without = Place::new().with("PATH", "/nowhere");
    without.write("keywright.toml", SMALL);
    without.line("diff git:HEAD keywright.toml").ends(1).talks_of("needs the `git` executable");
}

#[test]
fn a_repository_runs_nothing() {
    let Some(place) = repository() else { return eprintln!("{NO_GIT}") };
    place.write("keywright.toml", SMALL);
    place.write(".gitattributes", "*.toml diff=evil filter=evil\n");
    commit(&place, "before");
    let trap = place.path("trap");
    let script = place.path("evil.sh");
    place.write("evil.sh", format!("#!/bin/sh\ntouch '{}'\ncat\n", trap.display()));
    #[cfg(unix)]
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = script.to_string_lossy().into_owned();
    for name in [
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
        "diff.evil.textconv",
        "diff.external",
        "filter.evil.smudge",
        "filter.evil.clean",
        "gpg.program",
        "credential.helper",
        "alias.ls-tree",
    ] {
        git(&place, &["config", name, &script]);
    }
    git(&place, &["config", "core.hooksPath", &place.path(".").to_string_lossy()]);
    // A partial clone whose missing objects would come through a command.
    git(&place, &["config", "remote.origin.url", &format!("ext::{script} %S")]);
    git(&place, &["config", "remote.origin.promisor", "true"]);
    git(&place, &["config", "extensions.partialClone", "origin"]);
    git(&place, &["config", "protocol.ext.allow", "always"]);
    let run: Run = place.line("diff git:HEAD keywright.toml --check").ends(0);
    assert!(!trap.exists(), "{run}");
    let blob = Command::new("git").args(["rev-parse", "HEAD:keywright.toml"]).current_dir(place.path(".")).output();
    let id = String::from_utf8(blob.unwrap().stdout).unwrap();
    let (folder, file) = id.trim().split_at(2);
    std::fs::remove_file(place.path(&format!(".git/objects/{folder}/{file}"))).unwrap();
    let run = place.line("diff git:HEAD keywright.toml");
    assert_ne!(run.code, 0, "{run}");
    assert!(!trap.exists(), "{run}");
}

#[test]
#[cfg(unix)]
fn links_in_a_revision_are_not_followed() {
    let Some(place) = repository() else { return eprintln!("{NO_GIT}") };
    std::os::unix::fs::symlink("/etc/passwd", place.path("keywright.toml")).unwrap();
    commit(&place, "link");
    place.line("diff git:HEAD git:HEAD").ends(3).talks_of("it is a symbolic link");
}

//! The documents: every link leads to a file and a heading that exist, and every complete manifest in them is valid.

use crate::rust_source::root;
use keywright::manifest;
use keywright::source::SourceMap;
use std::path::{Path, PathBuf};

/// Returns the documents: those at the top, and all of `docs` and `examples`.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    for folder in ["docs", "examples"] {
        collect(&root().join(folder), &mut found);
    }
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Returns a document without its code blocks and code spans.
fn prose(text: &str) -> String {
    let outside = text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    outside.lines().map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join("code") + "\n").collect()
}

/// Returns the targets of the links of a document.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let ends = prose.match_indices("](").map(|(at, mark)| at + mark.len());
    ends.map(|start| prose[start..].split(')').next().unwrap().to_owned()).collect()
}

/// Returns the anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let outside = text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    let headings = outside.lines().filter(|line| line.starts_with('#'));
    let letters = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().chars().filter(|c| letters(*c)).collect())
        .map(|heading: String| heading.replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            followed += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let file = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            let known = match std::fs::read_to_string(&file) {
                Ok(text) => anchor.is_empty() || anchors(&text).iter().any(|known| known == anchor),
                Err(_) => file.is_dir() && anchor.is_empty(),
            };
            if !known {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 10, "{followed} links were found: the search is broken");
}

#[test]
fn every_complete_manifest_in_the_documents_is_valid() {
    const MARK: &str = "# complete manifest\n";
    let mut loaded = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for block in text.split("```toml\n").skip(1).filter(|block| block.starts_with(MARK)) {
            let manifest = block.split("```").next().unwrap();
            let mut sources = SourceMap::default();
            sources.add("document", manifest);
            let found = manifest::load(&sources);
            let place = document.display();
            assert!(found.diagnostics.is_empty(), "{place}: {:#?}\n{manifest}", found.diagnostics);
            assert!(found.state.is_some(), "{place}: {manifest}");
            loaded += 1;
        }
    }
    assert!(loaded >= 4, "{loaded} manifests were found: the search is broken");
}

/// The page on access cites worked cases; each of them exists, and no table row is left behind when cases move.
#[test]
fn every_case_that_the_page_on_access_cites_exists() {
    let folder = root().join("tests/data/access/own");
    let texts = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let cases = texts.collect::<String>();
    let page = std::fs::read_to_string(root().join("docs/access.md")).unwrap();
    let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let is_case = |word: &&str| {
        let parts = word.strip_prefix('s').and_then(|rest| rest.split_once('-'));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        parts.is_some_and(|(rule, number)| digits(rule) && digits(number))
    };
    let cited: Vec<&str> = words.filter(is_case).collect();
    let missing: Vec<&&str> = cited.iter().filter(|id| !cases.contains(&format!("\"id\": \"{id}\""))).collect();
    assert!(cited.len() > 10 && missing.is_empty(), "{missing:?}");
}

//! Rust files as the rules of the house look at them: without comments, literals and unit tests.

use std::path::{Path, PathBuf};

/// One Rust file.
#[derive(Debug)]
pub struct RustFile {
    /// The path from the crate's root.
    pub path: String,
    /// The text as written.
    pub text: String,
    /// The text without comments and literals, blanks in their place, line for line.
    pub blank: String,
    /// The same before the unit tests.
    pub code: String,
}

impl RustFile {
    /// Reads every Rust file below a folder of the crate, in order.
    pub fn below(folder: &str) -> Vec<Self> {
        let mut paths = Vec::new();
        collect(&root().join(folder), &mut paths);
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let blank = without_comments_and_literals(&text);
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let only_tests = path.starts_with("src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"));
        let end = if only_tests { Some(0) } else { blank.find("#[cfg(test)]\nmod tests {") };
        let code = end.map_or(blank.as_str(), |at| &blank[..at]).to_owned();
        Self { path, text, blank, code }
    }

    /// Returns the module's path: `src/policy/parse.rs` is `["policy", "parse"]`.
    pub fn module(&self) -> Vec<&str> {
        self.path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect()
    }

    /// Returns the words of the code: identifiers and keywords.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
    }

    /// Returns the top-level modules of this crate that the code names.
    pub fn uses(&self) -> Vec<String> {
        let supers = "super::".repeat(self.module().len());
        let mut found: Vec<String> =
            ["crate::", "keywright::", &supers].iter().flat_map(|prefix| self.names_after(prefix)).collect();
        found.retain(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
        found
    }

    /// Returns the path segments that follow a prefix, in use trees too: `b` and `c` for `a::{b, c::d}` after `a::`.
    pub fn names_after(&self, prefix: &str) -> Vec<String> {
        let code = self.code.split_whitespace().collect::<Vec<_>>().join(" ");
        let starts = code.match_indices(prefix).filter(|(at, _)| {
            // Neither `subcrate::` nor the middle of a longer chain of `super`.
            code[..*at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
        });
        starts.flat_map(|(at, _)| first_names(&code[at + prefix.len()..])).collect()
    }

    /// Returns the name and number of lines of each function.
    pub fn functions(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let starts_word = self.code[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
            let name: String = self.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if starts_word
                && !name.is_empty()
                && let Some(body) = body(&self.code[at..])
            {
                found.push((name, body.matches('\n').count() + 1));
            }
        }
        found
    }

    /// Returns the modules that the file declares in files of their own.
    pub fn declares(&self) -> Vec<&str> {
        let statements = self.blank.split([';', '{', '}', ']']).map(str::trim);
        statements
            .filter_map(|statement| {
                let (_, name) = statement
                    .rsplit_once("mod ")
                    .filter(|(before, _)| before.is_empty() || before.ends_with("pub ") || before.ends_with(") "))?;
                Some(name)
            })
            .collect()
    }
}

/// Returns the crate's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Returns the first segment of each path of a use tree: `a::b` or `{a::{b, c}, d}`.
fn first_names(tree: &str) -> Vec<String> {
    let name =
        |text: &str| -> String { text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(group) = tree.strip_prefix('{') else { return vec![name(tree)] };
    let mut depth = 0_usize;
    let mut names = vec![name(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

/// Returns the text from a function's signature to its closing brace; `None` for a declaration without a body.
fn body(code: &str) -> Option<&str> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '[' | '(' => brackets += 1,
            ']' | ')' => brackets = brackets.checked_sub(1)?,
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return code.get(..=at),
            '}' => braces = braces.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Replaces comments and the insides of literals by blanks; line ends stay.
fn without_comments_and_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = skipped(rest, out.chars().next_back());
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            let (gone, kept) = rest.split_at(skipped);
            out.extend(gone.chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = kept;
        }
    }
    out
}

/// Returns how many bytes of comment or literal a text begins with.
fn skipped(text: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let literal = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - literal.len();
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        block_comment(text)
    } else if in_word || prefix > 1 {
        0
    } else if let Some(raw) = literal.strip_prefix('r').filter(|raw| raw.trim_start_matches('#').starts_with('"')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let opened = prefix + 1 + hashes + 1;
        text[opened..].find(&end).map_or(text.len(), |at| opened + at + end.len())
    } else if literal.starts_with('"') {
        prefix + quoted(literal, '"')
    } else if literal.starts_with('\'') && is_char_literal(literal) {
        prefix + quoted(literal, '\'')
    } else {
        0
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_char_literal(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> RustFile {
        let blank = without_comments_and_literals(text);
        RustFile { path: path.into(), text: text.into(), code: blank.clone(), blank }
    }

    #[test]
    fn comments_and_literals_are_blanked_and_code_is_not() {
        let blank = |text| without_comments_and_literals(text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(blank("a // b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(blank(r##"a("b \" c", r#"d " e"#, b"f", '"', '\'', b'{') h"##), "a( , , , , , ) h");
        assert_eq!(blank("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn uses_are_found_in_paths_groups_and_chains_of_super() {
        assert_eq!(file("src/a.rs", "use crate::{ids::{A, B}, text, policy::x};").uses(), ["ids", "text", "policy"]);
        assert_eq!(
            file("src/a/b.rs", "fn f() { crate::plan::g(super::x, super::super::aws::C) }").uses(),
            ["plan", "aws"]
        );
        assert_eq!(file("src/a.rs", "// crate::ids\nuse super::live; subcrate::x").uses(), ["live"]);
    }

    #[test]
    fn functions_are_counted_with_their_lines() {
        let found =
            file("src/a.rs", "trait T { fn declared(&self) -> [u8; 2]; }\nfn f() {\n  if x {\n  }\n}\nfn g() {}")
                .functions();
        assert_eq!(found, [("f".into(), 4), ("g".into(), 1)]);
    }

    #[test]
    fn declared_modules_are_those_in_files_of_their_own() {
        let found =
            file("src/a.rs", "#[cfg(x)]\nmod a;\npub mod b;\npub(crate) mod c;\nmod d { }").declares().join(" ");
        assert_eq!(found, "a b c d");
    }
}

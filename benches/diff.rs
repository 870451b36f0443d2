//! Times the difference of two manifests of 500 keys: nothing differs, one key does, every key does.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use criterion::{Criterion, criterion_group, criterion_main};
use keywright::diff::{Difference, Summary, align, difference, in_order};
use keywright::manifest;
use keywright::snapshot::{Snapshot, of_manifest};
use keywright::source::SourceMap;
use std::fmt::Write as _;
use std::hint::black_box;

const KEYS: usize = 500;

/// A manifest of many keys, each used through S3 and directly; `tenants` says whom the n-th one is for.
fn many(tenants: impl Fn(usize) -> &'static str) -> SourceMap {
    let mut text = r#"
version = 1
stack   = "bench"
id      = "0e6c1c0e-6f4b-4d7e-9d0b-0b8f7f3f5a10"
[target.prod]
account   = "111122223333"
region    = "eu-west-1"
deployers = ["arn:aws:iam::111122223333:role/deployer"]
"#
    .to_owned();
    for index in 0..KEYS {
        write!(
            text,
            r#"
[key.k{index}]
iam_delegation = "root-user"
separation     = "enforced"
services       = ["s3"]
admins         = ["arn:aws:iam::111122223333:role/admin"]
[[key.k{index}.user]]
principal = "arn:aws:iam::111122223333:role/app-{index}"
via       = ["s3"]
[[key.k{index}.user]]
principal = "arn:aws:iam::111122223333:role/export"
can       = ["decrypt"]
context   = {{ tenant = {} }}
"#,
            tenants(index)
        )
        .unwrap();
    }
    let mut sources = SourceMap::default();
    sources.add("many.toml", text);
    sources
}

const NARROW: &str = r#""acme-*""#;
const WIDE: &str = r#"["acme-*", "blue"]"#;

fn snapshot(sources: &SourceMap) -> Snapshot {
    of_manifest(&manifest::load(sources).state.unwrap(), sources)
}

fn compared(old: &Snapshot, new: &Snapshot) -> Difference {
    let mut old = old.clone();
    align(&mut old, new);
    difference((&old, "old"), (new, "new"), &in_order)
}

fn differences(criterion: &mut Criterion) {
    let narrow = many(|_| NARROW);
    let old = snapshot(&narrow);
    let mut group = criterion.benchmark_group("difference of 500 keys");
    group.sample_size(10);
    let cases: [(&str, SourceMap, usize); 3] = [
        ("of which none differs", many(|_| NARROW), 0),
        ("of which one differs", many(|index| if index == KEYS / 2 { WIDE } else { NARROW }), 1),
        ("of which every one differs", many(|_| WIDE), KEYS),
    ];
    for (name, sources, changed) in &cases {
        let new = snapshot(sources);
        assert_eq!(Summary::of(&compared(&old, &new)).changed, *changed, "{name}");
        group.bench_function(*name, |bench| bench.iter(|| compared(black_box(&old), black_box(&new))));
    }
    group.finish();
    criterion.bench_function("load 500 keys and take their snapshot", |bench| {
        bench.iter(|| snapshot(black_box(&narrow)));
    });
}

criterion_group!(benches, differences);
criterion_main!(benches);

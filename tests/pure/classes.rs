//! Data classes as floors: what a stricter class allows, a looser one allows too.

use keywright::access::{self, Decision, Guardrails, KeyFacts, PrincipalFacts, PrincipalType, Request};
use keywright::kms::{ACTIONS, ActionScope, KmsAction};
use keywright::policy::{PolicyDocument, Statement};
use keywright::source::SourceMap;
use keywright::{manifest, synth};
use std::fmt::Write as _;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const DELEGATIONS: [&str; 3] = ["account", "root-user", "none"];
const USERS: [&str; 5] = [
    "principal = \"arn:aws:iam::111122223333:role/app\"\n",
    "principal = \"arn:aws:iam::111122223333:role/app\"\ncontext = { tenant = \"*\" }\n",
    "principal = \"arn:aws:iam::111122223333:role/app\"\nvia = [\"s3\"]\n",
    "principal = \"arn:aws:iam::111122223333:role/app\"\ncan = [\"decrypt\"]\ncontext = { tenant = \"acme\" }\n",
    "principal = \"arn:aws:iam::444455556666:role/ext\"\ncan = [\"encrypt\"]\ncontext = { tenant = \"ac*\" }\n",
];

/// The floors of a class: how strict each of them is, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Floors {
    delegation: usize,
    separation: bool,
    context: bool,
    rotation: bool,
}

impl Floors {
    fn all() -> Vec<Self> {
        let bit = |number: usize, at: usize| number >> at & 1 == 1;
        let of = |delegation: usize, bits: usize| Self {
            delegation,
            separation: bit(bits, 0),
            context: bit(bits, 1),
            rotation: bit(bits, 2),
        };
        let all = (0..3).flat_map(|delegation| (0..8).map(move |bits| of(delegation, bits)));
        // A manifest may not ask for separation where IAM policies of the account can undo it.
        all.filter(|floors| floors.delegation > 0 || !floors.separation).collect()
    }

    /// Returns whether no floor of this class is lower than that of the other one.
    fn is_at_least(self, other: Self) -> bool {
        self.delegation >= other.delegation
            && self.separation >= other.separation
            && self.context >= other.context
            && self.rotation >= other.rotation
    }

    fn manifest(self, user: &str) -> String {
        let mut text = format!(
            "version = 1\nstack = \"s\"\nid = \"0e6c1c0e-6f4b-4d7e-9d0b-0b8f7f3f5a10\"\n[target.prod]\naccount = \"111122223333\"\nregion = \"eu-west-1\"\ndeployers = [\"arn:aws:iam::111122223333:role/deployer\"]\n[class.c]\niam_delegation = \"{}\"\n",
            DELEGATIONS[self.delegation]
        );
        for (is, line) in [
            (self.separation, "separation = \"enforced\""),
            (self.context, "required_context = [\"tenant\"]"),
            (self.rotation, "max_rotation_days = 180"),
        ] {
            if is {
                writeln!(text, "{line}").unwrap();
            }
        }
        let admins = ["ops", "sec"].map(|name| format!("\"arn:aws:iam::111122223333:role/{name}\"")).join(", ");
        write!(text, "[key.k]\nclass = \"c\"\nadmins = [{admins}]\n[[key.k.user]]\n{user}").unwrap();
        text
    }
}

/// Returns the key of a manifest, `None` where its class forbids it.
fn key(floors: Floors, user: &str) -> Option<KeyFacts> {
    let mut sources = SourceMap::default();
    sources.add("k.toml", floors.manifest(user));
    let state = manifest::load(&sources).state?;
    let target = &state.targets[0];
    let policy = synth::key_policy(target, &target.keys[0]);
    Some(KeyFacts::new(KEY, target.account.clone(), target.region.clone(), policy))
}

fn callers() -> Vec<PrincipalFacts> {
    let arns = [
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:iam::111122223333:role/ops",
        "arn:aws:iam::111122223333:role/deployer",
        "arn:aws:iam::111122223333:role/other",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::444455556666:role/ext",
    ];
    let mut callers: Vec<PrincipalFacts> = Vec::new();
    for arn in arns {
        for iam in [false, true] {
            let mut facts = PrincipalFacts::from_arn(&arn.parse().unwrap());
            let all = PolicyDocument::new(vec![Statement::allow("All", ["*"])]);
            facts.identity_policies.extend(iam.then_some(all));
            callers.push(facts);
        }
    }
    callers.push(PrincipalFacts::new(PrincipalType::Service, "s3.amazonaws.com", None));
    callers
}

fn requests() -> Vec<Request> {
    // Every third action: of each kind there are some.
    let on_key = ACTIONS.iter().filter(|action| matches!(action.scope, ActionScope::Key | ActionScope::KeyAndAlias));
    let on_key = on_key.step_by(3).chain(KmsAction::find("kms:Decrypt")).chain(KmsAction::find("kms:PutKeyPolicy"));
    let mut requests = Vec::new();
    for action in on_key {
        for via in [None, Some("s3.eu-west-1.amazonaws.com")] {
            for context in [&[][..], &[("tenant", "acme")], &[("tenant", "other"), ("app", "x")]] {
                let mut request = Request::new(action.full, KEY, "eu-west-1".parse().unwrap());
                request.via_service = via.map(str::to_owned);
                request.encryption_context =
                    context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
                requests.push(request);
            }
        }
    }
    requests
}

/// Returns which calls of the universe a key allows; none of them is open.
fn allowed(key: &KeyFacts, callers: &[PrincipalFacts], requests: &[Request]) -> Vec<bool> {
    let rails = Guardrails::default();
    let decide = |caller: &PrincipalFacts, request: &Request| {
        let decision = access::decide(request, caller, Some(key), &rails);
        assert!(!matches!(decision, Decision::Undetermined(_)), "{decision:?}");
        decision == Decision::Allow
    };
    callers.iter().flat_map(|caller| requests.iter().map(move |request| decide(caller, request))).collect()
}

#[test]
fn a_stricter_class_never_allows_what_a_looser_one_does_not() {
    let (callers, requests) = (callers(), requests());
    let (mut narrower, mut keys) = (0, 0);
    for user in USERS {
        let of = |floors: Floors| (floors, key(floors, user).map(|key| allowed(&key, &callers, &requests)));
        let all: Vec<(Floors, Option<Vec<bool>>)> = Floors::all().into_iter().map(of).collect();
        for (strict, allows) in &all {
            let Some(allows) = allows else { continue };
            keys += 1;
            for (loose, more) in all.iter().filter(|(loose, _)| strict.is_at_least(*loose)) {
                assert!(more.is_some(), "{strict:?} takes {user}, and {loose:?} does not");
                let more = more.as_ref().unwrap();
                let wider = allows.iter().zip(more).position(|(allows, more)| *allows && !more);
                let call = wider.map(|at| (&callers[at / requests.len()], &requests[at % requests.len()]));
                assert_eq!(call, None, "{strict:?} allows it, and {loose:?} does not");
                narrower += usize::from(allows != more);
            }
        }
    }
    assert!(keys > 60 && narrower > 60, "the floors make a difference: {keys} keys, {narrower} narrower");
}

//! The requests that a search looks at: knobs, each with settings that stand for all others.

use super::solve::Values;
use crate::access::{ContextValue, CreateGrantRequest, GrantConstraints, KeyFacts, Request};
use std::collections::BTreeMap;

/// What a knob sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Slot {
    /// A pair of the encryption context, by its key in lower case.
    Pair(String),
    /// The service through which the call comes.
    Via,
    /// The alias that the caller used.
    Alias,
    /// Whether the grant is for an AWS resource.
    ForResource,
    /// Another condition key, in lower case.
    Key(String),
    /// Whether a value is among those of a multi-valued key.
    Element(String, String),
    /// Whether a new grant has an operation.
    Operation(String),
    /// Whether a new grant has no pairs, exactly these, or these among others.
    Constraint,
    /// The grantee of a new grant.
    Grantee,
    /// The service that is the grantee of a new grant.
    GranteeService,
    /// Who may retire a new grant.
    Retiring,
    /// The source ARN that a new grant asks for.
    GrantSource,
    /// How AWS reads something that its documentation leaves open; the reason.
    Reading(String),
}

/// How a knob can be set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Setting {
    Absent,
    Text(String),
    /// A pair of the encryption context, its key as spelled.
    Pair(String, String),
    /// A value of which nothing is known but that it is there.
    Unseen,
}

/// One thing of a request that varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Knob {
    pub(super) slot: Slot,
    pub(super) settings: Vec<Setting>,
}

/// The kinds of constraint of a new grant, as conditions call them.
pub(super) const EQUALS: &str = "EncryptionContextEquals";
pub(super) const SUBSET: &str = "EncryptionContextSubset";

/// All requests of one caller for one action.
#[derive(Debug, Clone)]
pub(super) struct Space {
    base: Request,
    pub(super) knobs: Vec<Knob>,
}

impl Space {
    /// Returns the space of the one request that has nothing.
    pub(super) fn new(action: &str, key: &KeyFacts) -> Self {
        Self { base: Request::new(action, key.arn.clone(), key.region.clone()), knobs: Vec::new() }
    }

    pub(super) fn is_new_grant(&self) -> bool {
        self.base.action.eq_ignore_ascii_case("kms:CreateGrant")
    }

    /// Returns the request without anything, not even a new grant's parameters.
    pub(super) fn bare(&self) -> Request {
        self.base.clone()
    }

    pub(super) fn add(&mut self, slot: Slot, settings: Vec<Setting>) -> usize {
        self.knobs.push(Knob { slot, settings });
        self.knobs.len() - 1
    }

    pub(super) fn find(&self, slot: &Slot) -> Option<usize> {
        self.knobs.iter().position(|knob| knob.slot == *slot)
    }

    pub(super) fn settings(&self, knob: usize) -> &[Setting] {
        self.knobs.get(knob).map_or(&[], |knob| &knob.settings)
    }

    /// Returns the settings of a knob for which something holds.
    pub(super) fn values(&self, knob: usize, holds: impl Fn(&Setting) -> bool) -> Values {
        let settings = self.settings(knob);
        let fitting = settings.iter().enumerate().filter(|(_, setting)| holds(setting));
        fitting.map(|(at, _)| at).fold(Values::none(settings.len()), Values::with)
    }

    pub(super) fn all(&self) -> Vec<Values> {
        self.knobs.iter().map(|knob| Values::all(knob.settings.len())).collect()
    }

    /// Returns the request with some knobs set.
    pub(super) fn request<'s>(&'s self, set: impl IntoIterator<Item = (usize, &'s Setting)>) -> Request {
        let mut parts = Parts::default();
        let mut request = self.base.clone();
        for (knob, setting) in set {
            if let Some(knob) = self.knobs.get(knob) {
                parts.apply(&mut request, &knob.slot, setting);
            }
        }
        if self.is_new_grant() {
            request.grant = Some(parts.grant(&request));
        } else {
            request.encryption_context = parts.pairs;
        }
        request
    }
}

/// The parts of a request that are put together at the end.
#[derive(Default)]
struct Parts {
    pairs: BTreeMap<String, String>,
    operations: Vec<String>,
    constraint: Option<String>,
    grantee: Option<String>,
    service: Option<String>,
    is_for_service: bool,
    retiring: Option<String>,
    source: Option<String>,
}

impl Parts {
    fn apply(&mut self, request: &mut Request, slot: &Slot, setting: &Setting) {
        let text = match setting {
            Setting::Text(text) => Some(text.clone()),
            Setting::Absent | Setting::Pair(..) | Setting::Unseen => None,
        };
        match (slot, setting) {
            (Slot::Pair(_), Setting::Pair(key, value)) => drop(self.pairs.insert(key.clone(), value.clone())),
            (Slot::Pair(_) | Slot::Reading(_), _) => {}
            (Slot::Via, _) => request.via_service = text,
            (Slot::Alias, _) => request.request_alias = text,
            (Slot::ForResource, _) => request.grant_is_for_aws_resource = text.map(|text| text == "true"),
            (Slot::Key(key), _) => {
                if let Some(text) = text {
                    request.context.insert(key.clone(), Some(ContextValue::One(text)));
                }
            }
            (Slot::Element(key, _), _) => {
                if let Some(text) = text {
                    add_element(request, key, text);
                }
            }
            (Slot::Operation(_), _) => self.operations.extend(text),
            (Slot::Constraint, _) => self.constraint = text,
            (Slot::Grantee, _) => {
                self.is_for_service |= text.is_none();
                self.grantee = text;
            }
            (Slot::GranteeService, _) => self.service = text,
            (Slot::Retiring, _) => self.retiring = text,
            (Slot::GrantSource, _) => self.source = text,
        }
    }

    fn grant(self, request: &Request) -> CreateGrantRequest {
        let mut operations = self.operations;
        if operations.is_empty() {
            operations.push("Decrypt".to_owned());
        }
        let pairs = Some(self.pairs).filter(|pairs| !pairs.is_empty());
        let exactly = self.constraint.as_deref() == Some(EQUALS);
        let constraints = GrantConstraints {
            encryption_context_equals: pairs.clone().filter(|_| exactly),
            encryption_context_subset: pairs.filter(|_| !exactly),
            source_arn: self.source,
        };
        let grantee = self.grantee.or_else(|| {
            let (partition, account) = (request.resource.split(':').nth(1), request.resource.split(':').nth(4));
            let (partition, account) = (partition.unwrap_or("aws"), account.unwrap_or_default());
            let somebody = format!("arn:{partition}:iam::{account}:role/grantee");
            (self.service.is_none() && !self.is_for_service).then_some(somebody)
        });
        let service = self.service.or_else(|| grantee.is_none().then(|| "x.amazonaws.com".to_owned()));
        CreateGrantRequest {
            operations,
            grantee_principal: grantee,
            grantee_service_principal: service,
            retiring_principal: self.retiring,
            constraints: (constraints != GrantConstraints::default()).then_some(constraints),
        }
    }
}

fn add_element(request: &mut Request, key: &str, element: String) {
    let value = request.context.entry(key.to_owned()).or_insert(None);
    match value {
        Some(ContextValue::Many(elements)) => elements.push(element),
        Some(ContextValue::One(_)) | None => *value = Some(ContextValue::Many(vec![element])),
    }
}

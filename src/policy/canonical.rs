//! The canonical form of a policy: two documents that differ in wording only have the same one.
//!
//! A document becomes a map from *scope* (effect, one principal, resource, conditions) to the set of action
//! patterns that it has there. What another scope of the same effect grants or denies anyway, to the same
//! principal or to everyone, under the same or weaker conditions, is left out. Equal forms mean equal
//! permissions; the converse holds as far as can be decided by comparing statements: permissions that are equal
//! only because of how AWS evaluates several statements together stay different.

mod condition;
mod cover;

use super::inclusion::{StepBudget, normal_glob};
use super::json::Json;
use super::model::{
    Actions, Effect, Inert, PolicyDocument, PolicyVersion, PrincipalEntry, Principals, Resources, Statement,
};
use crate::ids::Partition;
use condition::{Conditions, all_imply, canonical_conditions};
use cover::{ActionCover, Patterns};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Enough for every policy that AWS accepts, unless it was written to be expensive; beyond it, patterns that
/// include others stay beside them.
const STEPS: u64 = 400_000;

/// A list of more resources is kept together where there are principals: each of them times each principal would
/// be too much. Key policies have one resource.
const SPLIT_LIMIT: usize = 16;

/// A policy without what makes no difference to permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPolicy {
    targets: BTreeMap<Target, BTreeMap<Fence, Arc<ActionCover>>>,
    /// Statements without effect, as JSON with sorted members and without `Sid`.
    inert: BTreeSet<String>,
}

/// To whom and what a part of a policy applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    effect: Effect,
    who: Who,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// There is no principal element.
    Absent,
    Is(PrincipalEntry),
    IsNot(Arc<BTreeSet<PrincipalEntry>>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// There is no resource element: so it is in trust policies, and in a key policy it means nothing.
    Absent,
    Is(Arc<BTreeSet<String>>),
    IsNot(Arc<BTreeSet<String>>),
}

/// When it applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fence {
    conditions: Arc<Conditions>,
    variables: Variables,
}

/// What `${` means where it occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Variables {
    /// It does not occur.
    Absent,
    /// The version replaces variables.
    Replaced,
    /// The version takes them as text.
    Literal,
}

impl PolicyDocument {
    /// Returns whether both documents grant and deny the same, whatever their wording.
    ///
    /// An account id alone means the root of the account in the partition that the principals of both documents
    /// name; where they name several, it stays different from every ARN.
    pub fn same_permissions(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        let partition = common_partition(&[self, other]);
        self.canonical_with(partition.as_deref()) == other.canonical_with(partition.as_deref())
    }

    /// Returns the canonical form; account ids are in the partition that the document's principals name.
    ///
    /// Compare documents with [`PolicyDocument::same_permissions`], or in a known partition with
    /// [`PolicyDocument::canonical_in`]: a document that names accounts only by id does not tell its partition.
    pub fn canonical(&self) -> CanonicalPolicy {
        self.canonical_with(common_partition(&[self]).as_deref())
    }

    /// Returns the canonical form of a document whose account ids belong to a partition.
    pub fn canonical_in(&self, partition: Partition) -> CanonicalPolicy {
        self.canonical_with(Some(partition.as_str()))
    }

    pub(super) fn canonical_with(&self, partition: Option<&str>) -> CanonicalPolicy {
        let variables = match self.version {
            PolicyVersion::V2012 => Variables::Replaced,
            PolicyVersion::V2008 | PolicyVersion::Other(_) => Variables::Literal,
        };
        let mut builder = Builder { policy: CanonicalPolicy::empty(), budget: StepBudget::new(STEPS), variables };
        for statement in &self.statements {
            builder.add(statement, partition);
        }
        builder.policy.without_implied(builder.budget)
    }
}

/// Returns the partition of the ARNs among the principals, if all name the same.
pub(super) fn common_partition(documents: &[&PolicyDocument]) -> Option<String> {
    let entries = documents.iter().flat_map(|document| &document.statements).filter_map(|statement| {
        let (Principals::Is(entries) | Principals::IsNot(entries)) = statement.principals.as_ref()?;
        Some(entries)
    });
    let partitions: BTreeSet<&str> = entries
        .flatten()
        .filter_map(|entry| entry.kind_and_value().1.strip_prefix("arn:")?.split(':').next())
        .collect();
    let mut partitions = partitions.into_iter();
    partitions.next().filter(|_| partitions.next().is_none()).map(str::to_owned)
}

/// Adds statements to a canonical policy.
struct Builder {
    policy: CanonicalPolicy,
    budget: StepBudget,
    /// What `${` means in this document.
    variables: Variables,
}

impl Builder {
    fn add(&mut self, statement: &Statement, partition: Option<&str>) {
        let (None, Some(actions)) = (&statement.inert, &statement.actions) else {
            self.policy.inert.insert(inert_text(statement));
            return;
        };
        let cover = Arc::new(ActionCover::new(actions, &mut self.budget));
        if cover.is_empty() {
            return;
        }
        let conditions = Arc::new(canonical_conditions(&statement.conditions, &mut self.budget));
        let whos = whos(statement.principals.as_ref(), partition);
        for what in whats(statement.resources.as_ref(), statement.principals.as_ref()) {
            let fence = self.fence(&what, &conditions);
            for who in &whos {
                let target = Target { effect: statement.effect, who: who.clone(), what: what.clone() };
                self.insert(target, fence.clone(), &cover);
            }
        }
    }

    fn fence(&self, what: &What, conditions: &Arc<Conditions>) -> Fence {
        let occurs = what.has_variable() || conditions.iter().any(condition::CanonicalCondition::has_variable);
        let variables = if occurs { self.variables } else { Variables::Absent };
        Fence { conditions: Arc::clone(conditions), variables }
    }

    fn insert(&mut self, target: Target, fence: Fence, cover: &Arc<ActionCover>) {
        let fences = self.policy.targets.entry(target).or_default();
        let known = fences.entry(fence).or_insert_with(|| Arc::clone(cover));
        if !Arc::ptr_eq(known, cover) {
            Arc::make_mut(known).join(cover, &mut self.budget);
        }
    }
}

fn whos(principals: Option<&Principals>, partition: Option<&str>) -> Vec<Who> {
    let entry = |entry: &PrincipalEntry| canonical_principal(entry, partition);
    match principals {
        None => vec![Who::Absent],
        Some(Principals::Is(entries)) => {
            entries.iter().map(entry).collect::<BTreeSet<_>>().into_iter().map(Who::Is).collect()
        }
        Some(Principals::IsNot(entries)) => vec![Who::IsNot(Arc::new(entries.iter().map(entry).collect()))],
    }
}

/// Returns the entry, an account id written as the ARN of the account's root.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn canonical_principal(entry: &PrincipalEntry, partition: Option<&str>) -> PrincipalEntry {
    match (entry, partition) {
        (PrincipalEntry::Aws(value), _) if value == "*" => PrincipalEntry::Everyone,
        (PrincipalEntry::Aws(id), Some(partition)) if is_account_id(id) => {
            PrincipalEntry::Aws(format!("arn:{partition}:iam::{id}:root"))
        }
        (
            PrincipalEntry::Everyone
            | PrincipalEntry::Aws(_)
            | PrincipalEntry::Service(_)
            | PrincipalEntry::Federated(_)
            | PrincipalEntry::Other { .. },
            _,
        ) => entry.clone(),
    }
}

pub(super) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn whats(resources: Option<&Resources>, principals: Option<&Principals>) -> Vec<What> {
    match resources {
        None => vec![What::Absent],
        Some(Resources::Is(patterns)) => {
            let patterns = canonical_resources(patterns);
            if principals.is_some() && patterns.len() > SPLIT_LIMIT {
                return vec![What::Is(Arc::new(patterns))];
            }
            patterns.into_iter().map(|pattern| What::Is(Arc::new(BTreeSet::from([pattern])))).collect()
        }
        Some(Resources::IsNot(patterns)) => vec![What::IsNot(Arc::new(canonical_resources(patterns)))],
    }
}

fn canonical_resources(patterns: &[String]) -> BTreeSet<String> {
    let normal = |pattern: &String| if pattern.contains("${") { pattern.clone() } else { normal_glob(pattern) };
    let patterns: BTreeSet<String> = patterns.iter().map(normal).collect();
    if patterns.contains("*") { BTreeSet::from(["*".to_owned()]) } else { patterns }
}

impl What {
    fn has_variable(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Is(patterns) | Self::IsNot(patterns) => patterns.iter().any(|pattern| pattern.contains("${")),
        }
    }

    /// Returns this resource and the wider one that everything of it belongs to.
    fn and_wider(&self) -> Vec<Self> {
        let everything = Self::Is(Arc::new(BTreeSet::from(["*".to_owned()])));
        match self {
            Self::Is(_) | Self::IsNot(_) if *self != everything => vec![self.clone(), everything],
            Self::Absent | Self::Is(_) | Self::IsNot(_) => vec![self.clone()],
        }
    }
}

impl Who {
    /// Returns this principal and everyone, if everyone includes it.
    ///
    /// `*` is not known to take in web identities and SAML providers.
    fn and_wider(&self) -> Vec<Self> {
        match self {
            Self::Is(PrincipalEntry::Aws(_) | PrincipalEntry::Service(_)) => {
                vec![self.clone(), Self::Is(PrincipalEntry::Everyone)]
            }
            Self::Is(PrincipalEntry::Everyone | PrincipalEntry::Federated(_) | PrincipalEntry::Other { .. })
            | Self::Absent
            | Self::IsNot(_) => vec![self.clone()],
        }
    }
}

impl CanonicalPolicy {
    fn empty() -> Self {
        Self { targets: BTreeMap::new(), inert: BTreeSet::new() }
    }

    /// Returns the policy without the actions that a wider scope has as well.
    fn without_implied(&self, budget: StepBudget) -> Self {
        let mut implied = Implied::new(budget);
        let mut kept = Self { targets: BTreeMap::new(), inert: self.inert.clone() };
        for (target, fences) in &self.targets {
            let wider = self.wider_targets(target);
            let fences: BTreeMap<_, _> = fences
                .iter()
                .map(|(fence, cover)| (fence.clone(), implied.removed(fence, cover, &wider)))
                .filter(|(_, cover)| !cover.is_empty())
                .collect();
            if !fences.is_empty() {
                kept.targets.insert(target.clone(), fences);
            }
        }
        kept
    }

    /// Returns the fences of all targets that include a target, and how they relate to it.
    fn wider_targets(&self, target: &Target) -> Vec<(Reach, &BTreeMap<Fence, Arc<ActionCover>>)> {
        let mut wider = Vec::new();
        for who in target.who.and_wider() {
            for what in target.what.and_wider() {
                let candidate = Target { effect: target.effect, who: who.clone(), what };
                let reach = if candidate == *target { Reach::Same } else { Reach::Wider };
                wider.extend(self.targets.get(&candidate).map(|fences| (reach, fences)));
            }
        }
        wider
    }

    /// Returns a document of this form: one statement for each scope, without `Sid`s.
    pub fn to_document(&self) -> PolicyDocument {
        let mut statements: Vec<Statement> =
            self.targets.iter().flat_map(|(target, fences)| target_statements(target, fences)).collect();
        statements.extend(self.inert.iter().map(|raw| inert_statement(raw)));
        let literal = self.targets.values().flat_map(BTreeMap::keys).any(|fence| fence.variables == Variables::Literal);
        let version = if literal { PolicyVersion::V2008 } else { PolicyVersion::V2012 };
        PolicyDocument { version, id: None, statements }
    }
}

/// Whether a target is the one that is looked at, or one that includes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Same,
    Wider,
}

/// Finds what wider scopes have as well. A statement of many principals gives many scopes the same conditions and
/// actions, so what was found for one of them is remembered by their addresses.
struct Implied {
    budget: StepBudget,
    fences: HashMap<(*const Conditions, *const Conditions), bool>,
    /// Besides what remains, the operands: they must live as long as their addresses are known.
    covers: HashMap<(*const ActionCover, *const ActionCover), [Arc<ActionCover>; 3]>,
}

impl Implied {
    fn new(budget: StepBudget) -> Self {
        Self { budget, fences: HashMap::new(), covers: HashMap::new() }
    }

    /// Returns the actions of a scope that no wider scope has.
    fn removed(
        &mut self,
        fence: &Fence,
        cover: &Arc<ActionCover>,
        wider: &[(Reach, &BTreeMap<Fence, Arc<ActionCover>>)],
    ) -> Arc<ActionCover> {
        let mut rest = Arc::clone(cover);
        for (reach, fences) in wider {
            for (other, wide) in *fences {
                let itself = *reach == Reach::Same && other == fence;
                if !itself && self.implies(&fence.conditions, &other.conditions) {
                    rest = self.without(&rest, wide);
                }
            }
        }
        rest
    }

    fn implies(&mut self, narrow: &Arc<Conditions>, wide: &Arc<Conditions>) -> bool {
        let budget = &mut self.budget;
        let found = self.fences.entry((Arc::as_ptr(narrow), Arc::as_ptr(wide)));
        *found.or_insert_with(|| all_imply(narrow, wide, budget))
    }

    fn without(&mut self, narrow: &Arc<ActionCover>, wide: &Arc<ActionCover>) -> Arc<ActionCover> {
        let budget = &mut self.budget;
        let [_, _, rest] = self.covers.entry((Arc::as_ptr(narrow), Arc::as_ptr(wide))).or_insert_with(|| {
            let mut rest = ActionCover::clone(narrow);
            rest.remove(wide, budget);
            [Arc::clone(narrow), Arc::clone(wide), Arc::new(rest)]
        });
        Arc::clone(rest)
    }
}

fn target_statements(target: &Target, fences: &BTreeMap<Fence, Arc<ActionCover>>) -> Vec<Statement> {
    let mut statements = Vec::new();
    for (fence, cover) in fences {
        let list = |patterns: &Patterns| patterns.iter().cloned().collect::<Vec<_>>();
        if !cover.listed.is_empty() {
            statements.push(scope_statement(target, fence, Actions::Is(list(&cover.listed))));
        }
        for patterns in &cover.all_but {
            statements.push(scope_statement(target, fence, Actions::IsNot(list(patterns))));
        }
    }
    statements
}

fn scope_statement(target: &Target, fence: &Fence, actions: Actions) -> Statement {
    Statement {
        sid: None,
        effect: target.effect,
        principals: match &target.who {
            Who::Absent => None,
            Who::Is(entry) => Some(Principals::Is(vec![entry.clone()])),
            Who::IsNot(entries) => Some(Principals::IsNot(entries.iter().cloned().collect())),
        },
        actions: Some(actions),
        resources: match &target.what {
            What::Absent => None,
            What::Is(patterns) => Some(Resources::Is(patterns.iter().cloned().collect())),
            What::IsNot(patterns) => Some(Resources::IsNot(patterns.iter().cloned().collect())),
        },
        conditions: fence.conditions.iter().map(condition::CanonicalCondition::to_model).collect(),
        inert: None,
    }
}

fn inert_statement(raw: &str) -> Statement {
    Statement {
        sid: None,
        effect: Effect::Allow,
        principals: None,
        actions: None,
        resources: None,
        conditions: Vec::new(),
        inert: Some(Inert { reason: "has no effect".to_owned(), raw: raw.to_owned() }),
    }
}

/// Returns a statement without effect as JSON with sorted members and without its `Sid`.
fn inert_text(statement: &Statement) -> String {
    let mut json = statement.to_json();
    if let Json::Object(members) = &mut json {
        members.retain(|(name, _)| name != "Sid");
    }
    json.sorted().compact()
}

#[cfg(test)]
mod tests;

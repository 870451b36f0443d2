//! Lays an old snapshot over a new one whose targets are in other accounts or Regions, so that what is the same but
//! for the place is the same.

use crate::ids::{AccountId, Region};
use crate::policy::PolicyDocument;
use crate::snapshot::{Snapshot, TargetSnapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Rewrites the policies and names of an old snapshot to the accounts and Regions that its targets have in the new
/// one; targets are matched by name. The targets keep the account and Region that they had.
pub fn align(old: &mut Snapshot, new: &Snapshot) {
    let mut accounts: BTreeMap<AccountId, AccountId> = BTreeMap::new();
    for target in &mut old.targets {
        let Some(wanted) = new.target(&target.name) else { continue };
        let place = Relocation {
            account: (target.account.clone(), wanted.account.clone()),
            region: Some((target.region.clone(), wanted.region.clone())),
        };
        if target.account != wanted.account {
            accounts.insert(target.account.clone(), wanted.account.clone());
        }
        if target.account != wanted.account || target.region != wanted.region {
            relocate_target(target, &place);
        }
    }
    let remaining: BTreeSet<&AccountId> = new.accounts.iter().map(|account| &account.account).collect();
    let present: BTreeSet<AccountId> = old.accounts.iter().map(|account| account.account.clone()).collect();
    for account in &mut old.accounts {
        let moved = accounts.get(&account.account).filter(|to| {
            // An account that both have is compared with itself.
            !remaining.contains(&account.account) && !present.contains(*to)
        });
        let Some(to) = moved else { continue };
        let place = Relocation { account: (account.account.clone(), to.clone()), region: None };
        account.account.clone_from(to);
        account.names = place.names(&account.names);
        for role in &mut account.roles {
            role.trust = place.document(&role.trust);
            role.policies.values_mut().for_each(|policy| *policy = place.document(policy));
            if let Ok(arn) = place.text(role.arn.as_str()).parse() {
                role.arn = arn;
            }
        }
    }
    old.accounts.sort_by(|one, other| one.account.cmp(&other.account));
}

fn relocate_target(target: &mut TargetSnapshot, place: &Relocation) {
    target.names = place.names(&target.names);
    for key in &mut target.keys {
        key.policy = key.policy.as_ref().map(|policy| place.document(policy));
        // The key itself is another one.
        key.arn = None;
    }
}

/// From one account and Region to another.
struct Relocation {
    account: (AccountId, AccountId),
    region: Option<(Region, Region)>,
}

impl Relocation {
    fn document(&self, document: &PolicyDocument) -> PolicyDocument {
        let text = self.text(&document.to_compact());
        // INVARIANT: only the values of strings change, and to harmless characters.
        PolicyDocument::parse(&text).unwrap_or_else(|_| document.clone())
    }

    fn names(&self, names: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        names.iter().map(|(arn, name)| (self.text(arn), name.clone())).collect()
    }

    /// Replaces the account where it is a field of an ARN or a whole value, and the Region where it is a field of an
    /// ARN or of a service's name. Names that happen to have either in them stay.
    fn text(&self, text: &str) -> String {
        let (from, to) = &self.account;
        let mut text = text
            .replace(&format!(":{from}:"), &format!(":{to}:"))
            .replace(&format!("\"{from}\""), &format!("\"{to}\""));
        if let Some((from, to)) = &self.region {
            text = text
                .replace(&format!(":{from}:"), &format!(":{to}:"))
                .replace(&format!(".{from}.amazonaws."), &format!(".{to}.amazonaws."));
        }
        text
    }
}

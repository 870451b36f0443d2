//! Adds to the sheet of a key what its family needs: replicas, the move of the primary, what waits for another target.

use super::super::draft::{Awaited, Draft, Sheet};
use super::super::keys::{self, KeyGoal};
use super::super::{Action, KeyRef, PlanInput, Why};
use super::{Birth, Families, Looked, Move};
use crate::desired::tags::TAG_RETIRED;
use crate::desired::{DesiredKey, DesiredState, DesiredTarget, KeyLifecycle, Topology};
use crate::diag::Code;
use crate::ids::Region;
use crate::live::{LiveKey, LiveRotation, LiveTarget};
use crate::synth;

impl<'a> Families<'a> {
    /// Whether a key is another one than that of its family, which is said then.
    pub(in crate::plan) fn is_stranger(
        &self,
        (target, key): (&DesiredTarget, &DesiredKey),
        found: &LiveKey,
        sheet: &mut Sheet<'_>,
    ) -> bool {
        let Some(kin) = self.kin(target, key).filter(|kin| kin.id != found.arn.key_id()) else { return false };
        sheet.block(
            Code::ReplicaMismatch,
            format!("`{}` carries the name of this key, and is no part of the family of `{}`", found.arn, kin.id),
            "declare it under a name of its own (`moved_from` keeps it), then plan again",
        );
        true
    }

    /// Drafts a replica that is not there yet; `false` where the key is none.
    pub(in crate::plan) fn draft_birth(
        &self,
        target: &DesiredTarget,
        (goal, live): (&KeyGoal<'_>, &LiveTarget),
        sheet: &mut Sheet<'_>,
    ) -> bool {
        match self.birth(target, goal.key) {
            None => false,
            Some(Birth::Barred(why, help)) => {
                sheet.block(Code::ReplicaWaits, why.clone(), help.clone());
                true
            }
            Some(Birth::Waits(why, help)) => {
                sheet.note(Code::ReplicaWaits, why.clone(), help.clone());
                true
            }
            Some(Birth::From(_)) => {
                let rotation =
                    matches!(goal.key.topology, Topology::Primary { .. }).then(|| self.rotation(target, goal));
                keys::replica(goal, rotation.flatten(), live, sheet);
                true
            }
        }
    }

    /// Whether a replica is barred: nothing of it will be.
    pub(in crate::plan) fn is_barred(&self, target: &DesiredTarget, key: &DesiredKey) -> bool {
        matches!(self.birth(target, key), Some(Birth::Barred(..) | Birth::Waits(..)))
    }

    fn rotation(&self, target: &DesiredTarget, goal: &KeyGoal<'_>) -> Option<LiveRotation> {
        self.kin(target, goal.key)?.members.values().find_map(|key| key.rotation.known().copied())
    }

    /// Adds to the sheet of a key what its family needs: replicas, the move of the primary, and no rotation but the
    /// primary's.
    pub(in crate::plan) fn complete(
        &self,
        input: PlanInput<'a>,
        (target, key): (&DesiredTarget, &DesiredKey),
        sheet: &mut Sheet<'_>,
    ) {
        if key.topology == Topology::Single {
            return;
        }
        self.rotate_on_primary(target, key, sheet);
        let id = self.kin(target, key).map(|kin| kin.id.clone());
        let reference = || id.clone().map_or_else(|| KeyRef::Planned(key.name.clone()), KeyRef::Live);
        let mut more: Vec<Draft> = Vec::new();
        for ((name, _), _) in self
            .births
            .iter()
            .filter(|((_, of), birth)| *of == key.name && matches!(birth, Birth::From(from) if *from == target.name))
        {
            let there = input.desired.targets.iter().find(|there| there.name == *name);
            let wanted = there.and_then(|there| Some((there, there.keys.iter().find(|other| other.name == key.name)?)));
            more.extend(wanted.map(|(there, wanted)| replicate(input.desired, there, wanted, reference())));
        }
        more.extend(self.draft_move(input, (target, key), &reference(), sheet));
        // KMS replicates what is in use, and rotates to new material once every replica has it.
        let rests = |draft: &Draft| {
            draft.is_renewal
                || matches!(draft.action, Action::DisableKey { .. } | Action::ScheduleKeyDeletion { .. })
                || matches!(&draft.action, Action::TagKey { tags, .. } if tags.contains_key(TAG_RETIRED))
        };
        let at = sheet.drafts.iter().position(rests).unwrap_or(sheet.drafts.len());
        sheet.drafts.splice(at..at, more);
        self.tell(input, (target, key), sheet);
    }

    /// KMS rotates the primary alone, so where a replica becomes the primary its rotation waits for that.
    fn rotate_on_primary(&self, target: &DesiredTarget, key: &DesiredKey, sheet: &mut Sheet<'_>) {
        let rotates = |draft: &Draft| {
            matches!(
                draft.action,
                Action::EnableKeyRotation { .. } | Action::DisableKeyRotation { .. } | Action::RotateKeyOnDemand { .. }
            )
        };
        let stays = match self.moved(target, key) {
            Some(Move::Barred(at, ..)) => *at != target.name,
            Some(Move::Between(..)) | None => true,
        };
        if !matches!(key.topology, Topology::Primary { .. }) || !stays {
            sheet.drafts.retain(|draft| !rotates(draft));
            sheet.findings.retain(|finding| finding.code != Code::RotationWaits);
            return;
        }
        if let Some(Move::Between(_, to)) = self.moved(target, key)
            && *to == target.name
        {
            for draft in sheet.drafts.iter_mut().filter(|draft| rotates(draft)) {
                draft.awaits.push(Awaited::Primary);
            }
        }
    }

    fn draft_move(
        &self,
        input: PlanInput<'a>,
        (target, key): (&DesiredTarget, &DesiredKey),
        reference: &KeyRef,
        sheet: &mut Sheet<'_>,
    ) -> Option<Draft> {
        match self.moved(target, key)? {
            Move::Barred(at, why, help) if *at == target.name => {
                sheet.block(Code::PrimaryElsewhere, why.clone(), help.clone());
                None
            }
            Move::Between(from, to) if *from == target.name => {
                let there = input.desired.targets.iter().find(|there| there.name == *to)?;
                let action = Action::UpdatePrimaryRegion {
                    key: reference.clone(),
                    target: to.clone(),
                    region: there.region.clone(),
                };
                let place = |target: &DesiredTarget| format!("{} (target {})", target.region, target.name);
                sheet.note(
                    Code::PrimaryMoves,
                    format!("the primary moves to {}; every Region's key stays usable meanwhile", place(there)),
                    "nothing to do; the account needs the service-linked role for multi-Region keys, which KMS makes for a caller who may call iam:CreateServiceLinkedRole",
                );
                Some(Draft::new(action, Why::Differs).change("primary", Some(place(target)), Some(place(there))))
            }
            Move::Barred(..) | Move::Between(..) => None,
        }
    }

    /// Says what of the family no target of this run covers.
    fn tell(&self, input: PlanInput<'a>, (target, key): (&DesiredTarget, &DesiredKey), sheet: &mut Sheet<'_>) {
        let Topology::Primary { replicas } = &key.topology else { return };
        let kin = self.kin(target, key);
        let covered = |region: &Region| {
            let mut targets = input.desired.targets.iter().filter(|at| at.account == target.account);
            replicas.values().any(|wanted| wanted == region) || targets.any(|at| at.region == *region)
        };
        for region in kin.into_iter().flat_map(|kin| &kin.regions).filter(|region| !covered(region)) {
            sheet.note(
                Code::ReplicaElsewhere,
                format!("the key is in {region} too, which no target of this run covers"),
                "declare a target there and name it in `replicas` to manage it, or to retire it: name it, apply, and take it out again",
            );
        }
        for (name, region) in replicas {
            let known = kin.is_some_and(|kin| kin.regions.contains(region));
            if !known && key.lifecycle != KeyLifecycle::Retired && Looked::new(input).live(name).is_none() {
                sheet.note(
                    Code::ReplicaWaits,
                    format!("the replica in {region} is not made: target `{name}` is not part of this run, or could not be read"),
                    format!("plan with target `{name}`"),
                );
            }
        }
    }
}

fn replicate(desired: &DesiredState, there: &DesiredTarget, wanted: &DesiredKey, key: KeyRef) -> Draft {
    let action = Action::ReplicateKey {
        key,
        target: there.name.clone(),
        region: there.region.clone(),
        description: wanted.description.clone().unwrap_or_default(),
        policy: synth::key_policy(there, wanted),
        tags: keys::import::birth_tags(wanted, synth::key_tags(desired, wanted)),
    };
    let place = format!("{} (target {})", there.region, there.name);
    Draft::new(action, Why::Absent).change("replica", None, Some(place))
}

//! Pending changes that are due: from `pending` into the settings in force.

use quorate_base::is_within_window;
use quorate_control::{Endpoint, Stored, Txn};

use crate::aurora::model::MemberName;
use crate::controller::plan::{Plan, change, closed_endpoint, endpoint_id};
use crate::controller::world::World;
use crate::model::{Desired, EventCategory, Instance, Order, PendingChanges, Status};

/// The next change of a modification: taking it on, or ordering the restart that it needs.
pub(crate) fn plan_modification(world: &World, stored: &Stored<Instance>) -> Option<Plan> {
    let instance = &stored.record;
    if instance.desired != Desired::Running {
        return None;
    }
    let in_hand = matches!(instance.status, Status::Modifying | Status::Upgrading);
    if in_hand && instance.parameters_applied.pending_reboot && instance.order.is_none() {
        let mut record = instance.clone();
        record.order = Some(Order::Reboot);
        return Some(change(
            world,
            stored,
            &record,
            &[],
            "restart for the new settings",
        ));
    }
    if instance.pending.is_empty() || instance.status != Status::Available {
        return None;
    }
    let password_only = PendingChanges {
        master_verifier: None,
        ..instance.pending.clone()
    }
    .is_empty();
    let due = instance.pending.apply_now
        || instance.pending.master_verifier.is_some()
        || instance.pending.port.is_some()
        || is_within_window(&instance.settings.maintenance_window, world.now);
    if !due {
        return None;
    }
    // A password never waits; what came with it waits on when it should.
    let password_first = instance.pending.master_verifier.is_some() && !instance.pending.apply_now;
    if password_only || password_first {
        return Some(take_password(world, stored));
    }
    Some(take_all(world, stored))
}

fn take_password(world: &World, stored: &Stored<Instance>) -> Plan {
    let mut record = stored.record.clone();
    if let Some(verifier) = record.pending.master_verifier.take() {
        record.settings.master_verifier = verifier;
    }
    if record.pending.is_empty() {
        record.pending.apply_now = false;
    }
    record.status = Status::ResettingMasterCredentials;
    change(world, stored, &record, &[], "new master password")
}

fn take_all(world: &World, stored: &Stored<Instance>) -> Plan {
    let mut record = stored.record.clone();
    let pending = std::mem::take(&mut record.pending);
    let settings = &mut record.settings;
    let replace = |to: &mut String, by: Option<String>| {
        if let Some(by) = by {
            *to = by;
        }
    };
    record.status = if pending.engine_version.is_some() {
        Status::Upgrading
    } else {
        Status::Modifying
    };
    // Another class or version is another way to start the engine, whatever the parameters say.
    if pending.class.is_some() || pending.engine_version.is_some() {
        record.order = Some(Order::Reboot);
    }
    replace(&mut settings.class, pending.class);
    replace(&mut settings.storage_type, pending.storage_type);
    replace(&mut settings.engine_version, pending.engine_version);
    settings.allocated_storage_gib = pending
        .allocated_storage_gib
        .unwrap_or(settings.allocated_storage_gib);
    settings.iops = pending.iops.or(settings.iops);
    settings.multi_az = pending.multi_az.unwrap_or(settings.multi_az);
    settings.backup_retention_days = pending
        .backup_retention_days
        .unwrap_or(settings.backup_retention_days);
    if let Some(verifier) = pending.master_verifier {
        settings.master_verifier = verifier;
    }
    let port = pending.port.unwrap_or(record.endpoint_port);
    let port_changed = port != record.endpoint_port;
    record.endpoint_port = port;
    record.settings.port_asked = if port_changed {
        port
    } else {
        record.settings.port_asked
    };
    let told = [(
        "Applying modification to the DB instance",
        EventCategory::ConfigurationChange,
    )];
    if let Some(new_id) = pending.new_id {
        return if world.is_instance_id_taken(&new_id) {
            keep_name(world, stored, &record, &new_id)
        } else {
            rename(world, stored, record, &new_id)
        };
    }
    let mut plan = change(world, stored, &record, &told, "modification taken on");
    if port_changed {
        let endpoint = moved_endpoint(world, stored, &record);
        plan.txn = plan.txn.put(&endpoint_id(&stored.id), &endpoint);
    }
    plan
}

/// The endpoint as it is, with the record's port.
fn moved_endpoint(world: &World, stored: &Stored<Instance>, record: &Instance) -> Endpoint {
    let present = world
        .endpoints
        .get(&endpoint_id(&stored.id))
        .map(|e| e.record.clone());
    Endpoint {
        port: record.endpoint_port,
        ..present.unwrap_or_else(|| closed_endpoint(record))
    }
}

/// Somebody else has taken the name since it was asked for.
fn keep_name(world: &World, stored: &Stored<Instance>, record: &Instance, new_id: &str) -> Plan {
    let message = format!("The DB instance keeps its name: {new_id} is in use");
    let told = [(message.as_str(), EventCategory::Notification)];
    let mut plan = change(world, stored, record, &told, "not renamed");
    if record.endpoint_port != stored.record.endpoint_port {
        let endpoint = moved_endpoint(world, stored, record);
        plan.txn = plan.txn.put(&endpoint_id(&stored.id), &endpoint);
    }
    plan
}

/// The record goes under another id with everything that names it. Copies on disk lie under the resource id.
fn rename(world: &World, stored: &Stored<Instance>, mut record: Instance, new_id: &str) -> Plan {
    record.status = Status::Renaming;
    let endpoint = moved_endpoint(world, stored, &record);
    let message = format!("Renamed instance from {} to {new_id}", stored.id);
    let (event_id, event) = crate::events::instance_event(
        world.now,
        &world.config.owner,
        new_id,
        &message,
        EventCategory::Notification,
    );
    let mut txn = Txn::new()
        .remove(stored)
        .insert(new_id, &record)
        .require_absent::<MemberName>(new_id)
        .discard::<Endpoint>(&endpoint_id(&stored.id))
        .put(&endpoint_id(new_id), &endpoint)
        .put(&event_id, &event);
    for replica in world.replicas(&stored.id) {
        let mut renamed = replica.record.clone();
        renamed.source = Some(new_id.to_owned());
        txn = txn.replace(replica, &renamed);
    }
    Plan {
        txn,
        what: format!("{}: renamed to {new_id}", stored.id),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quorate_control::Sessions;

    use super::*;
    use crate::api::tests::world::World as Region;
    use crate::aurora::AuroraConfig;
    use crate::controller::ControllerConfig;
    use crate::events::ResourceOwner;

    fn look(region: &Region) -> World {
        let config = ControllerConfig {
            owner: ResourceOwner {
                region: "us-east-1".parse().unwrap(),
                account: quorate_base::AccountId::default(),
            },
            standby_replace_after_ms: 60_000,
            aurora: AuroraConfig::default(),
        };
        let sessions = Sessions {
            leader: "us-east-1a-1".parse().unwrap(),
            term: 1,
            sessions: Vec::new(),
        };
        World::look(&region.catalog, sessions, &BTreeMap::new(), &config).unwrap()
    }

    #[tokio::test]
    async fn an_instance_keeps_its_name_when_the_new_one_is_taken() {
        let region = Region::new().await;
        for id in ["one", "two"] {
            region.available(id, "").await;
        }
        // Two requests that did not see each other.
        region
            .change("one", |instance| {
                instance.pending.new_id = Some(String::from("two"));
                instance.pending.apply_now = true;
            })
            .await;
        let world = look(&region);
        let stored = world.instances.iter().find(|i| i.id == "one").unwrap();
        let plan = plan_modification(&world, stored).unwrap();
        assert_eq!(plan.what, "one: not renamed");
        region.catalog.commit(plan.txn).await.unwrap();
        assert!(region.instance("one").await.pending.is_empty());
        region.instance("two").await;
    }
}

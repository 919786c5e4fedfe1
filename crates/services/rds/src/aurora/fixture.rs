//! Clusters for tests: members `m1`, `m2`, … one in each zone, `m1` the writer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use quorate_base::{Epoch, NodeId, UnixMillis};

use crate::aurora::model::{
    Cluster, ClusterEndpoints, ClusterMember, ClusterSettings, ClusterStatus, MemberDesired,
    PendingClusterChanges, PendingMemberChanges,
};
use crate::model::{Desired, MemberState, ParametersApplied, PasswordVerifier, Status};

pub(crate) const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

pub(crate) fn node(letter: char) -> NodeId {
    format!("us-east-1{letter}-1").parse().unwrap()
}

pub(crate) fn address(number: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_000 + number))
}

/// A member that runs at epoch 3 on a node, at an address and an endpoint port made of its number.
pub(crate) fn member(number: u16, node: NodeId) -> ClusterMember {
    ClusterMember {
        resource_id: format!("db-MEMBER{number}"),
        created_at: NOW,
        class: "db.r6g.large".into(),
        promotion_tier: 1,
        zone: None,
        parameter_group: "default.aurora-postgresql15".into(),
        maintenance_window: "sun:05:00-sun:05:30".into(),
        auto_minor_version_upgrade: true,
        publicly_accessible: false,
        copy_tags_to_snapshot: false,
        pending: PendingMemberChanges::default(),
        desired: MemberDesired::Running,
        order: None,
        status: Status::Available,
        node: Some(node),
        state: MemberState::Running,
        address: Some(address(number)),
        following: Some(Epoch(3)),
        incarnation: 1,
        since: NOW,
        endpoint_port: 10_000 + number,
        tags: Vec::new(),
        parameters_applied: ParametersApplied::default(),
    }
}

/// A cluster with this many members, at most three, that serves at epoch 3.
pub(crate) fn cluster(members: u16) -> Cluster {
    let verifier = PasswordVerifier::scram("secret99");
    let members: BTreeMap<String, ClusterMember> = (1..=members)
        .zip(['a', 'b', 'c'])
        .map(|(number, letter)| (format!("m{number}"), member(number, node(letter))))
        .collect();
    let writer = members.keys().next().cloned();
    Cluster {
        resource_id: "cluster-TEST".into(),
        created_at: NOW,
        settings: ClusterSettings {
            engine: "aurora-postgresql".into(),
            engine_version: "15.18".into(),
            master_username: "admin1".into(),
            master_verifier: verifier.clone(),
            database_name: None,
            port_asked: 5_432,
            parameter_group: "default.aurora-postgresql15".into(),
            subnet_group: "default".into(),
            zones: Vec::new(),
            backup_retention_days: 1,
            backup_window: "04:00-04:30".into(),
            maintenance_window: "sun:05:00-sun:05:30".into(),
            storage_encrypted: false,
            storage_type: "aurora".into(),
            copy_tags_to_snapshot: false,
            deletion_protection: false,
            iam_authentication: false,
            security_groups: Vec::new(),
        },
        pending: PendingClusterChanges::default(),
        order: None,
        desired: Desired::Running,
        status: ClusterStatus::Available,
        status_detail: None,
        endpoints: ClusterEndpoints {
            writer_port: 9_001,
            reader_port: 9_002,
            custom: BTreeMap::new(),
        },
        tags: Vec::new(),
        epoch: Epoch(3),
        serving: writer.as_ref().map(|_| Epoch(3)),
        writer,
        failover: None,
        unwritable: None,
        created: true,
        restore: None,
        credentials_applied: Some(verifier.fingerprint()),
        members,
    }
}

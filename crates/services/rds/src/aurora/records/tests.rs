//! What each change of a cluster does to its record and endpoints.

use std::collections::BTreeSet;

use super::*;
use crate::aurora::fixture::{NOW, address, cluster, node};
use crate::aurora::model::CustomEndpointMembers;

fn at(member: &'static str, node: &'static NodeId, epoch: u64) -> At<'static> {
    At {
        member,
        node,
        epoch: Epoch(epoch),
        now: NOW,
    }
}

/// A node that lives as long as the test process: `At` borrows it.
fn kept(letter: char) -> &'static NodeId {
    Box::leak(Box::new(node(letter)))
}

fn targets(cluster: &Cluster, id: &str) -> Vec<SocketAddr> {
    endpoints("c", cluster)[id].targets.clone()
}

#[test]
fn each_endpoint_leads_where_its_name_says() {
    let cluster = cluster(3);
    assert_eq!(targets(&cluster, "rds-cluster:c"), [address(1)]);
    assert_eq!(
        targets(&cluster, "rds-cluster-ro:c"),
        [address(2), address(3)]
    );
    assert_eq!(targets(&cluster, "rds:m1"), [address(1)]);
    assert_eq!(targets(&cluster, "rds:m3"), [address(3)]);
}

#[test]
fn the_reader_endpoint_leads_to_the_writer_when_no_reader_runs() {
    let mut cluster = cluster(2);
    cluster.members.get_mut("m2").unwrap().state = MemberState::Building;
    assert_eq!(targets(&cluster, "rds-cluster-ro:c"), [address(1)]);
}

#[test]
fn no_endpoint_leads_to_an_engine_of_an_older_epoch() {
    let mut cluster = cluster(3);
    cluster.epoch = Epoch(4);
    cluster.writer = Some("m2".into());
    for (id, endpoint) in endpoints("c", &cluster) {
        assert!(endpoint.targets.is_empty(), "{id}");
        assert_eq!(endpoint.epoch, Epoch(4));
    }
}

#[test]
fn custom_endpoints_lead_to_the_members_of_their_kind() {
    let mut cluster = cluster(3);
    let custom = |kind, members| CustomEndpoint {
        resource_id: "cluster-endpoint-TEST".into(),
        created_at: NOW,
        kind,
        members,
        port: 9_100,
        tags: Vec::new(),
    };
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|n| (*n).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let m1_m2 = CustomEndpointMembers::Static(names(&["m1", "m2"]));
    let but_m3 = CustomEndpointMembers::AllBut(names(&["m3"]));
    let endpoints = &mut cluster.endpoints.custom;
    endpoints.insert("any".into(), custom(CustomEndpointKind::Any, m1_m2.clone()));
    endpoints.insert("reader".into(), custom(CustomEndpointKind::Reader, m1_m2));
    endpoints.insert("rest".into(), custom(CustomEndpointKind::Any, but_m3));
    assert_eq!(
        targets(&cluster, "rds-cluster-custom:any"),
        [address(1), address(2)]
    );
    assert_eq!(targets(&cluster, "rds-cluster-custom:reader"), [address(2)]);
    assert_eq!(
        targets(&cluster, "rds-cluster-custom:rest"),
        [address(1), address(2)]
    );
}

#[test]
fn the_writer_serves_only_at_the_epoch_of_the_record() {
    let mut cluster = cluster(2);
    cluster.epoch = Epoch(4);
    cluster.created = false;
    assert_eq!(
        writer_serves(&cluster, &at("m1", kept('a'), 3), address(9)),
        None
    );
    assert_eq!(
        writer_serves(&cluster, &at("m1", kept('b'), 4), address(9)),
        None
    );
    assert_eq!(
        writer_serves(&cluster, &at("m2", kept('b'), 4), address(9)),
        None
    );
    let record = writer_serves(&cluster, &at("m1", kept('a'), 4), address(9)).unwrap();
    assert!(record.is_serving() && record.created);
    assert_eq!(targets(&record, "rds-cluster:c"), [address(9)]);
}

#[test]
fn a_reader_is_read_from_before_and_after_the_writer_serves() {
    let mut cluster = cluster(2);
    cluster.epoch = Epoch(4);
    let record = reader_runs(&cluster, &at("m2", kept('b'), 4), address(8)).unwrap();
    assert_eq!(targets(&record, "rds-cluster-ro:c"), [address(8)]);
    assert!(targets(&record, "rds-cluster:c").is_empty());
    assert_eq!(
        reader_runs(&cluster, &at("m1", kept('a'), 4), address(8)),
        None
    );
}

#[test]
fn an_agent_says_nothing_that_the_record_says_already() {
    let cluster = cluster(2);
    let at = at("m2", kept('b'), 3);
    let building = member_builds(&cluster, &at).unwrap();
    assert_eq!(member_builds(&building, &at), None);
    assert!(!building.runs(&building.members["m2"]));
    assert_eq!(member_rebooted(&cluster, &at), None);
    let applied = ParametersApplied::default();
    assert_eq!(parameters_taken(&cluster, &at, &applied), None);
    let failed = member_failed(&cluster, &at, "no room").unwrap();
    assert_eq!(failed.status_detail.as_deref(), Some("m2: no room"));
}

#[test]
fn a_member_lets_go_only_when_it_is_deleted() {
    let mut cluster = cluster(2);
    assert_eq!(member_let_go(&cluster, "m2", kept('b')), None);
    cluster.members.get_mut("m2").unwrap().desired = MemberDesired::Deleted;
    assert_eq!(member_let_go(&cluster, "m2", kept('a')), None);
    let record = member_let_go(&cluster, "m2", kept('b')).unwrap();
    assert_eq!(record.members["m2"].node, None);
    cluster.members.get_mut("m2").unwrap().desired = MemberDesired::Running;
    cluster.members.get_mut("m1").unwrap().desired = MemberDesired::Deleted;
    assert!(!may_let_go(&cluster, "m1"), "the writer waits for another");
    cluster.writer = Some("m2".into());
    assert!(may_let_go(&cluster, "m1"));
}

#[test]
fn a_change_writes_the_endpoints_that_differ_and_no_others() {
    let stored = Stored {
        id: "c".into(),
        revision: quorate_base::Revision(5),
        record: cluster(2),
    };
    let mut record = stored.record.clone();
    record.status_detail = Some("something".into());
    assert_eq!(
        change(&stored, &record),
        Txn::new().replace(&stored, &record)
    );
    record.members.remove("m2");
    let reader = &endpoints("c", &record)["rds-cluster-ro:c"];
    assert_eq!(
        change(&stored, &record),
        Txn::new()
            .replace(&stored, &record)
            .discard::<Endpoint>("rds:m2")
            .put("rds-cluster-ro:c", reader)
    );
}

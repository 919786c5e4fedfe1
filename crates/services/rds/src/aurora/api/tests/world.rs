//! What tests of clusters add to the world of the API's tests.

use quorate_base::Epoch;
use quorate_control::Stored;

use crate::api::tests::world::World;
use crate::aurora::fixture;
use crate::aurora::model::{Cluster, ClusterStatus};
use crate::aurora::records;
use crate::model::{MemberState, Status};

pub(super) const CREATE: &str = "Action=CreateDBCluster&Engine=aurora-postgresql\
     &MasterUsername=app&MasterUserPassword=secret99&DBClusterIdentifier=";
pub(super) const MEMBER: &str = "Action=CreateDBInstance&Engine=aurora-postgresql\
     &DBInstanceClass=db.r6g.large&DBClusterIdentifier=";

impl World {
    pub(super) async fn cluster(&self, id: &str) -> Stored<Cluster> {
        self.catalog.read(id).await.unwrap().unwrap()
    }

    pub(super) async fn change_cluster(&self, id: &str, change: impl FnOnce(&mut Cluster)) {
        let stored = self.cluster(id).await;
        let mut record = stored.record.clone();
        change(&mut record);
        let txn = records::change(&stored, &record);
        self.catalog.commit(txn).await.unwrap();
    }

    /// Creates a cluster with members and does what controller and agents would: all run, the first one writes.
    pub(super) async fn cluster_with(&self, id: &str, members: &[&str]) {
        self.ok(&format!("{CREATE}{id}&EngineVersion=15")).await;
        for member in members {
            self.ok(&format!("{MEMBER}{id}&DBInstanceIdentifier={member}"))
                .await;
        }
        self.change_cluster(id, |cluster| {
            cluster.status = ClusterStatus::Available;
            cluster.writer = members.first().map(|m| (*m).to_owned());
            cluster.serving = Some(Epoch::FIRST);
            cluster.created = true;
            for (number, (member, letter)) in
                (1..).zip(cluster.members.values_mut().zip("abc".chars()))
            {
                member.node = Some(fixture::node(letter));
                member.state = MemberState::Running;
                member.status = Status::Available;
                member.following = Some(Epoch::FIRST);
                member.address = Some(fixture::address(number));
            }
        })
        .await;
    }
}

//! `TestFailover`: the Sentinels are told to promote a replica although the primary answers.

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Txn};
use quorate_engines::sentinel::RunningSentinel;

use crate::agent::driver::StepError;
use crate::agent::sentinel::keeper::{Keeper, Wanted};
use crate::events;
use crate::model::{Cache, Order};

impl Keeper {
    /// Carries out an order to fail over. Whoever takes the order out of the record does; refused, it is told in an event.
    pub(super) async fn test_failover(
        &self,
        sentinel: &RunningSentinel,
        wanted: &Wanted,
    ) -> Result<(), StepError> {
        let order = Order::TestFailover(wanted.shard);
        if wanted.cache.record.orders.first() != Some(&order) {
            return Ok(());
        }
        let read = self.host.catalog.read::<Cache>(&wanted.cache.id).await?;
        let Some(read) = read.filter(|r| r.record.orders.first() == Some(&order)) else {
            return Ok(());
        };
        let mut record = read.record.clone();
        record.orders.remove(0);
        match self
            .host
            .catalog
            .commit(Txn::new().replace(&read, &record))
            .await
        {
            Ok(_) => {}
            Err(CatalogError::Conflict { .. }) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
        if let Err(e) = sentinel.client().order_failover(&read.id).await {
            let message = format!("Test failover could not be carried out: {e}");
            let txn = events::tell(Txn::new(), UnixMillis::now(), &read.id, &record, &message);
            self.host.catalog.commit(txn).await?;
        }
        Ok(())
    }
}

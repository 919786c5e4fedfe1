//! A catalog in memory, for tests of services.

use std::sync::Mutex;

use quorate_base::Revision;

use crate::catalog::{Backend, Boxed};
use crate::error::CatalogError;
use crate::store::Outcome;
use crate::txn::Txn;
use crate::view::View;

/// Keeps the catalog in memory; every commit is applied before it is answered.
#[derive(Default)]
pub(crate) struct MemoryBackend {
    view: View,
    last: Mutex<u64>,
}

impl Backend for MemoryBackend {
    fn commit(&self, txn: Txn) -> Boxed<'_, Result<Outcome, CatalogError>> {
        let mut last = self.last.lock().expect("no holder of the lock panics");
        *last += 1;
        let outcome = self.view.apply(Revision(*last), &txn, |_| ());
        Box::pin(std::future::ready(Ok(outcome)))
    }

    fn read_barrier(&self) -> Boxed<'_, Result<(), CatalogError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn view(&self) -> &View {
        &self.view
    }
}

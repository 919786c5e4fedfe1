//! Answers while the catalog, or the region's nodes, are not there.

use std::sync::Arc;

use quorate_control::{Backend, Boxed, Catalog, CatalogError, Outcome, Txn, View};

use super::world::{CREATE, World};

/// A catalog without a quorum.
#[derive(Default)]
struct Down(View);

impl Backend for Down {
    fn commit(&self, _txn: Txn) -> Boxed<'_, Result<Outcome, CatalogError>> {
        Box::pin(async {
            Err(CatalogError::Unavailable(String::from(
                "two zones are gone",
            )))
        })
    }

    fn read_barrier(&self) -> Boxed<'_, Result<(), CatalogError>> {
        Box::pin(async {
            Err(CatalogError::Unavailable(String::from(
                "two zones are gone",
            )))
        })
    }

    fn view(&self) -> &View {
        &self.0
    }
}

#[tokio::test]
async fn a_catalog_without_a_quorum_is_a_503_that_clients_retry() {
    let world = World::over(Catalog::new(Arc::new(Down::default())));
    let (status, code, message) = world.refused("Action=DescribeDBInstances").await;
    assert_eq!((status, code.as_str()), (503, "ServiceUnavailable"));
    assert!(message.contains("quorum"), "{message}");
}

#[tokio::test]
async fn a_region_whose_nodes_have_not_reported_is_a_503_that_clients_retry() {
    let world = World::over(Catalog::in_memory());
    let (status, code, _) = world.refused(&format!("{CREATE}x")).await;
    assert_eq!((status, code.as_str()), (503, "ServiceUnavailable"));
}

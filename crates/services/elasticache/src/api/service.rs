//! The service as the gateway sees it: one call in, one answer out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use quorate_base::{RegionName, ZoneName};
use quorate_control::{Catalog, EndpointPorts};
use quorate_wire::error::FrontDoorError;
use quorate_wire::query::Form;
use quorate_wire::query_response;
use quorate_wire::service::{Answer, Call, Service};
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::dispatch::dispatch;
use crate::api::error::ElastiCacheError;

/// The namespace of every answer; its date is the API's version.
const NAMESPACE: &str = "http://elasticache.amazonaws.com/doc/2015-02-02/";

/// What the API needs of one region.
pub struct ElastiCacheRegion {
    /// The region's name.
    pub name: RegionName,
    /// Its zones, in the order of their letters.
    pub zones: Vec<ZoneName>,
    /// Its catalog.
    pub catalog: Catalog,
    /// Where clients reach every endpoint.
    pub endpoint_address: IpAddr,
    /// Who hands out endpoint ports.
    pub ports: Arc<dyn EndpointPorts>,
    /// Whether the region's agents can run groups with cluster mode.
    pub cluster_mode: bool,
}

/// ElastiCache, in all regions that this gateway serves.
pub struct ElastiCacheService {
    regions: BTreeMap<RegionName, ElastiCacheRegion>,
}

impl ElastiCacheService {
    /// The service over these regions.
    #[must_use]
    pub fn new(regions: impl IntoIterator<Item = ElastiCacheRegion>) -> ElastiCacheService {
        let regions = regions
            .into_iter()
            .map(|region| (region.name.clone(), region));
        ElastiCacheService {
            regions: regions.collect(),
        }
    }

    async fn answer(&self, call: &Call) -> Result<(String, Vec<Element>), ElastiCacheError> {
        let form = Form::of_request(&call.target, &call.body)?;
        let params = form.root();
        let action = params
            .text("Action")
            .ok_or(ElastiCacheError::MissingAction)?;
        let region = self.regions.get(&call.region).ok_or_else(|| {
            let served: Vec<&str> = self.regions.keys().map(RegionName::as_str).collect();
            ElastiCacheError::RegionNotServed {
                asked: call.region.clone(),
                served: served.join(", "),
            }
        })?;
        let context = Context {
            region,
            account: &call.account,
            params,
        };
        let result = dispatch(action, &context).await?;
        Ok((action.to_owned(), result))
    }
}

impl Service for ElastiCacheService {
    fn signing_name(&self) -> &'static str {
        "elasticache"
    }

    fn call(&self, call: Call) -> Answer<'_> {
        Box::pin(async move {
            let request = &call.request_id;
            match self.answer(&call).await {
                Ok((action, result)) => {
                    query_response::success(&action, NAMESPACE, result, request)
                }
                Err(error) => {
                    let (status, code) = error.wire();
                    if status.is_server_error() {
                        tracing::warn!(request, %error, "an ElastiCache call failed");
                    }
                    let message = error.to_string();
                    query_response::failure(status, code, &message, NAMESPACE, request)
                }
            }
        })
    }

    fn refuse(&self, request_id: &str, error: &FrontDoorError) -> Response<Bytes> {
        let (status, code) = (error.status, error.code);
        query_response::failure(status, code, &error.message, NAMESPACE, request_id)
    }
}

//! The service as the gateway sees it: one call in, one answer out.

use std::collections::BTreeMap;
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
use crate::api::error::RdsError;

/// The namespace of every answer; its date is the API's version.
const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// What the API needs of one region.
pub struct RdsRegion {
    /// The region's name.
    pub name: RegionName,
    /// Its zones, in the order of their letters.
    pub zones: Vec<ZoneName>,
    /// Its catalog.
    pub catalog: Catalog,
    /// What `Endpoint.Address` shows, as in `127.0.0.1`.
    pub endpoint_address: String,
    /// Who hands out endpoint ports.
    pub ports: Arc<dyn EndpointPorts>,
    /// `CACertificateIdentifier`.
    pub ca_identifier: String,
}

/// RDS, in all regions that this gateway serves.
pub struct RdsService {
    regions: BTreeMap<RegionName, RdsRegion>,
}

impl RdsService {
    /// The service over these regions.
    #[must_use]
    pub fn new(regions: impl IntoIterator<Item = RdsRegion>) -> RdsService {
        let regions = regions
            .into_iter()
            .map(|region| (region.name.clone(), region))
            .collect();
        RdsService { regions }
    }

    async fn answer(&self, call: &Call) -> Result<(String, Vec<Element>), RdsError> {
        let form = Form::of_request(&call.target, &call.body)?;
        let params = form.root();
        let action = params.text("Action").ok_or(RdsError::MissingAction)?;
        let region = self
            .regions
            .get(&call.region)
            .ok_or_else(|| self.not_served(&call.region))?;
        let context = Context {
            region,
            account: &call.account,
            params,
        };
        let result = dispatch(action, &context).await?;
        Ok((action.to_owned(), result))
    }

    fn not_served(&self, asked: &RegionName) -> RdsError {
        let served: Vec<&str> = self.regions.keys().map(RegionName::as_str).collect();
        RdsError::RegionNotServed {
            asked: asked.clone(),
            served: served.join(", "),
        }
    }
}

impl Service for RdsService {
    fn signing_name(&self) -> &'static str {
        "rds"
    }

    fn call(&self, call: Call) -> Answer<'_> {
        Box::pin(async move {
            match self.answer(&call).await {
                Ok((action, result)) => {
                    query_response::success(&action, NAMESPACE, result, &call.request_id)
                }
                Err(error) => {
                    let (status, code) = error.wire();
                    if status.is_server_error() {
                        tracing::warn!(request = call.request_id, %error, "an RDS call failed");
                    }
                    let message = error.to_string();
                    query_response::failure(status, code, &message, NAMESPACE, &call.request_id)
                }
            }
        })
    }

    fn refuse(&self, request_id: &str, error: &FrontDoorError) -> Response<Bytes> {
        query_response::failure(
            error.status,
            error.code,
            &error.message,
            NAMESPACE,
            request_id,
        )
    }
}

//! `sts:GetCallerIdentity`, which tools call before anything else to see whether a key works.

use bytes::Bytes;
use http::{Response, StatusCode};
use quorate_wire::error::FrontDoorError;
use quorate_wire::service::{Answer, Call, Service};

use crate::front_door::answer::{error_in_namespace, whole};

const NAMESPACE: &str = " xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";

/// The built-in token service. It issues nothing: every key is its account's root key.
pub(crate) struct Sts;

impl Service for Sts {
    fn signing_name(&self) -> &'static str {
        "sts"
    }

    fn call(&self, call: Call) -> Answer<'_> {
        let response = match action_of(&call) {
            Some(action) if action == "GetCallerIdentity" => identity(&call),
            Some(action) => self.refuse(&call.request_id, &invalid_action(&action)),
            None => self.refuse(&call.request_id, &missing_action()),
        };
        Box::pin(std::future::ready(response))
    }

    fn refuse(&self, request_id: &str, error: &FrontDoorError) -> Response<Bytes> {
        error_in_namespace(NAMESPACE, request_id, error)
    }
}

fn identity(call: &Call) -> Response<Bytes> {
    let (account, request_id) = (&call.account, &call.request_id);
    let body = format!(
        "<GetCallerIdentityResponse{NAMESPACE}>\n  <GetCallerIdentityResult>\n    \
         <Arn>arn:aws:iam::{account}:root</Arn>\n    <UserId>{account}</UserId>\n    \
         <Account>{account}</Account>\n  </GetCallerIdentityResult>\n  <ResponseMetadata>\n    \
         <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n\
         </GetCallerIdentityResponse>\n"
    );
    whole(StatusCode::OK, "text/xml", body)
}

/// The `Action` of a Query request, from the body or from the query string. Names of actions are plain
/// letters, so nothing needs decoding to be recognised.
fn action_of(call: &Call) -> Option<String> {
    let body = String::from_utf8_lossy(&call.body);
    let query = call.target.split_once('?').map_or("", |(_, query)| query);
    body.split('&')
        .chain(query.split('&'))
        .find_map(|pair| pair.trim().strip_prefix("Action=").map(str::to_owned))
}

fn invalid_action(action: &str) -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::BAD_REQUEST,
        code: "InvalidAction",
        message: format!("Could not find operation {action} for version 2011-06-15"),
    }
}

fn missing_action() -> FrontDoorError {
    FrontDoorError {
        status: StatusCode::BAD_REQUEST,
        code: "MissingAction",
        message: String::from("The request must contain the parameter Action"),
    }
}

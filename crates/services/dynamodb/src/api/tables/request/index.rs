//! Indexes that are asked for.

use crate::api::constraints::{Fields, Place, Violations};
use crate::api::error::ApiError;
use crate::api::tables::request::keys::{KeyRequest, check_keys, read_keys};
use crate::api::tables::request::projection::ProjectionRequest;
use crate::api::tables::request::units::Units;

const NAME_LENGTH_MIN: usize = 3;
const NAME_LENGTH_MAX: usize = 255;

/// A `LocalSecondaryIndex`, a `GlobalSecondaryIndex` or the creation of one.
#[derive(Debug, Clone)]
pub(in crate::api::tables) struct IndexRequest<'j> {
    pub(in crate::api::tables) name: Option<&'j str>,
    pub(in crate::api::tables) keys: Option<Vec<KeyRequest<'j>>>,
    pub(in crate::api::tables) projection: Option<ProjectionRequest<'j>>,
    pub(in crate::api::tables) provisioned: Option<Units>,
    pub(in crate::api::tables) on_demand: Option<Units>,
    pub(in crate::api::tables) warm: Option<Units>,
}

impl<'j> IndexRequest<'j> {
    /// Reads one index. A local index has no throughput of its own; members that it does not have are not there.
    pub(in crate::api::tables) fn read(fields: &Fields<'j>) -> Result<IndexRequest<'j>, ApiError> {
        Ok(IndexRequest {
            name: fields.string("IndexName")?,
            keys: read_keys(fields)?,
            projection: ProjectionRequest::read(fields)?,
            provisioned: Units::provisioned(fields)?,
            on_demand: Units::on_demand(fields)?,
            warm: Units::warm(fields)?,
        })
    }

    /// Reads a list of indexes.
    pub(in crate::api::tables) fn read_list(
        fields: &Fields<'j>,
        name: &str,
        shape: &str,
    ) -> Result<Option<Vec<IndexRequest<'j>>>, ApiError> {
        let Some(list) = fields.structures(name, shape)? else {
            return Ok(None);
        };
        let read: Result<_, _> = list.iter().map(IndexRequest::read).collect();
        read.map(Some)
    }

    /// Holds the index against the model.
    pub(in crate::api::tables) fn check(
        &self,
        here: &Place<'_>,
        keys_max: usize,
        violations: &mut Violations,
    ) {
        check_index_name(&here.member("IndexName"), self.name, violations);
        let keys = here.member("KeySchema");
        check_keys(&keys, self.keys.as_ref(), keys_max, violations);
        let projection = here.member("Projection");
        violations.required(&projection, self.projection.as_ref());
        if let Some(request) = &self.projection {
            request.check(&projection, violations);
        }
        Units::check_provisioned(self.provisioned, Some(here), violations);
    }

    /// Holds a list of indexes against the model.
    pub(in crate::api::tables) fn check_list(
        name: &str,
        list: Option<&Vec<IndexRequest<'j>>>,
        keys_max: usize,
        violations: &mut Violations,
    ) {
        let place = Place::of(name);
        for (index, request) in list.into_iter().flatten().enumerate() {
            request.check(&place.element(index), keys_max, violations);
        }
    }
}

/// Holds an index's name against the model.
pub(in crate::api::tables) fn check_index_name(
    place: &Place<'_>,
    name: Option<&str>,
    violations: &mut Violations,
) {
    violations.required(place, name.as_ref());
    if let Some(name) = name {
        violations.name(place, name);
        violations.length(place, name, NAME_LENGTH_MIN, NAME_LENGTH_MAX);
    }
}

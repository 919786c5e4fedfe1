//! What the request says.

use crate::api::constraints::{Fields, Place, Violations, check_table_name, required_table_name};
use crate::api::error::ApiError;
use crate::api::tables::request::{
    AttributeRequest, IndexRequest, SseRequest, StreamRequest, Units, check_attributes,
    check_billing, check_index_name, read_attributes,
};

/// Elements of a global index's key: four on each side, and enough more to tell which side has too many.
const KEYS_MAX: usize = 16;

/// An `UpdateTable` request.
pub(super) struct Request<'j> {
    pub(super) table_name: Option<&'j str>,
    pub(super) attributes: Option<Vec<AttributeRequest<'j>>>,
    pub(super) billing: Option<&'j str>,
    pub(super) provisioned: Option<Units>,
    pub(super) indexes: Option<Vec<IndexUpdate<'j>>>,
    pub(super) stream: Option<StreamRequest<'j>>,
    pub(super) sse: Option<SseRequest<'j>>,
    pub(super) class: Option<&'j str>,
    pub(super) deletion_protection: Option<bool>,
    pub(super) on_demand: Option<Units>,
    pub(super) warm: Option<Units>,
    /// Whether anything of a global table is asked for.
    pub(super) global: bool,
}

/// One of `GlobalSecondaryIndexUpdates`: what is to be done, of which exactly one may be there. An update is an index
/// without keys and projection, a removal one with nothing but its name.
#[derive(Debug)]
pub(super) struct IndexUpdate<'j> {
    pub(super) update: Option<IndexRequest<'j>>,
    pub(super) create: Option<IndexRequest<'j>>,
    pub(super) delete: Option<IndexRequest<'j>>,
}

impl<'j> IndexUpdate<'j> {
    fn read(fields: &Fields<'j>) -> Result<IndexUpdate<'j>, ApiError> {
        let one = |name: &str| {
            let shape = format!("{name}GlobalSecondaryIndexAction");
            let fields = fields.structure(name, &shape)?;
            fields.map(|fields| IndexRequest::read(&fields)).transpose()
        };
        Ok(IndexUpdate {
            update: one("Update")?,
            create: one("Create")?,
            delete: one("Delete")?,
        })
    }

    fn check(&self, here: &Place<'_>, violations: &mut Violations) {
        if let Some(update) = &self.update {
            let here = here.member("Update");
            check_index_name(&here.member("IndexName"), update.name, violations);
            Units::check_provisioned(update.provisioned, Some(&here), violations);
        }
        if let Some(create) = &self.create {
            create.check(&here.member("Create"), KEYS_MAX, violations);
        }
        if let Some(delete) = &self.delete {
            let here = here.member("Delete");
            check_index_name(&here.member("IndexName"), delete.name, violations);
        }
    }

    /// The index that it is about.
    pub(super) fn name(&self) -> &'j str {
        let actions = [&self.update, &self.create, &self.delete];
        let mut actions = actions.into_iter().flatten();
        actions.find_map(|action| action.name).unwrap_or_default()
    }

    /// How many things are to be done at once.
    pub(super) fn actions(&self) -> usize {
        let actions = [&self.update, &self.create, &self.delete];
        actions.into_iter().flatten().count()
    }
}

impl<'j> Request<'j> {
    /// Reads the request.
    pub(super) fn read(fields: &Fields<'j>) -> Result<Request<'j>, ApiError> {
        let indexes =
            fields.structures("GlobalSecondaryIndexUpdates", "GlobalSecondaryIndexUpdate")?;
        let indexes = indexes.map(|list| list.iter().map(IndexUpdate::read).collect());
        let globals = [
            "ReplicaUpdates",
            "MultiRegionConsistency",
            "GlobalTableWitnessUpdates",
            "GlobalTableSettingsReplicationMode",
        ];
        Ok(Request {
            table_name: fields.string("TableName")?,
            attributes: read_attributes(fields)?,
            billing: fields.string("BillingMode")?,
            provisioned: Units::provisioned(fields)?,
            indexes: indexes.transpose()?,
            stream: StreamRequest::read(fields)?,
            sse: SseRequest::read(fields)?,
            class: fields.string("TableClass")?,
            deletion_protection: fields.boolean("DeletionProtectionEnabled")?,
            on_demand: Units::on_demand(fields)?,
            warm: Units::warm(fields)?,
            global: globals.iter().any(|name| fields.get(name).is_some()),
        })
    }

    /// Holds the request against AWS's model.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        required_table_name(self.table_name)?;
        let mut violations = Violations::new();
        check_attributes(
            self.attributes.as_deref().unwrap_or_default(),
            &mut violations,
        );
        check_table_name(&mut violations, self.table_name);
        check_billing(self.billing, &mut violations);
        Units::check_provisioned(self.provisioned, None, &mut violations);
        let list = Place::of("GlobalSecondaryIndexUpdates");
        for (index, update) in self.updates().iter().enumerate() {
            update.check(&list.element(index), &mut violations);
        }
        StreamRequest::check(self.stream.as_ref(), &mut violations);
        SseRequest::check(self.sse.as_ref(), &mut violations);
        violations.finish()
    }

    /// What is to be done with indexes.
    pub(super) fn updates(&self) -> &[IndexUpdate<'j>] {
        self.indexes.as_deref().unwrap_or_default()
    }

    /// Whether an index is to be created or removed.
    pub(super) fn makes_or_removes_an_index(&self) -> bool {
        let update = |u: &IndexUpdate<'_>| u.create.is_some() || u.delete.is_some();
        self.updates().iter().any(update)
    }
}

//! `CreateTable`.

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};
use rand::Rng;
use serde_json::{Value, json};

use crate::api::constraints::{
    Body, Fields, Place, Violations, check_table_name, required_table_name, table_of,
};
use crate::api::context::{Attempt, Context, retry};
use crate::api::error::ApiError;
use crate::api::tables::describe::table_description;
use crate::api::tables::request::{
    AttributeRequest, IndexRequest, KeyRequest, SseRequest, StreamRequest, TagRequest, Units,
    check_attributes, check_billing, check_keys, read_attributes, read_keys, read_tags,
};
use crate::api::tables::rules::{self, Owner, Unfinished};
use crate::model::{
    Billing, IdCounter, KeyElement, TableClass, TableNumber, TableRecord, TableStatus,
};

/// Elements of a table's key and of a local index's.
const KEYS_MAX: usize = 2;
/// Elements of a global index's key: four on each side, and enough more to tell which side has too many.
const GLOBAL_KEYS_MAX: usize = 16;

/// What the request says.
struct Request<'j> {
    table_name: Option<&'j str>,
    attributes: Option<Vec<AttributeRequest<'j>>>,
    keys: Option<Vec<KeyRequest<'j>>>,
    local: Option<Vec<IndexRequest<'j>>>,
    global: Option<Vec<IndexRequest<'j>>>,
    billing: Option<&'j str>,
    provisioned: Option<Units>,
    on_demand: Option<Units>,
    warm: Option<Units>,
    stream: Option<StreamRequest<'j>>,
    sse: Option<SseRequest<'j>>,
    tags: Option<Vec<TagRequest<'j>>>,
    class: Option<&'j str>,
    deletion_protection: Option<bool>,
    policy: Option<&'j str>,
    global_source: Option<&'j str>,
}

impl<'j> Request<'j> {
    fn read(fields: &Fields<'j>) -> Result<Request<'j>, ApiError> {
        Ok(Request {
            table_name: fields.string("TableName")?,
            attributes: read_attributes(fields)?,
            keys: read_keys(fields)?,
            local: IndexRequest::read_list(fields, "LocalSecondaryIndexes", "LocalSecondaryIndex")?,
            global: IndexRequest::read_list(
                fields,
                "GlobalSecondaryIndexes",
                "GlobalSecondaryIndex",
            )?,
            billing: fields.string("BillingMode")?,
            provisioned: Units::provisioned(fields)?,
            on_demand: Units::on_demand(fields)?,
            warm: Units::warm(fields)?,
            stream: StreamRequest::read(fields)?,
            sse: SseRequest::read(fields)?,
            tags: read_tags(fields)?,
            class: fields.string("TableClass")?,
            deletion_protection: fields.boolean("DeletionProtectionEnabled")?,
            policy: fields.string("ResourcePolicy")?,
            global_source: fields.string("GlobalTableSourceArn")?,
        })
    }

    /// Holds the request against AWS's model.
    fn check(&self) -> Result<(), ApiError> {
        required_table_name(self.table_name)?;
        let mut violations = Violations::new();
        let attributes = Place::of("AttributeDefinitions");
        violations.required(&attributes, self.attributes.as_ref());
        check_attributes(
            self.attributes.as_deref().unwrap_or_default(),
            &mut violations,
        );
        check_table_name(&mut violations, self.table_name);
        check_billing(self.billing, &mut violations);
        Units::check_provisioned(self.provisioned, None, &mut violations);
        let keys = Place::of("KeySchema");
        check_keys(&keys, self.keys.as_ref(), KEYS_MAX, &mut violations);
        let lists = [
            ("LocalSecondaryIndexes", &self.local, KEYS_MAX),
            ("GlobalSecondaryIndexes", &self.global, GLOBAL_KEYS_MAX),
        ];
        for (name, list, keys_max) in lists {
            IndexRequest::check_list(name, list.as_ref(), keys_max, &mut violations);
        }
        StreamRequest::check(self.stream.as_ref(), &mut violations);
        SseRequest::check(self.sse.as_ref(), &mut violations);
        violations.finish()
    }

    /// The table that is asked for. Its number is given when it is written.
    fn record(&self, context: &Context<'_>) -> Result<TableRecord, ApiError> {
        let billing = match self.billing {
            Some("PAY_PER_REQUEST") => Billing::PayPerRequest,
            _ => Billing::Provisioned,
        };
        let now = UnixMillis::now();
        let throughput = rules::created(
            Owner::Table,
            billing,
            self.provisioned,
            self.on_demand,
            self.warm,
        )?;
        let mut attributes = rules::attributes(self.attributes.as_deref().unwrap_or_default())?;
        let keys: Vec<KeyElement> = self
            .keys
            .iter()
            .flatten()
            .map(KeyRequest::element)
            .collect();
        rules::table_keys(&keys, &attributes)?;
        let unfinished = Unfinished {
            attributes: &attributes,
            keys: &keys,
            billing,
        };
        let indexes = rules::indexes(unfinished, self.local.as_deref(), self.global.as_deref())?;
        let class = self.class.map(rules::table_class).transpose()?;
        let sse = self.sse.as_ref().map(|sse| rules::sse(context, sse));
        if let Some(stream) = &self.stream {
            rules::stream_at_creation(stream)?;
        }
        self.refuse_global()?;
        // AWS tells the definitions in the order of their names.
        attributes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(TableRecord {
            number: TableNumber::default(),
            table_id: uuid(),
            status: TableStatus::Creating,
            created_at: now,
            attributes,
            keys,
            local_indexes: indexes.local,
            global_indexes: indexes.global,
            last_index: indexes.last,
            billing,
            on_demand_since: (billing == Billing::PayPerRequest).then_some(now),
            throughput,
            class: class.unwrap_or(TableClass::Standard),
            class_changed_at: None,
            sse_key_arn: sse.transpose()?.flatten(),
            deletion_protection: self.deletion_protection.unwrap_or(false),
            tags: rules::tags(self.tags.as_deref().unwrap_or_default())?,
            ttl: None,
            resource_policy: self.policy.map(rules::policy).transpose()?,
            resource_policy_revision: u64::from(self.policy.is_some()),
        })
    }

    fn refuse_global(&self) -> Result<(), ApiError> {
        match self.global_source {
            Some(_) => Err(ApiError::invalid(
                "This region does not offer global tables: GlobalTableSourceArn must not be specified",
            )),
            None => Ok(()),
        }
    }
}

/// `CreateTable`.
pub(super) async fn create(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let request = Request::read(&body.fields())?;
    request.check()?;
    let name = table_of(context, request.table_name.unwrap_or_default())?;
    let record = request.record(context)?;
    let record = retry(|| insert(context, name, record.clone())).await?;
    let table = table_description(context, name, &record);
    Ok(json!({ "TableDescription": table }))
}

/// Gives the table its number and writes it, unless there is one of its name.
async fn insert(
    context: &Context<'_>,
    name: &str,
    mut record: TableRecord,
) -> Result<TableRecord, Attempt> {
    let catalog = context.catalog();
    if catalog.read::<TableRecord>(name).await?.is_some() {
        return Err(Attempt::Failed(ApiError::dynamodb(
            "ResourceInUseException",
            format!("Table already exists: {name}"),
        )));
    }
    let read: Option<Stored<IdCounter>> = catalog.read(IdCounter::ID).await?;
    let mut counter = read.as_ref().map(|r| r.record.clone()).unwrap_or_default();
    record.number = counter.next_table();
    let txn = Txn::new().insert(name, &record);
    let txn = match &read {
        Some(read) => txn.replace(read, &counter),
        None => txn.insert(IdCounter::ID, &counter),
    };
    catalog.commit(txn).await?;
    Ok(record)
}

/// A random UUID, version 4.
fn uuid() -> String {
    let random: u128 = rand::rng().random();
    let fixed = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{fixed:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

//! `DescribeOrderableDBInstanceOptions`.

use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::engines::Engines;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::api::instance::StorageType;
use crate::catalogue::{ApiEngine, InstanceClass, all_classes, matches_version};

/// The largest page that AWS gives of orderable options.
const ORDERABLE_RECORDS_MAX: i64 = 10_000;

/// `DescribeOrderableDBInstanceOptions`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let page = PageRequest::read_within(params, ORDERABLE_RECORDS_MAX)?;
    Filters::read(params, &[])?;
    let engine = ApiEngine::find(params.required("Engine")?);
    let engines = Engines::read(context).await?;
    let licensed = |engine: &ApiEngine| {
        let license = params.text("LicenseModel");
        license.is_none_or(|license| license == engine.program().license())
    };
    let fits = engine.as_ref().is_none_or(licensed)
        && params.boolean("Vpc")? != Some(false)
        && params
            .text("AvailabilityZoneGroup")
            .is_none_or(|g| g == context.region.name.as_str());
    let mut options = Vec::new();
    let classes = all_classes();
    let versions = engine.into_iter().filter(|_| fits);
    let versions = versions.flat_map(|engine| {
        let versions = engines.versions(engine);
        versions.map(move |version| (engine, version))
    });
    for (engine, version) in versions {
        if !params
            .text("EngineVersion")
            .is_none_or(|asked| matches_version(version, asked))
        {
            continue;
        }
        for class in &classes {
            if params
                .text("DBInstanceClass")
                .is_none_or(|asked| asked == class.name)
            {
                let kinds = storages(engine).into_iter();
                options.extend(kinds.map(|storage| (engine, version, class, storage)));
            }
        }
    }
    let key =
        |(_, version, class, storage): &(ApiEngine, &str, &InstanceClass, Option<StorageType>)| {
            format!("{version}/{}/{}", class.name, storage_word(*storage))
        };
    let page = page.cut(options, key);
    Ok(page.into_result(
        "OrderableDBInstanceOptions",
        |(engine, version, class, storage)| {
            orderable_element(context, engine, version, class, storage)
        },
    ))
}

/// The storage types of an engine's instances; members of a cluster have none of their own.
fn storages(engine: ApiEngine) -> Vec<Option<StorageType>> {
    if engine.is_clusters() {
        vec![None]
    } else {
        StorageType::ALL.map(Some).to_vec()
    }
}

fn storage_word(storage: Option<StorageType>) -> &'static str {
    storage.map_or("aurora", StorageType::as_str)
}

fn orderable_element(
    context: &Context<'_>,
    engine: ApiEngine,
    version: &str,
    class: &InstanceClass,
    storage: Option<StorageType>,
) -> Element {
    let cluster = storage.is_none();
    let size = storage.map(StorageType::size_gib);
    let iops = storage.and_then(StorageType::iops);
    let no = [
        "SupportsStorageThroughput",
        "SupportsEnhancedMonitoring",
        "SupportsIAMDatabaseAuthentication",
        "SupportsPerformanceInsights",
        "SupportsStorageAutoscaling",
        "SupportsKerberosAuthentication",
        "OutpostCapable",
        "SupportsGlobalDatabases",
        "SupportsDedicatedLogVolume",
    ];
    Element::new("OrderableDBInstanceOption")
        .field("Engine", engine.name())
        .field("EngineVersion", version)
        .field("DBInstanceClass", &class.name)
        .field("LicenseModel", engine.program().license())
        .with(Element::list(
            "AvailabilityZones",
            &context.region.zones,
            |zone| Element::new("AvailabilityZone").field("Name", zone),
        ))
        .field("MultiAZCapable", !cluster)
        .field("ReadReplicaCapable", !cluster)
        .field("SupportsClusters", cluster)
        .field("Vpc", true)
        .field("SupportsStorageEncryption", true)
        .field("StorageType", storage_word(storage))
        .field("SupportsIops", iops.is_some())
        .field_if("MinStorageSize", size.map(|(min, _)| min))
        .field_if("MaxStorageSize", size.map(|(_, max)| max))
        .field_if("MinIopsPerDbInstance", iops.map(|(min, _)| min))
        .field_if("MaxIopsPerDbInstance", iops.map(|(_, max)| max))
        .with_all(no.map(|name| Element::text(name, false)))
        .with(Element::new("AvailableProcessorFeatures"))
        .with(Element::list(
            "SupportedEngineModes",
            ["provisioned"],
            |mode| Element::text("member", mode),
        ))
        .with(Element::list("SupportedNetworkTypes", ["IPV4"], |kind| {
            Element::text("member", kind)
        }))
}

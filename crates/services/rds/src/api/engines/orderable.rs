//! `DescribeOrderableDBInstanceOptions`.

use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::engines::LICENSE;
use crate::api::engines::found::{Engines, POSTGRES, matches_version};
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::api::instance::StorageType;
use crate::catalogue::{InstanceClass, all_classes};

/// The largest page that AWS gives of orderable options.
const ORDERABLE_RECORDS_MAX: i64 = 10_000;

/// `DescribeOrderableDBInstanceOptions`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let page = PageRequest::read_within(params, ORDERABLE_RECORDS_MAX)?;
    Filters::read(params, &[])?;
    let engine = params.required("Engine")?;
    let engines = Engines::read(context).await?;
    let fits = engine == POSTGRES
        && params
            .text("LicenseModel")
            .is_none_or(|license| license == LICENSE)
        && params.boolean("Vpc")? != Some(false)
        && params
            .text("AvailabilityZoneGroup")
            .is_none_or(|g| g == context.region.name.as_str());
    let mut options = Vec::new();
    let classes = all_classes();
    for version in engines.versions().filter(|_| fits) {
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
                let kinds = StorageType::ALL.iter();
                options.extend(kinds.map(|storage| (version, class, *storage)));
            }
        }
    }
    let key = |(version, class, storage): &(&str, &InstanceClass, StorageType)| {
        format!("{version}/{}/{}", class.name, storage.as_str())
    };
    let page = page.cut(options, key);
    Ok(
        page.into_result("OrderableDBInstanceOptions", |(version, class, storage)| {
            orderable_element(context, version, class, storage)
        }),
    )
}

fn orderable_element(
    context: &Context<'_>,
    version: &str,
    class: &InstanceClass,
    storage: StorageType,
) -> Element {
    let (min, max) = storage.size_gib();
    let iops = storage.iops();
    let no = [
        "SupportsStorageThroughput",
        "SupportsEnhancedMonitoring",
        "SupportsIAMDatabaseAuthentication",
        "SupportsPerformanceInsights",
        "SupportsStorageAutoscaling",
        "SupportsKerberosAuthentication",
        "OutpostCapable",
        "SupportsGlobalDatabases",
        "SupportsClusters",
        "SupportsDedicatedLogVolume",
    ];
    Element::new("OrderableDBInstanceOption")
        .field("Engine", POSTGRES)
        .field("EngineVersion", version)
        .field("DBInstanceClass", &class.name)
        .field("LicenseModel", LICENSE)
        .with(Element::list(
            "AvailabilityZones",
            &context.region.zones,
            |zone| Element::new("AvailabilityZone").field("Name", zone),
        ))
        .field("MultiAZCapable", true)
        .field("ReadReplicaCapable", true)
        .field("Vpc", true)
        .field("SupportsStorageEncryption", true)
        .field("StorageType", storage.as_str())
        .field("SupportsIops", iops.is_some())
        .field("MinStorageSize", min)
        .field("MaxStorageSize", max)
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

//! `DescribeDBEngineVersions`.

use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::engines::Engines;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::catalogue::{ApiEngine, family_of, major_of, matches_version, version_key};

/// `DescribeDBEngineVersions`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let page = PageRequest::read(params)?;
    let filters = Filters::read(
        params,
        &[
            "db-parameter-group-family",
            "engine",
            "engine-mode",
            "engine-version",
            "status",
        ],
    )?;
    let default_only = params.boolean("DefaultOnly")?.unwrap_or(false);
    let engines = Engines::read(context).await?;
    let of_engine = |engine| {
        engines
            .versions(engine)
            .map(move |version| (engine, version))
    };
    let mut shown: Vec<(ApiEngine, &str)> =
        ApiEngine::ALL.into_iter().flat_map(of_engine).collect();
    shown.retain(|(engine, version)| {
        let family = family_of(engine.name(), version);
        params
            .text("Engine")
            .is_none_or(|asked| asked == engine.name())
            && params
                .text("EngineVersion")
                .is_none_or(|asked| matches_version(version, asked))
            && params
                .text("DBParameterGroupFamily")
                .is_none_or(|asked| asked == family)
            && filters.pass(|name, value| match name {
                "db-parameter-group-family" => value == family,
                "engine" => value == engine.name(),
                "engine-mode" => value == "provisioned",
                "engine-version" => matches_version(version, value),
                _ => value == "available",
            })
    });
    if default_only {
        // Versions stand newest first: the first of each engine is its default.
        shown.dedup_by_key(|(engine, _)| *engine);
    }
    let key = |(engine, version): &(ApiEngine, &str)| {
        let numbers = version_key(version).into_iter();
        let numbers = numbers.map(|n| format!("{n:06}.")).collect::<String>();
        format!("{}/{numbers}", engine.name())
    };
    let page = page.cut(shown, key);
    Ok(page.into_result("DBEngineVersions", |(engine, version)| {
        let all: Vec<&str> = engines.versions(engine).collect();
        version_element(context, engine, version, &all)
    }))
}

fn version_element(
    context: &Context<'_>,
    engine: ApiEngine,
    version: &str,
    all: &[&str],
) -> Element {
    let name = engine.described();
    let newer = |other: &&&str| {
        major_of(other) == major_of(version) && version_key(other) > version_key(version)
    };
    let modes = engine.is_clusters().then_some("provisioned");
    let empty = ["ExportableLogTypes", "SupportedFeatureNames"];
    let no = [
        "SupportsLogExportsToCloudwatchLogs",
        "SupportsParallelQuery",
        "SupportsGlobalDatabases",
        "SupportsBabelfish",
        "SupportsLimitlessDatabase",
        "SupportsLocalWriteForwarding",
        "SupportsIntegrations",
    ];
    Element::new("DBEngineVersion")
        .field("Engine", engine.name())
        .field("MajorEngineVersion", major_of(version))
        .field("EngineVersion", version)
        .field("DBParameterGroupFamily", family_of(engine.name(), version))
        .field("DBEngineDescription", name)
        .field("DBEngineVersionDescription", format!("{name} {version}"))
        .with(Element::list(
            "ValidUpgradeTarget",
            all.iter().filter(newer),
            |target| {
                Element::new("UpgradeTarget")
                    .field("Engine", engine.name())
                    .field("EngineVersion", target)
                    .field("Description", format!("{name} {target}"))
                    .field("AutoUpgrade", false)
                    .field("IsMajorVersionUpgrade", false)
            },
        ))
        .with(Element::list("SupportedEngineModes", modes, |mode| {
            Element::text("member", mode)
        }))
        .with_all(empty.map(Element::new))
        .field("SupportsReadReplica", true)
        .with_all(no.map(|name| Element::text(name, false)))
        .field("SupportsCertificateRotationWithoutRestart", true)
        .with(Element::list(
            "SupportedCACertificateIdentifiers",
            [&context.region.ca_identifier],
            |ca| Element::text("member", ca),
        ))
        .field("Status", "available")
        .with(Element::new("TagList"))
}

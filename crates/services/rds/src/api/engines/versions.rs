//! `DescribeDBEngineVersions`.

use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::engines::found::{Engines, POSTGRES, matches_version};
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::catalogue::{family_of, major_of, version_key};

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
    let all: Vec<&str> = engines.versions().collect();
    let mut shown = all.clone();
    shown.retain(|version| {
        let family = family_of(POSTGRES, version);
        params
            .text("Engine")
            .is_none_or(|engine| engine == POSTGRES)
            && params
                .text("EngineVersion")
                .is_none_or(|asked| matches_version(version, asked))
            && params
                .text("DBParameterGroupFamily")
                .is_none_or(|asked| asked == family)
            && filters.pass(|name, value| match name {
                "db-parameter-group-family" => value == family,
                "engine" => value == POSTGRES,
                "engine-mode" => value == "provisioned",
                "engine-version" => matches_version(version, value),
                _ => value == "available",
            })
    });
    if default_only {
        shown.truncate(1);
    }
    let key = |version: &&str| {
        let numbers = version_key(version).into_iter();
        numbers.map(|n| format!("{n:06}.")).collect::<String>()
    };
    let page = page.cut(shown, key);
    Ok(page.into_result("DBEngineVersions", |version| {
        version_element(context, version, &all)
    }))
}

fn version_element(context: &Context<'_>, version: &str, all: &[&str]) -> Element {
    let newer = |other: &&&str| {
        major_of(other) == major_of(version) && version_key(other) > version_key(version)
    };
    let empty = [
        "SupportedEngineModes",
        "ExportableLogTypes",
        "SupportedFeatureNames",
    ];
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
        .field("Engine", POSTGRES)
        .field("MajorEngineVersion", major_of(version))
        .field("EngineVersion", version)
        .field("DBParameterGroupFamily", family_of(POSTGRES, version))
        .field("DBEngineDescription", "PostgreSQL")
        .field(
            "DBEngineVersionDescription",
            format!("PostgreSQL {version}"),
        )
        .with(Element::list(
            "ValidUpgradeTarget",
            all.iter().filter(newer),
            |target| {
                Element::new("UpgradeTarget")
                    .field("Engine", POSTGRES)
                    .field("EngineVersion", target)
                    .field("Description", format!("PostgreSQL {target}"))
                    .field("AutoUpgrade", false)
                    .field("IsMajorVersionUpgrade", false)
            },
        ))
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

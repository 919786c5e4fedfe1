//! Which crate may import which: layers point down, and each edge is named.
//!
//! The table is exact. An edge that a `Cargo.toml` has and the table lacks fails, so does an edge that the
//! table has and nothing uses, and so does an edge that points up, even when the table names it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::report::Report;
use super::tree::{Source, Tree};

/// Folders from the bottom to the top. A crate imports from its own layer and from those below.
const LAYERS: [&str; 6] = [
    "crates/foundation/",
    "crates/data/",
    "crates/services/",
    "crates/edge/",
    "crates/proof/",
    "crates/quorate/",
];

/// Each crate with the crates of this workspace that it may import.
const EDGES: &[(&str, &[&str])] = &[
    ("quorate-base", &[]),
    ("quorate-wire", &["quorate-base"]),
    ("quorate-region", &["quorate-base"]),
    ("quorate-consensus", &["quorate-base", "quorate-region"]),
    ("quorate-archive", &[]),
    ("quorate-engines", &["quorate-base"]),
    ("quorate-volume", &["quorate-base", "quorate-region"]),
    ("quorate-volume-fs", &["quorate-volume"]),
    ("quorate-dynamo-lang", &[]),
    ("quorate-dynamo-store", &["quorate-dynamo-lang"]),
    (
        "quorate-control",
        &["quorate-base", "quorate-region", "quorate-consensus"],
    ),
    (
        "quorate-rds",
        &[
            "quorate-base",
            "quorate-wire",
            "quorate-region",
            "quorate-control",
            "quorate-archive",
            "quorate-engines",
            "quorate-volume",
        ],
    ),
    (
        "quorate-dynamodb",
        &[
            "quorate-base",
            "quorate-wire",
            "quorate-region",
            "quorate-consensus",
            "quorate-control",
            "quorate-dynamo-lang",
            "quorate-dynamo-store",
        ],
    ),
    (
        "quorate-elasticache",
        &[
            "quorate-base",
            "quorate-wire",
            "quorate-region",
            "quorate-control",
            "quorate-engines",
            "quorate-archive",
        ],
    ),
    (
        "quorate-gateway",
        &["quorate-base", "quorate-wire", "quorate-control"],
    ),
    ("quorate-oracle", &[]),
    (
        "quorate-simulator",
        &[
            "quorate-base",
            "quorate-control",
            "quorate-rds",
            "quorate-oracle",
        ],
    ),
    (
        "quorate-replica-simulator",
        &[
            "quorate-base",
            "quorate-region",
            "quorate-consensus",
            "quorate-dynamo-lang",
            "quorate-dynamo-store",
            "quorate-dynamodb",
            "quorate-oracle",
        ],
    ),
    ("quorate-volume-simulator", &["quorate-volume"]),
    ("quorate-drills", &["quorate-base", "quorate-oracle"]),
    (
        "quorate",
        &[
            "quorate-base",
            "quorate-wire",
            "quorate-region",
            "quorate-consensus",
            "quorate-control",
            "quorate-archive",
            "quorate-engines",
            "quorate-volume",
            "quorate-volume-fs",
            "quorate-rds",
            "quorate-dynamodb",
            "quorate-elasticache",
            "quorate-gateway",
            "quorate-oracle",
            "quorate-drills",
        ],
    ),
    ("xtask", &[]),
];

/// One crate of the workspace, as its manifest tells.
struct Member {
    manifest: String,
    imports: BTreeSet<String>,
}

/// Compares every manifest with the table.
pub(crate) fn check(tree: &Tree, report: &mut Report) -> Result<()> {
    check_against(EDGES, tree, report)
}

fn check_against(edges: &[(&str, &[&str])], tree: &Tree, report: &mut Report) -> Result<()> {
    let members = members(tree)?;
    let allowed: BTreeMap<&str, &[&str]> = edges.iter().copied().collect();
    for (name, member) in &members {
        let Some(allowed) = allowed.get(name.as_str()) else {
            report.error(
                &member.manifest,
                format!("`{name}` is not in the table of edges"),
            );
            continue;
        };
        for import in member.imports.iter().filter(|i| members.contains_key(*i)) {
            if !allowed.contains(&import.as_str()) {
                report.error(
                    &member.manifest,
                    format!("`{name}` must not import `{import}`: the table of edges lacks it"),
                );
            }
            if layer(member) < layer(&members[import]) {
                report.error(
                    &member.manifest,
                    format!("`{name}` imports `{import}`, which is a layer above it"),
                );
            }
        }
        for unused in allowed
            .iter()
            .filter(|edge| !member.imports.contains(**edge))
        {
            report.error(
                &member.manifest,
                format!("the table lets `{name}` import `{unused}`, and it does not"),
            );
        }
    }
    for name in allowed.keys().filter(|name| !members.contains_key(**name)) {
        report.error(
            "xtask",
            format!("`{name}` is in the table of edges, not in the workspace"),
        );
    }
    Ok(())
}

/// The place of a crate in [`LAYERS`]; what stands outside (xtask) is above all.
fn layer(member: &Member) -> usize {
    LAYERS
        .iter()
        .position(|folder| member.manifest.starts_with(folder))
        .unwrap_or(LAYERS.len())
}

fn members(tree: &Tree) -> Result<BTreeMap<String, Member>> {
    let mut members = BTreeMap::new();
    for file in tree
        .files()
        .iter()
        .filter(|file| file.name() == "Cargo.toml")
    {
        if let Some((name, member)) = member(file)? {
            members.insert(name, member);
        }
    }
    Ok(members)
}

fn member(file: &Source) -> Result<Option<(String, Member)>> {
    let table: Table = file
        .text
        .parse()
        .with_context(|| format!("{} is not TOML", file.path))?;
    let Some(name) = table
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(Value::as_str)
    else {
        return Ok(None);
    };
    if table.contains_key("workspace") {
        // A package that is a workspace of its own is none of ours: it is built apart.
        return Ok(None);
    }
    let mut imports = BTreeSet::new();
    add_imports(&table, &mut imports);
    let targets = table.get("target").and_then(Value::as_table);
    for target in targets.into_iter().flat_map(Table::values) {
        target
            .as_table()
            .into_iter()
            .for_each(|table| add_imports(table, &mut imports));
    }
    let manifest = file.path.clone();
    Ok(Some((name.to_owned(), Member { manifest, imports })))
}

fn add_imports(table: &Table, imports: &mut BTreeSet<String>) {
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let names = table.get(section).and_then(Value::as_table);
        imports.extend(names.into_iter().flat_map(Table::keys).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: (&str, &str) = (
        "crates/foundation/base/Cargo.toml",
        "[package]\nname = \"base\"\n",
    );

    fn errors(edges: &[(&str, &[&str])], files: &[(&str, &str)]) -> Vec<String> {
        let mut report = Report::default();
        check_against(edges, &Tree::of(files), &mut report).unwrap();
        report.errors().iter().map(|e| e.message.clone()).collect()
    }

    #[test]
    fn edges_that_the_table_names_pass() {
        let engines = (
            "crates/data/engines/Cargo.toml",
            "[package]\nname = \"engines\"\n[dev-dependencies]\nbase.workspace = true\nserde = \"1\"\n",
        );
        assert!(errors(&[("base", &[]), ("engines", &["base"])], &[BASE, engines]).is_empty());
    }

    #[test]
    fn an_edge_that_the_table_lacks_fails() {
        let engines = (
            "crates/data/engines/Cargo.toml",
            "[package]\nname = \"engines\"\n[target.'cfg(unix)'.dependencies]\nbase.workspace = true\n",
        );
        assert_eq!(
            errors(&[("base", &[]), ("engines", &[])], &[BASE, engines]),
            ["`engines` must not import `base`: the table of edges lacks it"]
        );
    }

    #[test]
    fn an_edge_that_points_up_fails_even_when_named() {
        let region = (
            "crates/foundation/region/Cargo.toml",
            "[package]\nname = \"region\"\n[dependencies]\nrds.workspace = true\n",
        );
        let rds = (
            "crates/services/rds/Cargo.toml",
            "[package]\nname = \"rds\"\n",
        );
        assert_eq!(
            errors(&[("region", &["rds"]), ("rds", &[])], &[region, rds]),
            ["`region` imports `rds`, which is a layer above it"]
        );
    }

    #[test]
    fn a_package_with_a_workspace_of_its_own_is_no_member() {
        let apart = "[workspace]\n[package]\nname = \"apart\"\n[dependencies]\nbase = \"1\"\n";
        assert!(errors(&[], &[("tests/apart/Cargo.toml", apart)]).is_empty());
    }

    #[test]
    fn the_table_holds_nothing_that_is_not_there() {
        assert_eq!(
            errors(&[("base", &["gone"]), ("gone", &[])], &[BASE]),
            [
                "the table lets `base` import `gone`, and it does not",
                "`gone` is in the table of edges, not in the workspace"
            ]
        );
        assert_eq!(
            errors(&[], &[BASE]),
            ["`base` is not in the table of edges"]
        );
    }
}

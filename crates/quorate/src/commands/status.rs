//! `status`: tables of nodes and resources.

use serde::Serialize;

use quorate_dynamodb::survey::{PartitionSurvey, TableSurvey};
use quorate_region::Identity;

use crate::cli::ShowArgs;
use crate::gateway::GatewayRegion;
use crate::status::{
    ClusterStatus, NodeStatus, RegionStatus, ResourceStatus, SentinelStatus, region_status,
};
use crate::table::{print_json, print_table, say};

#[derive(Serialize)]
struct Shown {
    regions: Vec<RegionStatus>,
}

/// Shows the regions of a data folder.
pub(crate) async fn show_status(args: ShowArgs) -> anyhow::Result<()> {
    let layout = args.data.layout()?;
    layout.pick_region(args.region.clone())?;
    let mut regions = Vec::new();
    for region in layout.regions() {
        if args.region.as_ref().is_some_and(|wanted| *wanted != region) {
            continue;
        }
        let followed = GatewayRegion::follow(Identity::load(&layout.gateway_identity(&region))?)?;
        let surveyor = followed.surveyor();
        regions.push(region_status(&region, &followed.remote, Some(&surveyor)).await?);
    }
    if args.json {
        return print_json(&Shown { regions });
    }
    for region in &regions {
        show(region);
    }
    Ok(())
}

fn show(region: &RegionStatus) {
    say(&format!(
        "{}: catalog led by {} (term {})\n",
        region.region, region.leader, region.term
    ));
    let header = ["ZONE", "NODE", "ADDRESS", "STATE", "VOTES", "LAST HEARD"];
    print_table(header, region.nodes.iter().map(node_row).collect());
    if region.resources.is_empty() && region.clusters.is_empty() && region.tables.is_empty() {
        return say("\nno resources yet");
    }
    if !region.resources.is_empty() {
        say("");
        let header = [
            "RESOURCE", "STATUS", "ROLE", "ZONE", "NODE", "EPOCH", "IN SYNC", "ENGINE", "LAG",
            "ENDPOINT",
        ];
        print_table(header, region.resources.iter().map(resource_row).collect());
    }
    if !region.clusters.is_empty() {
        say("");
        let header = [
            "CLUSTER",
            "STATUS",
            "WRITER",
            "READERS",
            "EPOCH",
            "SERVES",
            "ENDPOINT",
            "READER ENDPOINT",
        ];
        print_table(header, region.clusters.iter().map(cluster_row).collect());
    }
    for (id, detail) in details(region) {
        say(&format!("\n{id}: {detail}"));
    }
    if !region.sentinels.is_empty() {
        say("");
        let header = ["ZONE", "SENTINEL", "WITH TLS", "WATCHES"];
        print_table(header, region.sentinels.iter().map(sentinel_row).collect());
    }
    if !region.tables.is_empty() {
        show_tables(&region.tables);
    }
}

fn show_tables(tables: &[TableSurvey]) {
    say("");
    let header = [
        "TABLE",
        "STATUS",
        "BILLING",
        "PARTITIONS",
        "ITEMS",
        "BYTES",
        "INDEX LAG",
    ];
    print_table(header, tables.iter().map(table_row).collect());
    say("");
    let header = [
        "TABLE",
        "PARTITION",
        "INDEX",
        "FROM",
        "STATE",
        "LEADER",
        "ITEMS",
        "READS/S",
        "WRITES/S",
        "ENTRIES BEHIND",
    ];
    let rows = tables.iter().flat_map(|table| {
        let partitions = table.partitions.iter();
        partitions.map(|partition| partition_row(&table.name, partition))
    });
    print_table(header, rows.collect());
}

fn table_row(table: &TableSurvey) -> [String; 7] {
    [
        table.name.clone(),
        String::from(table.status),
        String::from(table.billing),
        table.partitions.len().to_string(),
        table.items.to_string(),
        table.bytes.to_string(),
        table.outbox_entries.to_string(),
    ]
}

fn partition_row(table: &str, partition: &PartitionSurvey) -> [String; 10] {
    let followers = partition
        .replicas
        .iter()
        .filter(|replica| Some(&replica.node) != partition.leader.as_ref());
    let behind: Vec<String> = followers
        .map(|replica| {
            let lag = replica.lag_entries.map(|lag| lag.to_string());
            let lag = lag.unwrap_or_else(|| String::from("?"));
            let silent = if replica.answers { "" } else { " (silent)" };
            format!("{}: {lag}{silent}", replica.node)
        })
        .collect();
    let leader = partition.leader.as_ref().map(ToString::to_string);
    [
        table.to_owned(),
        partition.partition.clone(),
        partition.index.clone().unwrap_or_default(),
        partition.first.clone(),
        state_of(partition),
        leader.unwrap_or_else(|| String::from("none")),
        partition.items.to_string(),
        partition.reads_per_s.to_string(),
        partition.writes_per_s.to_string(),
        behind.join("\n"),
    ]
}

fn state_of(partition: &PartitionSurvey) -> String {
    let mut told = String::from(partition.state);
    if let Some(moving) = &partition.moving {
        told += &if moving.leaves == moving.joins {
            format!("\n{} is refilled", moving.joins)
        } else {
            format!("\n{} goes to {}", moving.leaves, moving.joins)
        };
    }
    if !partition.missing.is_empty() {
        let missing: Vec<String> = partition.missing.iter().map(ToString::to_string).collect();
        told += &format!("\ndegraded: {} is missing", missing.join(", "));
    }
    told
}

fn node_row(node: &NodeStatus) -> [String; 6] {
    [
        node.zone.to_string(),
        node.node.to_string(),
        node.address.to_string(),
        String::from(if node.alive { "alive" } else { "lost" }),
        String::from(if node.voter { "yes" } else { "no" }),
        node.silent_ms
            .map_or_else(|| String::from("never"), |ms| format!("{ms} ms ago")),
    ]
}

fn or_none(place: Option<&impl ToString>) -> String {
    place.map_or_else(|| String::from("-"), ToString::to_string)
}

fn cluster_row(cluster: &ClusterStatus) -> [String; 8] {
    [
        cluster.id.clone(),
        cluster.status.clone(),
        or_none(cluster.writer.as_ref()),
        or_none(
            Some(cluster.readers.join(", "))
                .filter(|all| !all.is_empty())
                .as_ref(),
        ),
        cluster.epoch.to_string(),
        String::from(if cluster.serving { "yes" } else { "no" }),
        format!(":{}", cluster.writer_port),
        format!(":{}", cluster.reader_port),
    ]
}

/// What clusters and their members say of themselves beyond the columns of tables.
fn details(region: &RegionStatus) -> impl Iterator<Item = (&str, &str)> {
    let clusters = region.clusters.iter();
    let clusters = clusters.filter_map(|c| Some((c.id.as_str(), c.detail.as_deref()?)));
    let members = region.resources.iter();
    let members = members.filter(|m| m.kind == "db-cluster-member");
    clusters.chain(members.filter_map(|m| Some((m.id.as_str(), m.detail.as_deref()?))))
}

fn sentinel_row(sentinel: &SentinelStatus) -> [String; 4] {
    let caches: Vec<String> = sentinel
        .caches
        .iter()
        .map(|(cache, seen)| {
            let down = if seen.down {
                ", holds its primary for gone"
            } else {
                ""
            };
            format!(
                "{cache}: knows {} replicas, {} other Sentinels{down}",
                seen.replicas, seen.others
            )
        })
        .collect();
    [
        sentinel.zone.to_string(),
        or_none(sentinel.address.as_ref()),
        or_none(sentinel.tls_address.as_ref()),
        caches.join("\n"),
    ]
}

fn resource_row(resource: &ResourceStatus) -> [String; 10] {
    let lag = match (resource.lag_bytes, resource.lag_ms) {
        (Some(bytes), Some(ms)) => format!("{bytes} B, {}.{:03} s", ms / 1_000, ms % 1_000),
        (Some(bytes), None) => format!("{bytes} B"),
        (None, Some(ms)) => format!("{}.{:03} s", ms / 1_000, ms % 1_000),
        (None, None) => String::from("-"),
    };
    [
        resource.id.clone(),
        resource.status.clone(),
        String::from(resource.role),
        or_none(resource.zone.as_ref()),
        or_none(resource.node.as_ref()),
        resource.epoch.to_string(),
        String::from(if resource.in_sync { "yes" } else { "no" }),
        resource.engine.clone().unwrap_or_else(|| String::from("?")),
        lag,
        format!(":{}", resource.endpoint_port),
    ]
}

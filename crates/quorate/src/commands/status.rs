//! `status`: tables of nodes and resources.

use serde::Serialize;

use quorate_region::Identity;

use crate::cli::ShowArgs;
use crate::gateway::GatewayRegion;
use crate::status::{NodeStatus, RegionStatus, ResourceStatus, region_status};
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
        regions.push(region_status(&region, &followed.remote).await?);
    }
    if args.json {
        return print_json(&Shown { regions });
    }
    for region in regions {
        show(region);
    }
    Ok(())
}

fn show(region: RegionStatus) {
    say(&format!(
        "{}: catalog led by {} (term {})\n",
        region.region, region.leader, region.term
    ));
    let header = ["ZONE", "NODE", "ADDRESS", "STATE", "VOTES", "LAST HEARD"];
    print_table(header, region.nodes.iter().map(node_row).collect());
    if region.resources.is_empty() {
        return say("\nno resources yet");
    }
    say("");
    let header = [
        "RESOURCE", "STATUS", "ROLE", "ZONE", "NODE", "EPOCH", "IN SYNC", "ENGINE", "LAG",
        "ENDPOINT",
    ];
    print_table(header, region.resources.iter().map(resource_row).collect());
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

fn resource_row(resource: &ResourceStatus) -> [String; 10] {
    let lag = match (resource.lag_bytes, resource.lag_ms) {
        (Some(bytes), Some(ms)) => format!("{bytes} B, {}.{:03} s", ms / 1_000, ms % 1_000),
        (Some(bytes), None) => format!("{bytes} B"),
        _ => String::from("-"),
    };
    [
        resource.id.clone(),
        resource.status.clone(),
        String::from(resource.role),
        resource.zone.to_string(),
        resource.node.to_string(),
        resource.epoch.to_string(),
        String::from(if resource.in_sync { "yes" } else { "no" }),
        resource.engine.clone().unwrap_or_else(|| String::from("?")),
        lag,
        format!(":{}", resource.endpoint_port),
    ]
}

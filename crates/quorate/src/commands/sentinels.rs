//! `sentinels`: what a client that speaks Sentinel's protocol has to know. Such a client needs no relay.

use std::net::SocketAddr;

use serde::Serialize;

use quorate_base::{RegionName, ZoneName};
use quorate_control::Stored;
use quorate_elasticache::agent::SENTINEL_CLIENT;
use quorate_elasticache::model::Sentinel;

use crate::cli::ShowArgs;
use crate::table::{print_json, print_table, say};

#[derive(Serialize)]
struct Shown {
    regions: Vec<RegionSentinels>,
}

#[derive(Serialize)]
struct RegionSentinels {
    region: RegionName,
    /// The account that may ask Sentinels, and nothing else.
    user: &'static str,
    /// None while there is no Sentinel.
    password: Option<String>,
    sentinels: Vec<SentinelRow>,
}

#[derive(Serialize)]
struct SentinelRow {
    node: String,
    zone: Option<ZoneName>,
    /// For caches without transit encryption.
    address: Option<SocketAddr>,
    /// For caches with it, by TLS.
    tls_address: Option<SocketAddr>,
}

/// Shows the Sentinels of the regions, with the password that clients log in with.
pub(crate) async fn show_sentinels(args: ShowArgs) -> anyhow::Result<()> {
    let mut regions = Vec::new();
    for region in args.follow_regions()? {
        let sentinels = region.remote.catalog().list::<Sentinel>().await?;
        regions.push(RegionSentinels {
            region: region.name().clone(),
            user: SENTINEL_CLIENT,
            password: sentinels.first().map(|s| s.record.client_password.clone()),
            sentinels: sentinels.into_iter().map(row).collect(),
        });
    }
    if args.json {
        return print_json(&Shown { regions });
    }
    for region in &regions {
        show(region);
    }
    Ok(())
}

fn row(stored: Stored<Sentinel>) -> SentinelRow {
    let node = stored.id.parse::<quorate_base::NodeId>().ok();
    SentinelRow {
        zone: node.map(|node| node.zone()),
        node: stored.id,
        address: stored.record.plain,
        tls_address: stored.record.tls,
    }
}

fn show(region: &RegionSentinels) {
    let Some(password) = &region.password else {
        let none =
            "no Sentinels: they run once a replication group with automatic failover is there";
        return say(&format!("{}: {none}", region.region));
    };
    say(&format!(
        "{}: user {}, password {password}; a group's name is its identifier\n",
        region.region, region.user
    ));
    let place = |address: Option<SocketAddr>| {
        address.map_or_else(|| String::from("-"), |address| address.to_string())
    };
    let rows = region.sentinels.iter().map(|sentinel| {
        [
            sentinel.node.clone(),
            place(sentinel.address),
            place(sentinel.tls_address),
        ]
    });
    print_table(["NODE", "SENTINEL", "WITH TLS"], rows.collect());
}

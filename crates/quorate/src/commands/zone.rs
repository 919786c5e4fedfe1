//! `zone`: what can be done to the zones of a running `up`.

use crate::cli::{ZoneArgs, ZoneCommand};
use crate::table::{print_json, print_table};
use crate::up::{ZoneAction, ZoneRow, ask_control};

/// Lists zones, or does something to one.
pub(crate) async fn zone(args: ZoneArgs) -> anyhow::Result<()> {
    let (data, json, action) = match args.command {
        ZoneCommand::List(list) => (list.data, list.json, ZoneAction::List),
        ZoneCommand::Kill(zone) => (zone.data, zone.json, ZoneAction::Kill(zone.zone)),
        ZoneCommand::Start(zone) => (zone.data, zone.json, ZoneAction::Start(zone.zone)),
        ZoneCommand::Pause(zone) => (zone.data, zone.json, ZoneAction::Pause(zone.zone)),
        ZoneCommand::Resume(zone) => (zone.data, zone.json, ZoneAction::Resume(zone.zone)),
    };
    let rows = ask_control(&data.layout()?, &action).await?;
    if json {
        return print_json(&rows);
    }
    print_table(
        ["ZONE", "NODE", "STATE", "PID", "ENGINES", "MOUNTS"],
        rows.iter().map(row).collect(),
    );
    Ok(())
}

fn row(row: &ZoneRow) -> [String; 6] {
    [
        row.zone.to_string(),
        row.node.to_string(),
        row.state.clone(),
        row.pid
            .map_or_else(|| String::from("-"), |pid| pid.to_string()),
        row.engines.len().to_string(),
        row.mounts.len().to_string(),
    ]
}

//! `region`: laying out a region over several hosts.

use anyhow::{Context, ensure};

use quorate_region::{Identity, RegionMap};

use crate::cli::{RegionArgs, RegionCommand};
use crate::region_setup::{create_region, load_ca, load_map, make_open_folder, parse_node};
use crate::table::say;

/// Makes a region's layout, or a join token.
pub(crate) fn region(args: RegionArgs) -> anyhow::Result<()> {
    match args.command {
        RegionCommand::Create {
            data,
            region,
            nodes,
        } => {
            let layout = data.layout()?;
            ensure!(
                !layout.region_map(&region).exists(),
                "{region} is there already in {}",
                layout.root().display()
            );
            let nodes = nodes
                .iter()
                .map(|n| parse_node(&region, n))
                .collect::<Result<_, _>>()?;
            let map = RegionMap {
                region: region.clone(),
                nodes,
            };
            make_open_folder(layout.root())?;
            create_region(&layout, &map)?;
            say(&format!(
                "{region} is laid out in {}. Make a token for each node with `quorate region token`.",
                layout.root().display()
            ));
        }
        RegionCommand::Token {
            data,
            region,
            node,
            gateway,
            out,
        } => {
            let layout = data.layout()?;
            let region = layout.pick_region(region)?;
            let (map, ca) = (load_map(&layout, &region)?, load_ca(&layout, &region)?);
            let identity = match (node, gateway) {
                (Some(node), _) => {
                    map.node(&node)
                        .with_context(|| format!("{region} was laid out without {node}"))?;
                    Identity::for_node(&ca, &map, &node)?
                }
                (None, gateway) => {
                    Identity::for_gateway(&ca, &map, gateway.as_deref().unwrap_or("gateway"))?
                }
            };
            identity.save(&out)?;
            say(&format!(
                "{} holds the token: it is a secret, hand it to that host alone",
                out.display()
            ));
        }
    }
    Ok(())
}

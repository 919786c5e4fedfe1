//! Which nodes did not answer lately, so that eventual reads ask the others first.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use quorate_base::NodeId;

use crate::routing::routes::Target;

/// How long a node that did not answer is asked last. Then one read tries it again.
const SILENT_FOR: Duration = Duration::from_secs(2);

/// The nodes that did not answer, and when.
#[derive(Debug, Default)]
pub(crate) struct Silent {
    since: Mutex<HashMap<NodeId, Instant>>,
}

impl Silent {
    /// Notes whether a node kept silent.
    pub(crate) fn note(&self, node: &NodeId, silent: bool) {
        let mut since = self.since.lock().expect("no holder panics");
        if silent {
            since.insert(node.clone(), Instant::now());
        } else if !since.is_empty() {
            since.remove(node);
        }
    }

    /// The replicas from `first` on in their turn, those on silent nodes last.
    pub(crate) fn last<'a>(&self, replicas: &'a [Target], first: usize) -> Vec<&'a Target> {
        let turn = replicas.iter().cycle().skip(first).take(replicas.len());
        let mut turn: Vec<&Target> = turn.collect();
        let since = self.since.lock().expect("no holder panics");
        if !since.is_empty() {
            let silent = |t: &&Target| {
                let since = since.get(&t.node);
                since.is_some_and(|since| since.elapsed() < SILENT_FOR)
            };
            turn.sort_by_key(silent);
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_node_is_asked_last_until_it_answers() {
        let target = |node: &str| Target {
            node: node.parse().unwrap(),
            address: ([127, 0, 0, 1], 1).into(),
        };
        let replicas = ["us-east-1a-1", "us-east-1b-1", "us-east-1c-1"].map(target);
        let silent = Silent::default();
        let order = |first| {
            let turn = silent.last(&replicas, first);
            turn.iter().map(|t| t.node.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(order(1), ["us-east-1b-1", "us-east-1c-1", "us-east-1a-1"]);
        silent.note(&replicas[1].node, true);
        assert_eq!(order(1), ["us-east-1c-1", "us-east-1a-1", "us-east-1b-1"]);
        silent.note(&replicas[1].node, false);
        assert_eq!(order(1), ["us-east-1b-1", "us-east-1c-1", "us-east-1a-1"]);
    }
}

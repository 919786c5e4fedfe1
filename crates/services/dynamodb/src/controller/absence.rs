//! How long nodes have been away, by the controller's own clock. Pure: time comes in.
//!
//! A controller that begins counts from its own beginning: what happened before it was there to see does not count.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use quorate_base::NodeId;
use quorate_control::Sessions;

use crate::controller::replacement::Presence;

/// Since when nodes have been away, in one term.
#[derive(Debug, Default)]
pub(crate) struct Absence {
    term: u64,
    since: HashMap<NodeId, Instant>,
}

impl Absence {
    /// Notes who is there; says of each registered node whether it is.
    pub(crate) fn note(
        &mut self,
        sessions: &Sessions,
        now: Instant,
        gone_after: Duration,
    ) -> Vec<(NodeId, Presence)> {
        if self.term != sessions.term {
            self.term = sessions.term;
            self.since.clear();
        }
        let mut seen = Vec::with_capacity(sessions.sessions.len());
        for session in &sessions.sessions {
            let presence = if session.alive {
                self.since.remove(&session.node);
                Presence::Here
            } else {
                let since = *self.since.entry(session.node.clone()).or_insert(now);
                if now.saturating_duration_since(since) >= gone_after {
                    Presence::Gone
                } else {
                    Presence::Away
                }
            };
            seen.push((session.node.clone(), presence));
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_control::Session;

    #[test]
    fn a_node_is_gone_after_its_time_in_one_term() {
        let node: NodeId = "us-east-1a-1".parse().unwrap();
        let sessions = |term, alive| Sessions {
            leader: node.clone(),
            term,
            sessions: vec![Session {
                node: node.clone(),
                alive,
                silent_ms: None,
                observed: Default::default(),
            }],
        };
        let (start, wait) = (Instant::now(), Duration::from_secs(10));
        let at = |s| start + Duration::from_secs(s);
        let mut absence = Absence::default();
        let mut presence = |term, alive, s| {
            let seen = absence.note(&sessions(term, alive), at(s), wait);
            seen[0].1
        };
        assert_eq!(presence(1, true, 0), Presence::Here);
        assert_eq!(presence(1, false, 1), Presence::Away);
        assert_eq!(presence(1, false, 10), Presence::Away);
        assert_eq!(presence(1, false, 11), Presence::Gone);
        assert_eq!(presence(1, true, 12), Presence::Here);
        assert_eq!(presence(1, false, 13), Presence::Away);
        assert_eq!(presence(2, false, 30), Presence::Away);
        assert_eq!(presence(2, false, 40), Presence::Gone);
    }
}

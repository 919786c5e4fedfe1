//! The timeline of a drill.

use quorate_base::UnixMillis;

use crate::region::{DrillEvent, InstanceState};
use crate::workload::Workload;

/// Collects lines, in milliseconds since the clients started.
pub(crate) struct Story<'a> {
    tell: &'a (dyn Fn(u64, &str) + Send + Sync),
    lines: Vec<(u64, String)>,
    last: Option<InstanceState>,
}

impl<'a> Story<'a> {
    pub(crate) fn new(tell: &'a (dyn Fn(u64, &str) + Send + Sync)) -> Story<'a> {
        Story {
            tell,
            lines: Vec::new(),
            last: None,
        }
    }

    pub(crate) fn note(&mut self, workload: &Workload, text: &str) {
        self.note_at(workload.now_us(), text);
    }

    pub(crate) fn note_at(&mut self, at_us: u64, text: &str) {
        (self.tell)(at_us / 1_000, text);
        self.lines.push((at_us / 1_000, text.to_owned()));
    }

    /// Notes what is different from the state noted before.
    pub(crate) fn note_state(&mut self, workload: &Workload, state: &InstanceState) {
        if self.last.as_ref() == Some(state) {
            return;
        }
        let zone = |zone: &Option<_>| {
            zone.as_ref()
                .map_or_else(|| String::from("none"), ToString::to_string)
        };
        let text = format!(
            "{}: primary {} at epoch {}{}, standby {}{}",
            state.status,
            zone(&state.primary_zone),
            state.epoch,
            if state.serving { "" } else { " (not serving)" },
            zone(&state.standby_zone),
            if state.in_sync { " in sync" } else { "" },
        );
        self.last = Some(state.clone());
        self.note(workload, &text);
    }

    /// Adds the region's events; `since` is the wall clock when the clients started.
    pub(crate) fn add_events(&mut self, since: UnixMillis, events: Vec<DrillEvent>) {
        let line = |event: DrillEvent| {
            (
                event.at.millis_since(since),
                format!("event: {}", event.message),
            )
        };
        self.lines.extend(events.into_iter().map(line));
    }

    /// All lines in the order of their times.
    pub(crate) fn lines(mut self) -> Vec<(u64, String)> {
        self.lines.sort_by_key(|(at, _)| *at);
        self.lines
    }
}

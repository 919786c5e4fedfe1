//! Whether all promises were kept.

use std::collections::BTreeMap;

use quorate_dynamo_lang::AttributeValue;
use quorate_dynamo_store::{HashRange, IndexRef, ScanPlan, Wanted};
use quorate_oracle::linearizability::check_linearizability;

use crate::catalog::Placement;
use crate::client::Fate;
use crate::observe::{Breach, Chain};
use crate::site::Site;
use crate::world::World;

impl World {
    /// Whether the judgement is made already.
    pub(crate) fn is_broken(&self) -> bool {
        !self.stage.scene().breaches.is_empty()
    }

    fn placements(&self) -> BTreeMap<u64, Placement> {
        let catalog = self.catalog.lock().expect("no holder panics");
        catalog.partitions.clone()
    }

    fn site(&self, node: usize) -> Option<&Site> {
        self.nodes[node].life.as_ref().map(|life| &*life.site)
    }

    fn progress(&self, number: u64, node: usize) -> Option<(u64, Chain)> {
        let site = self.site(node)?;
        let applied = site.replica(number)?.group().applied_index();
        Some((applied, site.items.chain(number)))
    }

    /// Whether nothing is under way any more and all replicas have the same.
    pub(crate) fn is_quiet(&self) -> bool {
        if !self.catalog.lock().expect("no holder panics").is_settled() {
            return false;
        }
        self.placements().iter().all(|(number, placement)| {
            let mut all = placement.voters.iter().map(|n| self.progress(*number, *n));
            let first = all.next().flatten();
            let led = placement.voters.iter().any(|node| {
                let replica = self.site(*node).and_then(|site| site.replica(*number));
                let leads = || replica.is_some_and(|replica| replica.group().leadership().own);
                self.nodes[*node]
                    .life
                    .as_ref()
                    .is_some_and(|life| life.clock.within(leads))
            });
            led && first.is_some() && all.all(|progress| progress == first)
        })
    }

    /// Why nothing goes on.
    pub(crate) fn state(&self) -> String {
        let mut text = format!("{} clients at work", self.outside.history().at_work);
        for (number, placement) in self.placements() {
            text += &format!("\npartition {number}: {placement:?}");
            for node in &placement.placed {
                let replica = self.site(*node).and_then(|site| site.replica(number));
                let told = self.nodes[*node].life.as_ref().zip(replica);
                let told = told.map(|(life, replica)| {
                    let group = replica.group();
                    let members: Vec<_> = group.members().iter().map(|m| m.id()).collect();
                    let leadership = life.clock.within(|| group.leadership());
                    (leadership, group.progress(), members)
                });
                text += &format!(
                    "\n  {node}: {told:?} {:?}",
                    self.progress(number, *node).map(|(_, chain)| chain.count)
                );
            }
        }
        text
    }

    /// Judges everything that was recorded.
    pub(crate) fn judge(&mut self) {
        let verdict = check_linearizability(&self.outside.history().operations);
        let mut breaches: Vec<Breach> = verdict
            .violations
            .into_iter()
            .map(|operation| Breach::NotLinearizable(Box::new(operation)))
            .collect();
        breaches.extend(verdict.undecided.into_iter().map(Breach::Undecided));
        if !self.is_broken() {
            breaches.extend(self.judge_counted());
            breaches.extend(self.judge_places());
            breaches.extend(self.judge_replicas());
        }
        let mut scene = self.stage.scene();
        for breach in breaches {
            scene.breach(breach);
        }
    }

    fn judge_counted(&self) -> Vec<Breach> {
        let history = self.outside.history();
        let mut breaches = Vec::new();
        for (key, fate) in &history.uniques {
            match (fate, history.found.get(key)) {
                (Fate::Done, Some(false) | None) => breaches.push(Breach::Lost(key.clone())),
                (Fate::NotDone, Some(true)) => breaches.push(Breach::Undead(key.clone())),
                _ => {}
            }
        }
        for (key, (added, unknown)) in &history.added {
            let shown = history.shown.get(key).copied().unwrap_or(0);
            let within = (*added, added + unknown);
            if shown < within.0 || shown > within.1 {
                let key = key.clone();
                breaches.push(Breach::Miscounted { key, shown, within });
            }
        }
        breaches
    }

    /// Each item is in one partition, and its range holds it.
    fn judge_places(&self) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let mut seen = BTreeMap::new();
        for (number, placement) in self.placements() {
            let node = placement.voters.iter().next().copied().unwrap_or(0);
            let Some(replica) = self.site(node).and_then(|site| site.replica(number)) else {
                continue;
            };
            let everything = ScanPlan {
                index: IndexRef::Table,
                range: HashRange::ALL,
                start: None,
                wanted: Wanted::default(),
            };
            let partition = replica.partition();
            let items = match partition.scan(&everything) {
                Ok(page) => page.items,
                Err(e) => {
                    breaches.push(Breach::Stuck(format!("partition {number}: {e}")));
                    continue;
                }
            };
            for item in items {
                let Some(AttributeValue::S(key)) = item.get("pk") else {
                    continue;
                };
                let inside = partition
                    .key(&item)
                    .is_ok_and(|key| placement.range.contains(key.position()));
                if !inside || seen.insert(key.to_string(), number).is_some() {
                    breaches.push(Breach::Misplaced(key.to_string()));
                }
            }
        }
        breaches
    }

    /// Replicas have the same bytes.
    fn judge_replicas(&self) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for (number, placement) in self.placements() {
            let mut first: Option<(usize, Vec<u8>)> = None;
            for node in &placement.voters {
                let Some(replica) = self.site(*node).and_then(|site| site.replica(number)) else {
                    continue;
                };
                let mut bytes = Vec::new();
                if let Err(e) = replica.partition().write_snapshot(&mut bytes) {
                    breaches.push(Breach::Stuck(format!("partition {number}: {e}")));
                }
                match &first {
                    None => first = Some((*node, bytes)),
                    Some((_, other)) if *other == bytes => {}
                    Some((other, others)) => {
                        let at = others.iter().zip(&bytes).position(|(a, b)| a != b);
                        self.stage.note(format!(
                            "partition {number}: {} and {} bytes, different from {at:?} on",
                            others.len(),
                            bytes.len()
                        ));
                        breaches.push(Breach::Unequal {
                            partition: number,
                            nodes: (*other, *node),
                        });
                    }
                }
            }
        }
        breaches
    }
}

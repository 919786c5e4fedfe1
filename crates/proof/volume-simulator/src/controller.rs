//! The controller: has somebody open the volume when nobody writes, and replaces copies.

use quorate_volume::protocol::GroupIndex;

use crate::message::Place;
use crate::world::World;

impl World {
    pub(crate) fn control(&mut self) {
        let changes = self.breaks && !self.stage.is_quiet;
        let stage = &mut self.stage;
        let is_led = self.hosts.iter().any(|host| host.is_last(stage));
        if !is_led || (changes && stage.chance.percent(4)) {
            let chosen = stage.chance.below(self.hosts.len());
            self.hosts[chosen].open(stage);
            let from = self.host_endpoint(chosen);
            self.flush(from);
        }
        let may_grow = changes && self.stage.groups < self.groups_max;
        if may_grow && self.stage.chance.percent(self.grow_percent) {
            self.stage.groups += 1;
            let group = self.stage.catalog.grow();
            self.stage.tell(|| format!("group {group} is added"));
            self.place_group(group);
        }
        for group in self.stage.group_indices() {
            if !self.stage.is_quiet && self.stage.chance.percent(50) {
                continue;
            }
            let sets = self.stage.catalog.groups.get(&group).map(|m| m.sets.len());
            let doubles = changes && self.stage.chance.percent(self.double_percent);
            match sets {
                Some(1) if doubles => self.double(group),
                Some(2) => self.settle(group),
                _ => {}
            }
        }
    }

    fn double(&mut self, group: GroupIndex) {
        let stage = &mut self.stage;
        let Some(membership) = stage.catalog.groups.get(&group) else {
            return;
        };
        let all: Vec<u32> = membership.copies().into_iter().collect();
        let is_lost = |copy: &u32| stage.lost.contains(&Place { group, copy: *copy });
        let lost: Vec<u32> = all.iter().copied().filter(is_lost).collect();
        let suspects = if lost.is_empty() { all } else { lost };
        let Some(suspect) = stage.chance.pick(&suspects) else {
            return;
        };
        let Some(copy) = stage.catalog.double(group, suspect) else {
            return;
        };
        stage.counts.doubled += 1;
        stage.tell(|| format!("group {group}: {copy} beside {suspect}"));
        let node = stage.chance.below(self.nodes.len());
        let place = Place { group, copy };
        stage.places.insert(place, node);
        self.nodes[node].place(place);
    }

    fn settle(&mut self, group: GroupIndex) {
        let stage = &mut self.stage;
        let Some(before) = stage.catalog.groups.get(&group).cloned() else {
            return;
        };
        let now = stage.now;
        let awake = self.hosts.iter().filter(|host| host.paused_until <= now);
        let mut kept = false;
        for host in awake {
            kept = kept || host.lets_go(group, stage);
        }
        if kept {
            stage.counts.replaced += 1;
        } else if stage.chance.percent(if stage.is_quiet { 20 } else { 6 })
            && stage.catalog.go_back(group)
        {
            stage.counts.taken_back += 1;
        } else {
            return;
        }
        let Some(after) = stage.catalog.groups.get(&group) else {
            return;
        };
        let (before, after) = (before.copies(), after.copies());
        stage.tell(|| format!("group {group}: {after:?}"));
        for copy in before.difference(&after) {
            let place = Place { group, copy: *copy };
            stage.damaged.remove(&place);
            // Some stay behind for a while, and go on as if nothing had happened.
            if stage.chance.percent(70)
                && let Some(node) = stage.places.remove(&place)
            {
                self.nodes[node].remove(place);
            }
        }
    }
}

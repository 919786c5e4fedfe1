//! What breaks, and how it becomes whole again.

use rand::Rng;

use crate::stage::Weather;
use crate::world::World;

impl World {
    /// Breaks something when it is time to, and mends what was broken long enough.
    pub(crate) fn faults(&mut self, now_us: u64) {
        self.mend_cuts(now_us);
        if self.weather_until_us <= now_us && self.weather_until_us > 0 {
            self.weather_until_us = 0;
            self.stage.scene().weather = Weather::USUAL;
        }
        if self.slow_until_us <= now_us && self.slow_until_us > 0 {
            self.slow_until_us = 0;
            for node in &self.nodes {
                node.disk.be_slow(false);
            }
        }
        if self.next_fault_us > now_us {
            return;
        }
        let soon = self.rng.random_range(0..3) == 0;
        let pause_us = if soon {
            self.rng.random_range(20_000..400_000)
        } else {
            self.rng.random_range(300_000..3_000_000)
        };
        self.next_fault_us = now_us + pause_us;
        self.break_something(now_us);
    }

    fn mend_cuts(&mut self, now_us: u64) {
        let mut scene = self.stage.scene();
        self.cuts.retain(|(until_us, from, to)| {
            let ended = *until_us <= now_us;
            if ended && let Some(times) = scene.cut.get_mut(&(*from, *to)) {
                *times -= 1;
                if *times == 0 {
                    scene.cut.remove(&(*from, *to));
                }
            }
            !ended
        });
    }

    fn break_something(&mut self, now_us: u64) {
        let node = self.rng.random_range(0..self.nodes.len());
        let short = self.rng.random_range(0..2) == 0;
        let lasts_us = if short {
            self.rng.random_range(30_000..900_000)
        } else {
            self.rng.random_range(900_000..4_000_000)
        };
        if self.rules.clocks_apart {
            return self.isolate(0, now_us + lasts_us);
        }
        match self.rng.random_range(0..16) {
            0..=3 => self.crash(node, lasts_us),
            4..=6 => self.pause(node, now_us, lasts_us),
            7 | 8 => {
                let other = (node + 1) % self.nodes.len();
                self.cut(node, other, now_us + lasts_us);
                if short {
                    self.cut(other, node, now_us + lasts_us);
                }
            }
            9 | 10 => self.isolate(node, now_us + lasts_us),
            11 => {
                self.stage.note("a storm on the network");
                self.stage.scene().weather = Weather::STORM;
                self.weather_until_us = now_us + lasts_us;
            }
            12 => {
                self.stage.note(format!("{node}: syncs are slow"));
                self.nodes[node].disk.be_slow(true);
                self.slow_until_us = now_us + lasts_us;
            }
            13 => {
                self.stage.note(format!("{node}: the next sync fails"));
                self.nodes[node].disk.fail();
            }
            14 => self.flush(node),
            _ => {
                self.stage.note("everything is killed");
                for node in 0..self.nodes.len() {
                    let down_us = self.rng.random_range(10_000..800_000);
                    self.crash(node, down_us);
                }
            }
        }
    }

    /// What a store has at this moment reaches its disk by itself.
    fn flush(&mut self, node: usize) {
        if let Some(life) = &self.nodes[node].life
            && let Err(e) = life.site.items.flush()
        {
            self.stage.note(format!("{node}: {e}"));
        }
    }

    fn pause(&mut self, node: usize, now_us: u64, lasts_us: u64) {
        let state = &mut self.nodes[node];
        if state.life.is_some() && state.paused.is_none() {
            state.paused = Some((now_us, now_us + lasts_us));
            self.stage
                .note(format!("{node}: is stopped for {} ms", lasts_us / 1_000));
        }
    }

    fn cut(&mut self, from: usize, to: usize, until_us: u64) {
        let mut scene = self.stage.scene();
        scene.note(format!("cut {from}>{to} until {until_us}"));
        *scene.cut.entry((from, to)).or_default() += 1;
        self.cuts.push((until_us, from, to));
    }

    fn isolate(&mut self, node: usize, until_us: u64) {
        let inward = self.rng.random_range(0..4) != 0;
        let outward = !inward || self.rng.random_range(0..4) != 0;
        for other in 0..self.nodes.len() {
            if other == node {
                continue;
            }
            if inward {
                self.cut(other, node, until_us);
            }
            if outward {
                self.cut(node, other, until_us);
            }
        }
    }

    /// Mends everything.
    pub(crate) fn calm(&mut self) {
        self.stage.note("all is mended");
        self.next_fault_us = u64::MAX;
        self.weather_until_us = 0;
        self.slow_until_us = 0;
        self.cuts.clear();
        {
            let mut scene = self.stage.scene();
            scene.cut.clear();
            scene.weather = Weather::CALM;
        }
        let now_us = self.now_us();
        for node in &mut self.nodes {
            node.disk.mend();
            node.starts_us = node.starts_us.min(now_us);
            if let Some((since_us, until_us)) = node.paused {
                node.paused = Some((since_us, until_us.min(now_us)));
            }
        }
    }
}

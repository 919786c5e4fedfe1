//! What everything in a world shares: the time, the story, the messages on their way, and broken promises.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quorate_base::NodeId;
use quorate_consensus::Voter;
use quorate_region::transport::CallError;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;

use crate::observe::Breach;

/// Where clients and the controller are, as a place in the network.
pub(crate) const OUTSIDE: usize = 99;
/// The method of questions from outside.
pub(crate) const ASK: &str = "simulated.ask";
/// Lines of the story that are kept.
const STORY_LINES_MAX: usize = 20_000;

pub(crate) type Called = Result<Vec<u8>, CallError>;
/// Who waits for an answer; taken by the first one that comes.
pub(crate) type Reply = Arc<Mutex<Option<oneshot::Sender<Called>>>>;

/// A message on its way.
#[derive(Clone)]
pub(crate) enum Message {
    Question {
        from: usize,
        to: usize,
        method: &'static str,
        bytes: Vec<u8>,
        reply: Reply,
    },
    Answer {
        from: usize,
        to: usize,
        answer: Called,
        reply: Reply,
    },
}

/// How bad the network is, in thousandths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) lost: u32,
    pub(crate) late: u32,
    pub(crate) twice: u32,
}

impl Weather {
    pub(crate) const CALM: Weather = Weather {
        lost: 0,
        late: 0,
        twice: 0,
    };
    pub(crate) const USUAL: Weather = Weather {
        lost: 10,
        late: 25,
        twice: 15,
    };
    pub(crate) const STORM: Weather = Weather {
        lost: 150,
        late: 250,
        twice: 100,
    };
}

/// The inside of a stage.
pub(crate) struct Scene {
    pub(crate) now_us: u64,
    pub(crate) weather: Weather,
    /// Links that carry nothing, from and to; how many faults each is cut by.
    pub(crate) cut: BTreeMap<(usize, usize), u32>,
    pub(crate) breaches: Vec<Breach>,
    pub(crate) story: Vec<String>,
    /// Nodes whose host has stopped by itself, and in which life.
    pub(crate) stopped: BTreeSet<(usize, u32)>,
    pub(crate) messages: u64,
    hash: u64,
    echo: bool,
    rng: ChaCha8Rng,
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    on_way: BTreeMap<u64, Message>,
}

impl Scene {
    fn digest(&mut self, line: &str) {
        // FNV-1a: only told apart, never attacked.
        for byte in line.as_bytes() {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    /// A number that stands for all that happened.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Tells something that happened.
    pub(crate) fn note(&mut self, line: impl Into<String>) {
        let line = format!("{:9.3} {}", self.now_us as f64 / 1e6, line.into());
        self.digest(&line);
        if self.echo {
            eprintln!("{line}");
        }
        if self.story.len() < STORY_LINES_MAX {
            self.story.push(line);
        }
    }

    /// Something too small to be told, which still has to be the same in each run.
    fn detail(&mut self, line: &str) {
        let line = format!("{} {line}", self.now_us);
        self.digest(&line);
        if self.echo {
            eprintln!("{line}");
        }
    }

    pub(crate) fn breach(&mut self, breach: Breach) {
        self.note(format!("BREACH {breach:?}"));
        self.breaches.push(breach);
    }

    fn unlucky(&mut self, of_thousand: u32) -> bool {
        of_thousand > 0 && self.rng.random_range(0..1_000) < of_thousand
    }

    fn post(&mut self, due_us: u64, message: Message) {
        self.order += 1;
        self.queue.push(Reverse((due_us, self.order)));
        self.on_way.insert(self.order, message);
    }

    fn delay_us(&mut self) -> u64 {
        let late = self.weather.late;
        let more = if self.unlucky(late) {
            self.rng.random_range(5_000..900_000)
        } else {
            0
        };
        self.rng.random_range(100..3_000) + more
    }

    /// Puts a message on its way, if it gets through.
    pub(crate) fn send(&mut self, message: Message) {
        let (from, to, what) = match &message {
            Message::Question {
                from,
                to,
                method,
                bytes,
                ..
            } => (*from, *to, format!("{method} {}", bytes.len())),
            Message::Answer {
                from, to, answer, ..
            } => (*from, *to, format!("answer {}", said(answer))),
        };
        self.messages += 1;
        let lost = self.weather.lost;
        let gone = self.cut.contains_key(&(from, to)) || self.unlucky(lost);
        self.detail(&format!("{from}>{to} {what} {gone}"));
        if gone {
            return self.refuse_some(message);
        }
        let due_us = self.now_us + self.delay_us();
        // A client's request is not repeated by the network: it is one stream of HTTP.
        let repeats = matches!(&message, Message::Question { method, .. } if *method != ASK);
        let twice = self.weather.twice;
        if repeats && self.unlucky(twice) {
            let again_us = due_us + self.rng.random_range(100..400_000);
            self.post(again_us, message.clone());
        }
        self.post(due_us, message);
    }

    /// Of some questions that do not arrive, whoever asked is told so.
    pub(crate) fn refuse_some(&mut self, message: Message) {
        let told = self.rng.random_range(0..4) == 0;
        if let Message::Question {
            from, to, reply, ..
        } = message
            && told
        {
            let answer = Err(CallError::Unreachable {
                node: node_id(to),
                why: String::from("no connection"),
            });
            let due_us = self.now_us + 1_000;
            let (from, to) = (to, from);
            self.post(
                due_us,
                Message::Answer {
                    from,
                    to,
                    answer,
                    reply,
                },
            );
        }
    }

    /// The next message that is due.
    pub(crate) fn due(&mut self) -> Option<Message> {
        let Reverse((due_us, order)) = *self.queue.peek()?;
        if due_us > self.now_us {
            return None;
        }
        self.queue.pop();
        self.on_way.remove(&order)
    }
}

fn said(answer: &Called) -> String {
    match answer {
        Ok(bytes) => bytes.len().to_string(),
        Err(e) => e.to_string(),
    }
}

/// The name of a node.
pub(crate) fn node_id(index: usize) -> NodeId {
    let region: quorate_base::RegionName = "us-east-1".parse().expect("a region's name");
    let letter = ('a'..='z').nth(index).unwrap_or('z');
    region.zone(letter).node(1)
}

/// A node as a voter.
pub(crate) fn voter(index: usize) -> Voter {
    let port = 7_000 + u16::try_from(index).expect("few nodes");
    Voter {
        node: node_id(index),
        address: ([127, 0, 0, 1], port).into(),
    }
}

/// The shared part of a world. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stage {
    scene: Arc<Mutex<Scene>>,
}

impl Stage {
    pub(crate) fn new(seed: u64) -> Stage {
        Stage {
            scene: Arc::new(Mutex::new(Scene {
                now_us: 0,
                weather: Weather::USUAL,
                cut: BTreeMap::new(),
                breaches: Vec::new(),
                story: Vec::new(),
                stopped: BTreeSet::new(),
                messages: 0,
                hash: 0xCBF2_9CE4_8422_2325,
                echo: std::env::var_os("TRACE").is_some(),
                rng: ChaCha8Rng::seed_from_u64(seed ^ 0x4E45_5457),
                order: 0,
                queue: BinaryHeap::new(),
                on_way: BTreeMap::new(),
            })),
        }
    }

    pub(crate) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().expect("no holder panics")
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.scene().now_us
    }

    pub(crate) fn note(&self, line: impl Into<String>) {
        self.scene().note(line);
    }

    /// Asks over the network; the answer may never come.
    pub(crate) fn ask(
        &self,
        from: usize,
        to: usize,
        method: &'static str,
        bytes: Vec<u8>,
    ) -> oneshot::Receiver<Called> {
        let (answer, waiting) = oneshot::channel();
        self.scene().send(Message::Question {
            from,
            to,
            method,
            bytes,
            reply: Arc::new(Mutex::new(Some(answer))),
        });
        waiting
    }

    /// Asks from outside, and waits a bounded time.
    pub(crate) async fn ask_from_outside(
        &self,
        to: usize,
        bytes: Vec<u8>,
        timeout: Duration,
    ) -> Called {
        let waiting = self.ask(OUTSIDE, to, ASK, bytes);
        match tokio::time::timeout(timeout, waiting).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(CallError::NoAnswer {
                node: node_id(to),
                why: String::from("no answer in time"),
            }),
        }
    }
}

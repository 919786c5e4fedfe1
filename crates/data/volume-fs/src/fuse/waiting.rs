//! Requests that wait for the volume must not take all threads that answer the kernel: the rest of a `write()` that began would come too
//! late, and a page be torn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs what may wait: on the calling thread while that leaves others free, else on one of its own. There are never more than the kernel has
/// requests under way.
#[derive(Clone)]
pub(super) struct Waiting {
    under_way: Arc<AtomicUsize>,
    /// How many may wait on the threads that answer the kernel.
    inline_max: usize,
}

impl Waiting {
    pub(super) fn new(threads: usize) -> Waiting {
        Waiting {
            under_way: Arc::default(),
            inline_max: threads / 2,
        }
    }

    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) {
        let leaves_others = self.under_way.fetch_add(1, Ordering::Relaxed) < self.inline_max;
        let under_way = self.under_way.clone();
        let work = move || {
            work();
            under_way.fetch_sub(1, Ordering::Relaxed);
        };
        if leaves_others {
            work();
        } else {
            std::thread::spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn waiting_work_leaves_half_of_the_threads_free() {
        let waiting = Waiting::new(2);
        let (tell, told) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let inner = waiting.clone();
        let outer = std::thread::spawn(move || {
            waiting.run(move || released.recv().unwrap());
        });
        while inner.under_way.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        let here = std::thread::current().id();
        inner.run(move || tell.send(std::thread::current().id()).unwrap());
        assert_ne!(told.recv().unwrap(), here);
        release.send(()).unwrap();
        outer.join().unwrap();
    }
}

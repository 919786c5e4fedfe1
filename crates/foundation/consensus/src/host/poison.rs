//! What stops a host for good: storage that failed.

use std::io;

use tokio::sync::watch;

/// Set once, never taken back.
pub(crate) struct Poison {
    why: watch::Sender<Option<String>>,
}

impl Default for Poison {
    fn default() -> Poison {
        Poison {
            why: watch::Sender::new(None),
        }
    }
}

impl Poison {
    pub(crate) fn set(&self, why: &str) {
        let first = self.why.send_if_modified(|seen| {
            let first = seen.is_none();
            seen.get_or_insert_with(|| why.to_owned());
            first
        });
        if first {
            tracing::error!(why, "the host of groups stops");
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.why.borrow().is_some()
    }

    pub(crate) fn check(&self) -> io::Result<()> {
        match &*self.why.borrow() {
            None => Ok(()),
            Some(why) => Err(io::Error::other(format!("the host has stopped: {why}"))),
        }
    }

    /// Waits until it is set; returns why.
    pub(crate) async fn wait(&self) -> String {
        let mut seen = self.why.subscribe();
        match seen.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

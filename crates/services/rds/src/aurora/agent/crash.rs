//! Crashes that users order by SQL and that the engine cannot bring about itself: of its mount, or of both at once.

use std::path::Path;
use std::time::Duration;

use crate::aurora::agent::member::Member;

/// The file in which the engine leaves the order: `dispatcher` or `node`.
const ORDER: &str = "quorate.crash";
/// How long an order may take to be on the volume as carried out. Else the next writer would find it again.
const TAKE_WITHIN: Duration = Duration::from_secs(5);

impl Member {
    /// Carries out an order that was left; whether there was one.
    pub(super) async fn crash_on_order(&mut self) -> bool {
        let data = self.paths.data();
        let taking = tokio::task::spawn_blocking(move || take(&data));
        let order = match tokio::time::timeout(TAKE_WITHIN, taking).await {
            Ok(taken) => taken.expect("taking an order does not panic"),
            Err(_) => return false,
        };
        let order = match order {
            Ok(order) => order,
            Err(e) => {
                tracing::warn!(resource = %self.resource_id, error = %e, "a crash that was ordered cannot be brought about");
                return false;
            }
        };
        let Some(order) = order else {
            return false;
        };
        tracing::info!(resource = %self.resource_id, order, "a crash is brought about on order");
        if let Some(mount) = &mut self.mount {
            mount.process.crash();
        }
        if order == "node"
            && let Some(engine) = &self.engine
        {
            engine.server.kill().await;
        }
        true
    }
}

/// The order, after it was removed for good.
fn take(data: &Path) -> std::io::Result<Option<String>> {
    let file = data.join(ORDER);
    let order = match std::fs::read_to_string(&file) {
        Ok(order) => order,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    std::fs::remove_file(&file)?;
    std::fs::File::open(data)?.sync_all()?;
    Ok(Some(order.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take(folder.path()).unwrap(), None);
        std::fs::write(folder.path().join(ORDER), "dispatcher\n").unwrap();
        let order = take(folder.path()).unwrap();
        assert_eq!(order.as_deref(), Some("dispatcher"));
        assert_eq!(take(folder.path()).unwrap(), None);
    }
}

//! Asks segments which pages a group has.

use std::time::Duration;

use tokio::time::Instant;

use crate::calls::{LIST, ListFrom, ListedPages, PagesListed};
use crate::pages::PagesError;
use crate::protocol::{GroupIndex, PageId};
use crate::reading::{ReadPoint, Reading};

/// Longest wait for one segment's answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before all segments are tried once more.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// How long it is tried.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

impl Reading {
    /// The next pages of a group from `from` on that may be something else than zeros.
    pub(crate) async fn list(
        &self,
        group: GroupIndex,
        from: PageId,
        point: ReadPoint,
    ) -> Result<ListedPages, PagesError> {
        let begun = Instant::now();
        let mut why = String::from("no segment says which pages there are");
        while begun.elapsed() < GIVE_UP_AFTER {
            for (segment, place) in self.in_order(group, &|_| true) {
                let copy = segment.copy;
                let question = ListFrom {
                    segment,
                    from,
                    at: point.at,
                    need: point.need,
                };
                let call =
                    self.caller
                        .call(&place.node, place.address, LIST, &question, CALL_TIMEOUT);
                why = match call.await {
                    Ok(PagesListed::Ok(listed)) => return Ok(listed),
                    Ok(PagesListed::Err(e)) => format!("segment {}: {e}", question.segment),
                    Err(e) => e.to_string(),
                };
                self.avoid(group, copy);
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
        Err(PagesError::Unavailable(why))
    }
}

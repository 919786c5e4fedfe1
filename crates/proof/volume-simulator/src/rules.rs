//! Rules that a world may break on purpose, to show that the checks see it.

/// Which rule is broken; none by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// A writer acknowledges what three copies have.
    pub acknowledges_at_three: bool,
    /// Answers leave a node before its disk has synced.
    pub answers_before_sync: bool,
    /// A writer takes its history for adopted, and the copies for filled, before they say so.
    pub writes_before_adoption: bool,
    /// A node's store keeps records that became void.
    pub keeps_void_records: bool,
    /// A node's store does not write promises and histories down.
    pub forgets_state: bool,
    /// Pages are written without what was told to be complete.
    pub pages_without_state: bool,
    /// A replaced copy goes before the other one is filled.
    pub settles_unfilled: bool,
    /// A page is read as of the volume's LSN instead of its group's last record.
    pub reads_above_tail: bool,
    /// A writer that is not the last one any more uses groups that were added since.
    pub uses_groups_of_others: bool,
    /// A view is made of answers that were given while a writer went on, without asking again.
    pub looks_once: bool,
    /// A node shows a view what a recovery has cut off.
    pub shows_overruled: bool,
    /// Two copies of a group may lose synced records at the same time: more than the quorums bear.
    pub damages_two: bool,
}

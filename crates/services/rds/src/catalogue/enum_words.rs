//! The words of PostgreSQL's enum parameters, for engines that do not tell them (`--describe-config` does not).
//!
//! From chapter 20 of PostgreSQL's manual, versions 13 to 18 taken together.

const LEVELS: &[&str] = &[
    "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
];
const LEVELS_ALL: &[&str] = &[
    "debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice", "warning", "error", "log",
    "fatal", "panic",
];

const WORDS: [(&str, &[&str]); 31] = [
    ("backslash_quote", &["safe_encoding", "on", "off"]),
    ("bytea_output", &["escape", "hex"]),
    ("client_min_messages", LEVELS),
    ("compute_query_id", &["auto", "regress", "on", "off"]),
    ("constraint_exclusion", &["partition", "on", "off"]),
    ("debug_io_direct", &["data", "wal", "wal_init"]),
    (
        "debug_logical_replication_streaming",
        &["buffered", "immediate"],
    ),
    ("debug_parallel_query", &["off", "on", "regress"]),
    (
        "default_transaction_isolation",
        &[
            "serializable",
            "repeatable read",
            "read committed",
            "read uncommitted",
        ],
    ),
    ("default_toast_compression", &["pglz", "lz4"]),
    ("file_copy_method", &["copy", "clone"]),
    ("force_parallel_mode", &["off", "on", "regress"]),
    ("huge_pages", &["off", "on", "try"]),
    (
        "intervalstyle",
        &["postgres", "postgres_verbose", "sql_standard", "iso_8601"],
    ),
    ("io_method", &["sync", "worker", "io_uring"]),
    ("log_error_verbosity", &["terse", "default", "verbose"]),
    ("log_min_error_statement", LEVELS_ALL),
    ("log_min_messages", LEVELS_ALL),
    ("log_statement", &["none", "ddl", "mod", "all"]),
    (
        "plan_cache_mode",
        &["auto", "force_generic_plan", "force_custom_plan"],
    ),
    (
        "plpgsql.variable_conflict",
        &["error", "use_variable", "use_column"],
    ),
    ("recovery_prefetch", &["off", "on", "try"]),
    ("session_replication_role", &["origin", "replica", "local"]),
    ("stats_fetch_consistency", &["none", "cache", "snapshot"]),
    (
        "synchronous_commit",
        &["local", "remote_write", "remote_apply", "on", "off"],
    ),
    ("track_functions", &["none", "pl", "all"]),
    ("trace_recovery_messages", LEVELS_ALL),
    ("wal_compression", &["pglz", "lz4", "zstd", "on", "off"]),
    ("xmlbinary", &["base64", "hex"]),
    ("xmloption", &["content", "document"]),
    (
        "restrict_nonsystem_relation_kind",
        &["", "view", "foreign-table"],
    ),
];

/// The words that an enum parameter takes; none when the parameter is not known here.
#[must_use]
pub fn enum_words(name: &str) -> Option<&'static [&'static str]> {
    WORDS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enums_are_found_whatever_their_case() {
        assert!(enum_words("IntervalStyle").unwrap().contains(&"iso_8601"));
        assert_eq!(enum_words("work_mem"), None);
    }
}

//! The parameters that Quorate sets itself: users see them with `IsModifiable` false.
//!
//! Replication, addresses, files and what durability hangs on: a user's value would take the promises of
//! the instance away, or keep its engine from being reached.

/// Names, or beginnings of names that end in `*`.
const OWNED: [&str; 65] = [
    // Where the engine listens and how it is found.
    "listen_addresses",
    "port",
    "unix_socket_*",
    "bonjour*",
    "cluster_name",
    "external_pid_file",
    "event_source",
    // Files and folders.
    "data_directory",
    "hba_file",
    "ident_file",
    "config_file",
    "stats_temp_directory",
    "allow_alter_system",
    "dynamic_library_path",
    "extension_control_path",
    "extension_destdir",
    "superuser_reserved_connections",
    "jit_provider",
    "dynamic_shared_memory_type",
    "shared_memory_type",
    // Replication and recovery.
    // A group that sets it to `local` or `off` would take the promise of Multi-AZ away from every session.
    "synchronous_commit",
    "synchronous_standby_names",
    "synchronized_standby_slots",
    "standby_slot_names",
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    "hot_standby",
    "wal_level",
    "wal_log_hints",
    "wal_receiver_create_temp_slot",
    "max_wal_senders",
    "max_replication_slots",
    "max_slot_wal_keep_size",
    "idle_replication_slot_timeout",
    "sync_replication_slots",
    "wal_keep_size",
    "archive_*",
    "restore_command",
    "recovery_*",
    // Durability.
    "fsync",
    "full_page_writes",
    "wal_sync_method",
    "data_sync_retry",
    "data_checksums",
    "zero_damaged_pages",
    "ignore_system_indexes",
    "ignore_checksum_failure",
    "ignore_invalid_pages",
    "restart_after_crash",
    "remove_temp_files_after_crash",
    "allow_in_place_tablespaces",
    "allow_system_table_mods",
    // Passwords and TLS.
    "password_encryption",
    "scram_iterations",
    "ssl*",
    "krb_*",
    "db_user_namespace",
    "gss_accept_delegation",
    // The log, which nodes collect from the engine's standard error.
    "logging_collector",
    "log_destination",
    "log_directory",
    "log_file*",
    "log_truncate_on_rotation",
    "syslog_*",
];

/// Whether Quorate sets this parameter itself.
#[must_use]
pub fn is_owned(name: &str) -> bool {
    OWNED.iter().any(|owned| match owned.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *owned,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replication_hangs_on_is_owned() {
        for name in [
            "synchronous_standby_names",
            "synchronous_commit",
            "recovery_target_lsn",
            "archive_command",
            "ssl_min_protocol_version",
            "fsync",
            "log_filename",
        ] {
            assert!(is_owned(name), "{name}");
        }
    }

    #[test]
    fn what_users_tune_is_theirs() {
        for name in ["work_mem", "log_statement", "max_connections", "portal"] {
            assert!(!is_owned(name), "{name}");
        }
    }
}

//! The parameters that users may set, in MySQL 8's names.

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// `0`, `1`, `OFF` or `ON`.
    Bool,
    /// A whole number of this range.
    Integer(u64, u64),
    /// A number of this range, with decimals.
    Real(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, with commas between them.
    Words(&'static [&'static str]),
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MariadbParameter {
    /// As in `max_connections`.
    pub name: &'static str,
    /// Whether a running server takes a change in.
    pub dynamic: bool,
    /// What it takes.
    pub kind: ParameterKind,
    /// What it does, in a sentence.
    pub description: &'static str,
}

const U32_MAX: u64 = 4_294_967_295;
const CHARACTER_SETS: &[&str] = &[
    "ascii", "big5", "binary", "cp1251", "cp932", "euckr", "gb2312", "gbk", "latin1", "latin2",
    "sjis", "ucs2", "ujis", "utf16", "utf32", "utf8", "utf8mb3", "utf8mb4",
];
const COLLATIONS: &[&str] = &[
    "ascii_bin",
    "ascii_general_ci",
    "binary",
    "latin1_bin",
    "latin1_general_ci",
    "latin1_general_cs",
    "latin1_swedish_ci",
    "utf8mb3_bin",
    "utf8mb3_general_ci",
    "utf8mb3_unicode_ci",
    "utf8mb4_bin",
    "utf8mb4_general_ci",
    "utf8mb4_unicode_520_ci",
    "utf8mb4_unicode_ci",
];
const SQL_MODES: &[&str] = &[
    "ALLOW_INVALID_DATES",
    "ANSI",
    "ANSI_QUOTES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "HIGH_NOT_PRECEDENCE",
    "IGNORE_SPACE",
    "NO_AUTO_CREATE_USER",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "NO_DIR_IN_CREATE",
    "NO_ENGINE_SUBSTITUTION",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",
    "ONLY_FULL_GROUP_BY",
    "PAD_CHAR_TO_FULL_LENGTH",
    "PIPES_AS_CONCAT",
    "REAL_AS_FLOAT",
    "STRICT_ALL_TABLES",
    "STRICT_TRANS_TABLES",
    "TIME_ROUND_FRACTIONAL",
    "TRADITIONAL",
];
const ISOLATION: &[&str] = &[
    "READ-UNCOMMITTED",
    "READ-COMMITTED",
    "REPEATABLE-READ",
    "SERIALIZABLE",
];
/// Offsets alone: names of zones need tables that MariaDB does not fill by itself.
const TIME_ZONES: &[&str] = &[
    "UTC", "SYSTEM", "-12:00", "-11:00", "-10:00", "-09:00", "-08:00", "-07:00", "-06:00",
    "-05:00", "-04:00", "-03:00", "-02:00", "-01:00", "+00:00", "+01:00", "+02:00", "+03:00",
    "+03:30", "+04:00", "+05:00", "+05:30", "+06:00", "+07:00", "+08:00", "+09:00", "+09:30",
    "+10:00", "+11:00", "+12:00", "+13:00",
];

const fn parameter(
    name: &'static str,
    dynamic: bool,
    kind: ParameterKind,
    description: &'static str,
) -> MariadbParameter {
    MariadbParameter {
        name,
        dynamic,
        kind,
        description,
    }
}

use ParameterKind::{Bool, Integer, Real, Word, Words};

const PARAMETERS: [MariadbParameter; 34] = [
    parameter(
        "character_set_server",
        true,
        Word(CHARACTER_SETS),
        "The server's default character set.",
    ),
    parameter(
        "collation_server",
        true,
        Word(COLLATIONS),
        "The server's default collation.",
    ),
    parameter(
        "connect_timeout",
        true,
        Integer(2, 31_536_000),
        "Seconds to wait for a connect packet.",
    ),
    parameter(
        "general_log",
        true,
        Bool,
        "Whether all statements are logged.",
    ),
    parameter(
        "group_concat_max_len",
        true,
        Integer(4, U32_MAX),
        "The longest result of GROUP_CONCAT(), in bytes.",
    ),
    parameter(
        "innodb_buffer_pool_size",
        false,
        Integer(5_242_880, u64::MAX >> 1),
        "Bytes of memory for InnoDB's pages.",
    ),
    parameter(
        "innodb_lock_wait_timeout",
        true,
        Integer(1, 1_073_741_824),
        "Seconds that a transaction waits for a row lock.",
    ),
    parameter(
        "innodb_print_all_deadlocks",
        true,
        Bool,
        "Whether all deadlocks are logged.",
    ),
    parameter(
        "innodb_strict_mode",
        true,
        Bool,
        "Whether InnoDB gives errors for conditions that are warnings otherwise.",
    ),
    parameter(
        "interactive_timeout",
        true,
        Integer(1, 31_536_000),
        "Seconds that an interactive connection may be idle.",
    ),
    parameter(
        "join_buffer_size",
        true,
        Integer(128, U32_MAX),
        "Bytes for joins without an index.",
    ),
    parameter(
        "local_infile",
        true,
        Bool,
        "Whether LOAD DATA LOCAL is taken.",
    ),
    parameter(
        "lock_wait_timeout",
        true,
        Integer(1, 31_536_000),
        "Seconds that a statement waits for a metadata lock.",
    ),
    parameter(
        "log_bin_trust_function_creators",
        true,
        Bool,
        "Whether functions are not checked for what the binary log needs.",
    ),
    parameter(
        "log_queries_not_using_indexes",
        true,
        Bool,
        "Whether queries without an index are slow queries.",
    ),
    parameter(
        "long_query_time",
        true,
        Real(0, 31_536_000),
        "Seconds from which on a query is slow.",
    ),
    parameter(
        "max_allowed_packet",
        true,
        Integer(1_024, 1_073_741_824),
        "The largest packet, in bytes.",
    ),
    parameter(
        "max_connect_errors",
        true,
        Integer(1, U32_MAX),
        "Interrupted connections after which a host is blocked.",
    ),
    parameter(
        "max_connections",
        true,
        Integer(10, 100_000),
        "Connections at the same time.",
    ),
    parameter(
        "max_heap_table_size",
        true,
        Integer(16_384, U32_MAX),
        "The largest table in memory, in bytes.",
    ),
    parameter(
        "net_read_timeout",
        true,
        Integer(1, 31_536_000),
        "Seconds to wait for more data.",
    ),
    parameter(
        "net_write_timeout",
        true,
        Integer(1, 31_536_000),
        "Seconds to wait for a block to be written.",
    ),
    parameter(
        "performance_schema",
        false,
        Bool,
        "Whether the Performance Schema is there.",
    ),
    parameter(
        "read_buffer_size",
        true,
        Integer(8_192, 2_147_479_552),
        "Bytes for a sequential scan.",
    ),
    parameter(
        "require_secure_transport",
        true,
        Bool,
        "Whether connections without TLS are refused.",
    ),
    parameter(
        "slow_query_log",
        true,
        Bool,
        "Whether slow queries are logged.",
    ),
    parameter(
        "sort_buffer_size",
        true,
        Integer(1_024, U32_MAX),
        "Bytes for a sort.",
    ),
    parameter(
        "sql_mode",
        true,
        Words(SQL_MODES),
        "The server's SQL modes, with commas between them.",
    ),
    parameter(
        "table_definition_cache",
        true,
        Integer(400, 2_097_152),
        "Definitions of tables that are kept.",
    ),
    parameter(
        "table_open_cache",
        true,
        Integer(10, 1_048_576),
        "Open tables that are kept.",
    ),
    parameter(
        "time_zone",
        true,
        Word(TIME_ZONES),
        "The server's time zone.",
    ),
    parameter(
        "tmp_table_size",
        true,
        Integer(1_024, U32_MAX),
        "The largest temporary table in memory, in bytes.",
    ),
    parameter(
        "transaction_isolation",
        true,
        Word(ISOLATION),
        "The isolation of transactions.",
    ),
    parameter(
        "wait_timeout",
        true,
        Integer(1, 31_536_000),
        "Seconds that a connection may be idle.",
    ),
];

/// Every parameter, by name.
#[must_use]
pub fn parameters() -> &'static [MariadbParameter] {
    &PARAMETERS
}

/// The parameter of this name.
pub(super) fn find(name: &str) -> Option<&'static MariadbParameter> {
    PARAMETERS.iter().find(|known| known.name == name)
}

/// What the parameter is called in the configuration file.
pub(super) fn option_name(name: &str) -> &str {
    match name {
        "time_zone" => "default_time_zone",
        other => other,
    }
}

/// What the variable of a running server is called.
pub(super) fn variable_name(name: &str) -> &str {
    match name {
        // MariaDB has MySQL 8's name from version 11.1 on, and the older one still.
        "transaction_isolation" => "tx_isolation",
        other => other,
    }
}

/// The value as the server takes it.
pub(super) fn option_value<'v>(name: &str, value: &'v str) -> &'v str {
    match (name, value) {
        ("time_zone", "UTC") => "+00:00",
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_in_order_and_are_found() {
        assert!(PARAMETERS.is_sorted_by_key(|parameter| parameter.name));
        assert!(find("max_connections").is_some_and(|found| found.dynamic));
        assert_eq!(find("sync_binlog"), None);
    }
}

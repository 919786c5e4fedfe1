//! What RDS sets where the engine's own default is another: `Source` is `system` for these.
//!
//! The formulas are those of AWS's groups `default.postgres*`, and of `default.aurora-mysql8.0` but for the buffer pool:
//! hosts run more than one engine, so it takes a quarter of the class's memory, as PostgreSQL's does.

use crate::catalogue::{FORCE_SSL, Program, major_of};

/// One parameter's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterDefault {
    /// As in `shared_buffers`.
    pub name: &'static str,
    /// A value or a formula, in the parameter's own unit.
    pub value: &'static str,
}

/// The first major version in which RDS asks for TLS unless told otherwise.
const FORCE_SSL_SINCE: u32 = 15;

const DEFAULTS: [ParameterDefault; 19] = [
    default("autovacuum_analyze_scale_factor", "0.05"),
    default(
        "autovacuum_max_workers",
        "GREATEST({DBInstanceClassMemory/64371566592},3)",
    ),
    default("autovacuum_naptime", "15"),
    default(
        "autovacuum_vacuum_cost_limit",
        "GREATEST({log(DBInstanceClassMemory/21474836480)*600},200)",
    ),
    default("autovacuum_vacuum_scale_factor", "0.1"),
    default(
        "autovacuum_work_mem",
        "GREATEST({DBInstanceClassMemory/32768},65536)",
    ),
    default("checkpoint_completion_target", "0.9"),
    default("effective_cache_size", "{DBInstanceClassMemory/16384}"),
    default("idle_in_transaction_session_timeout", "86400000"),
    default("log_autovacuum_min_duration", "10000"),
    default(
        "maintenance_work_mem",
        "GREATEST({DBInstanceClassMemory*1024/63963136},65536)",
    ),
    default(
        "max_connections",
        "LEAST({DBInstanceClassMemory/9531392},5000)",
    ),
    default("max_parallel_workers", "GREATEST({DBInstanceVCPU/2},8)"),
    default("max_wal_size", "2048"),
    default("max_worker_processes", "GREATEST({DBInstanceVCPU*2},8)"),
    default("min_wal_size", "192"),
    default("shared_buffers", "{DBInstanceClassMemory/32768}"),
    default("track_activity_query_size", "4096"),
    default("track_io_timing", "1"),
];

const MARIADB_DEFAULTS: [ParameterDefault; 3] = [
    default("character_set_server", "utf8mb4"),
    default("innodb_buffer_pool_size", "{DBInstanceClassMemory/4}"),
    default(
        "max_connections",
        "GREATEST({log(DBInstanceClassMemory/805306368)*45},{log(DBInstanceClassMemory/8187281408)*1000},45)",
    ),
];

const fn default(name: &'static str, value: &'static str) -> ParameterDefault {
    ParameterDefault { name, value }
}

/// The defaults of an engine version, PostgreSQL's `rds.force_ssl` included.
pub fn parameter_defaults(engine_version: &str) -> impl Iterator<Item = ParameterDefault> {
    let of_program = match Program::of_version(engine_version) {
        Program::Postgres => postgres_defaults(engine_version).collect::<Vec<_>>(),
        Program::Mariadb => MARIADB_DEFAULTS.to_vec(),
    };
    of_program.into_iter()
}

fn postgres_defaults(engine_version: &str) -> impl Iterator<Item = ParameterDefault> {
    let major: u32 = major_of(engine_version).parse().unwrap_or(0);
    let force_ssl = if major >= FORCE_SSL_SINCE { "1" } else { "0" };
    DEFAULTS.into_iter().chain([default(FORCE_SSL, force_ssl)])
}

/// The default of one parameter, where it is not the engine's own.
#[must_use]
pub fn find_default(engine_version: &str, name: &str) -> Option<ParameterDefault> {
    parameter_defaults(engine_version).find(|default| default.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{all_classes, evaluate, is_owned};

    #[test]
    fn every_default_has_a_value_for_every_class() {
        for class in all_classes() {
            for default in parameter_defaults("15.18") {
                let value = evaluate(default.value, &class).unwrap();
                assert!(value.parse::<f64>().is_ok(), "{} = {value}", default.name);
            }
            let mysql = find_default("8.0.mysql_aurora.3.mariadb.10.11.19", "max_connections");
            let value = evaluate(mysql.unwrap().value, &class).unwrap();
            assert!(
                value.parse::<u32>().is_ok_and(|value| value >= 45),
                "{value}"
            );
        }
    }

    #[test]
    fn no_default_is_for_a_parameter_that_quorate_owns() {
        assert!(parameter_defaults("15.18").all(|default| !is_owned(default.name)));
    }

    #[test]
    fn tls_is_asked_for_from_version_15_on() {
        assert_eq!(find_default("14.9", FORCE_SSL).unwrap().value, "0");
        assert_eq!(find_default("15.1", FORCE_SSL).unwrap().value, "1");
    }
}

//! Single values of an instance: their rules, and AWS's sentences for values that break them.

use quorate_base::ZoneName;
use quorate_wire::query::Params;

use crate::api::context::Context;
use crate::api::engines::POSTGRES;
use crate::api::error::RdsError;
use crate::catalogue::{InstanceClass, Program, find_class};
use crate::model::SubnetGroup;

const PORTS: std::ops::RangeInclusive<i64> = 1_150..=65_535;
const RETENTION_DAYS_MAX: i64 = 35;
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=128;
const NAME_CHARS_MAX: usize = 63;
const SECURITY_GROUPS_MAX: usize = 16;

/// Roles and databases that RDS makes itself, and words of SQL that PostgreSQL reserves (appendix C of its manual).
const RESERVED: [&str; 76] = [
    "admin",
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "none",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "public",
    "rdsadmin",
    "rdsrepladmin",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "table",
    "template0",
    "template1",
    "then",
    "to",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "where",
];
const RESERVED_PREFIXES: [&str; 3] = ["pg_", "rds_", "quorate"];
/// Accounts and databases that MariaDB or this program makes. Words of SQL may be names: they stand in quotes.
const MARIADB_RESERVED: [&str; 7] = [
    "information_schema",
    "mysql",
    "performance_schema",
    "public",
    "rdsadmin",
    "rdsrepladmin",
    "sys",
];
/// MariaDB's own limit is 80, MySQL's 32.
const MARIADB_USER_CHARS_MAX: usize = 32;

/// The class with this name.
pub(crate) fn class(name: &str) -> Result<InstanceClass, RdsError> {
    find_class(name)
        .ok_or_else(|| RdsError::InvalidValue(format!("Invalid DB Instance class: {name}")))
}

/// Refuses engines other than PostgreSQL.
pub(crate) fn engine(name: &str) -> Result<(), RdsError> {
    if name == POSTGRES {
        return Ok(());
    }
    Err(RdsError::InvalidValue(format!(
        "Invalid DB engine: {name}. This installation offers: {POSTGRES}"
    )))
}

/// A number of gibibytes or operations.
pub(crate) fn amount(params: &Params<'_>, name: &str) -> Result<Option<u32>, RdsError> {
    let Some(value) = params.integer(name)? else {
        return Ok(None);
    };
    let fits = u32::try_from(value).ok().map(Some);
    fits.ok_or_else(|| RdsError::InvalidValue(format!("Invalid value {value} for {name}.")))
}

/// `Iops`; zero counts as not given, as clients send it for types that have none.
pub(crate) fn iops(params: &Params<'_>) -> Result<Option<u32>, RdsError> {
    Ok(amount(params, "Iops")?.filter(|iops| *iops > 0))
}

/// The port asked for.
pub(crate) fn port(params: &Params<'_>, name: &str) -> Result<Option<u16>, RdsError> {
    let Some(value) = params.integer(name)? else {
        return Ok(None);
    };
    let port = u16::try_from(value).ok().filter(|_| PORTS.contains(&value));
    port.map(Some).ok_or_else(|| {
        RdsError::InvalidValue(format!(
            "Invalid endpoint port {value}, valid port range is {}-{}.",
            PORTS.start(),
            PORTS.end()
        ))
    })
}

/// `BackupRetentionPeriod`.
pub(crate) fn retention_days(params: &Params<'_>) -> Result<Option<u32>, RdsError> {
    let Some(days) = params.integer("BackupRetentionPeriod")? else {
        return Ok(None);
    };
    let fits = u32::try_from(days)
        .ok()
        .filter(|_| days <= RETENTION_DAYS_MAX);
    fits.map(Some).ok_or_else(|| {
        RdsError::InvalidValue(format!(
            "Invalid backup retention period: {days}. Must be between 0 and {RETENTION_DAYS_MAX}."
        ))
    })
}

/// The master password.
pub(crate) fn password(text: &str) -> Result<(), RdsError> {
    let invalid = |why: &str| {
        Err(RdsError::InvalidValue(format!(
            "The parameter MasterUserPassword is not a valid password{why}"
        )))
    };
    let count = text.chars().count();
    if count < *PASSWORD_CHARS.start() {
        return invalid(" because it is shorter than 8 characters.");
    }
    if count > *PASSWORD_CHARS.end() {
        return invalid(" because it is longer than 128 characters.");
    }
    if !text
        .chars()
        .all(|c| c.is_ascii_graphic() && !"/@\"".contains(c))
    {
        return invalid(
            ". Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
        );
    }
    Ok(())
}

/// The master user's name.
pub(crate) fn master_username(program: Program, text: &str) -> Result<(), RdsError> {
    let chars_max = match program {
        Program::Postgres => NAME_CHARS_MAX,
        Program::Mariadb => MARIADB_USER_CHARS_MAX,
    };
    if !is_sql_name(text) || text.len() > chars_max {
        return Err(RdsError::InvalidValue(format!(
            "The parameter MasterUsername is not a valid identifier: it must be 1 to {chars_max} letters, \
             digits, or underscores, and must begin with a letter."
        )));
    }
    if is_reserved(program, text) {
        return Err(RdsError::InvalidValue(format!(
            "MasterUsername {text} cannot be used as it is a reserved word used by the engine"
        )));
    }
    Ok(())
}

/// The name of the database made at creation.
pub(crate) fn db_name(program: Program, text: &str) -> Result<(), RdsError> {
    if !is_sql_name(text) {
        return Err(RdsError::InvalidValue(String::from(
            "DBName must begin with a letter and contain only alphanumeric characters.",
        )));
    }
    if is_reserved(program, text) {
        return Err(RdsError::InvalidValue(format!(
            "DBName {text} cannot be used. It is a reserved word for this engine"
        )));
    }
    Ok(())
}

/// The zone asked for: one of the region's that the subnet group covers.
pub(crate) fn zone(
    context: &Context<'_>,
    group: &SubnetGroup,
    text: &str,
) -> Result<ZoneName, RdsError> {
    let zones = &context.region.zones;
    let zone = zones
        .iter()
        .find(|zone| zone.as_str() == text)
        .ok_or_else(|| {
            let names: Vec<&str> = zones.iter().map(ZoneName::as_str).collect();
            RdsError::InvalidNetworkState(format!(
                "Availability zone {text} is not one of region {}: choose one of {}.",
                context.region.name,
                names.join(", ")
            ))
        })?;
    if group.subnets.iter().all(|(_, covered)| covered != zone) {
        return Err(RdsError::InvalidNetworkState(format!(
            "The DB subnet group has no subnet in availability zone {zone}."
        )));
    }
    Ok(zone.clone())
}

/// `VpcSecurityGroupIds`, where given.
pub(crate) fn security_groups(params: &Params<'_>) -> Result<Option<Vec<String>>, RdsError> {
    let Some(given) = params.texts("VpcSecurityGroupIds", "VpcSecurityGroupId") else {
        return Ok(None);
    };
    let valid = |id: &&str| {
        (1..=255).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if given.len() > SECURITY_GROUPS_MAX || !given.iter().all(valid) {
        return Err(RdsError::InvalidValue(format!(
            "VpcSecurityGroupIds must be at most {SECURITY_GROUPS_MAX} identifiers of security groups."
        )));
    }
    Ok(Some(given.into_iter().map(str::to_owned).collect()))
}

fn is_sql_name(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_reserved(program: Program, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    if program == Program::Mariadb {
        return MARIADB_RESERVED.contains(&text.as_str());
    }
    RESERVED.contains(&text.as_str())
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_engine_keeps_for_itself_are_refused() {
        let of_postgres = |name| master_username(Program::Postgres, name);
        assert!(of_postgres("postgres").is_ok());
        assert!(of_postgres("App_1").is_ok());
        for name in [
            "rdsadmin",
            "RDS_superuser",
            "pg_monitor",
            "user",
            "1a",
            "a-b",
            "",
            "é",
        ] {
            assert!(of_postgres(name).is_err(), "{name}");
        }
        assert!(db_name(Program::Postgres, "orders").is_ok());
        assert!(db_name(Program::Postgres, "template1").is_err());
        for (name, fits) in [
            ("admin", true),
            ("user", true),
            ("RDSadmin", false),
            ("sys", false),
        ] {
            assert_eq!(
                master_username(Program::Mariadb, name).is_ok(),
                fits,
                "{name}"
            );
        }
        assert!(db_name(Program::Mariadb, "mysql").is_err());
    }

    #[test]
    fn passwords_follow_rds_rules() {
        assert!(password("secret99").is_ok());
        let long = "x".repeat(129);
        for text in [
            "short",
            "with space",
            "with/slash",
            "with@at..",
            "quote\"quote",
            "pässword",
            long.as_str(),
        ] {
            assert!(password(text).is_err(), "{text}");
        }
    }
}

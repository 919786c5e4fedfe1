//! The engines of the API, the programs that they run, and how the two name versions.
//!
//! `aurora-mysql` runs MariaDB, and its version says so: `8.0.mysql_aurora.3.mariadb.10.11.19`. Which program a record's
//! version means can be told from the version alone.

use crate::model::PasswordVerifier;

/// The engine of a DB cluster that is PostgreSQL.
pub const AURORA_POSTGRESQL: &str = "aurora-postgresql";
/// The engine of a DB cluster that is MariaDB.
pub const AURORA_MYSQL: &str = "aurora-mysql";

/// How versions of `aurora-mysql` begin, on AWS as well.
const MYSQL_BEGINNING: &str = "8.0.mysql_aurora.3";
/// What stands between that and the program's version.
const MARIADB_MARK: &str = ".mariadb.";
const MYSQL_MAJOR: &str = "8.0";

/// An engine, as a request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiEngine {
    /// `postgres`: of instances of their own.
    Postgres,
    /// `aurora-mysql`: of clusters.
    AuroraMysql,
    /// `aurora-postgresql`: of clusters.
    AuroraPostgresql,
}

/// What runs on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
}

impl ApiEngine {
    /// Every engine that is offered.
    pub const ALL: [ApiEngine; 3] = [
        ApiEngine::Postgres,
        ApiEngine::AuroraMysql,
        ApiEngine::AuroraPostgresql,
    ];

    /// The engine with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<ApiEngine> {
        ApiEngine::ALL
            .into_iter()
            .find(|engine| engine.name() == name)
    }

    /// `Engine` on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ApiEngine::Postgres => Program::Postgres.name(),
            ApiEngine::AuroraMysql => AURORA_MYSQL,
            ApiEngine::AuroraPostgresql => AURORA_POSTGRESQL,
        }
    }

    /// What its versions are called.
    #[must_use]
    pub fn described(self) -> &'static str {
        match self {
            ApiEngine::Postgres => "PostgreSQL",
            ApiEngine::AuroraMysql => "Aurora MySQL (MariaDB)",
            ApiEngine::AuroraPostgresql => "Aurora PostgreSQL",
        }
    }

    /// Whether it is a cluster's.
    #[must_use]
    pub fn is_clusters(self) -> bool {
        self != ApiEngine::Postgres
    }

    /// What it runs.
    #[must_use]
    pub fn program(self) -> Program {
        match self {
            ApiEngine::AuroraMysql => Program::Mariadb,
            ApiEngine::Postgres | ApiEngine::AuroraPostgresql => Program::Postgres,
        }
    }
}

impl Program {
    /// The program that an engine's version means.
    #[must_use]
    pub fn of_version(engine_version: &str) -> Program {
        if engine_version.starts_with(MYSQL_BEGINNING) {
            Program::Mariadb
        } else {
            Program::Postgres
        }
    }

    /// What hosts call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Program::Postgres => "postgres",
            Program::Mariadb => "mariadb",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Program::Postgres => "PostgreSQL",
            Program::Mariadb => "MariaDB",
        }
    }

    /// Debian's package.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Program::Postgres => "postgresql",
            Program::Mariadb => "mariadb-server",
        }
    }

    /// `LicenseModel`.
    #[must_use]
    pub fn license(self) -> &'static str {
        match self {
            Program::Postgres => "postgresql-license",
            Program::Mariadb => "general-public-license",
        }
    }

    /// The port of a cluster for which none is asked.
    #[must_use]
    pub fn port_default(self) -> u16 {
        match self {
            Program::Postgres => 5_432,
            Program::Mariadb => 3_306,
        }
    }

    /// Bytes of its pages: a volume that has pages of the same size never holds half of one.
    #[must_use]
    pub fn page_bytes(self) -> u32 {
        match self {
            Program::Postgres => 8_192,
            Program::Mariadb => 16_384,
        }
    }

    /// What it checks a password against.
    #[must_use]
    pub fn verifier(self, password: &str) -> PasswordVerifier {
        match self {
            Program::Postgres => PasswordVerifier::scram(password),
            Program::Mariadb => PasswordVerifier::native(password),
        }
    }

    /// The engine's version for a version of the program.
    #[must_use]
    pub fn engine_version(self, version: &str) -> String {
        match self {
            Program::Postgres => version.to_owned(),
            Program::Mariadb => format!("{MYSQL_BEGINNING}{MARIADB_MARK}{version}"),
        }
    }
}

/// The version of the program that an engine's version means: `10.11.19`, `15.18`.
#[must_use]
pub fn program_version(engine_version: &str) -> &str {
    let rest = engine_version.strip_prefix(MYSQL_BEGINNING);
    rest.and_then(|rest| rest.strip_prefix(MARIADB_MARK))
        .unwrap_or(engine_version)
}

/// Whether a version is one that a request means: in full, by its major version, or, of `aurora-mysql`, by any version of
/// AWS's that it stands for.
#[must_use]
pub fn matches_version(engine_version: &str, asked: &str) -> bool {
    let stands_for = || {
        Program::of_version(engine_version) == Program::Mariadb
            && asked.starts_with(MYSQL_BEGINNING)
            && !asked.contains(MARIADB_MARK)
    };
    engine_version == asked || major_of(engine_version) == asked || stands_for()
}

/// The major version: `15` of `15.18`, `8.0` of every version of `aurora-mysql`.
#[must_use]
pub fn major_of(engine_version: &str) -> &str {
    if Program::of_version(engine_version) == Program::Mariadb {
        return MYSQL_MAJOR;
    }
    engine_version
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default()
}

/// The parameter group family of an engine version: `postgres15`, `aurora-mysql8.0`.
#[must_use]
pub fn family_of(engine: &str, engine_version: &str) -> String {
    format!("{engine}{}", major_of(engine_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARIADB: &str = "8.0.mysql_aurora.3.mariadb.10.11.19";

    #[test]
    fn a_family_is_the_engine_with_its_major_version() {
        assert_eq!(family_of("postgres", "15.18"), "postgres15");
        assert_eq!(family_of("postgres", "18beta1"), "postgres18");
        assert_eq!(family_of(AURORA_MYSQL, MARIADB), "aurora-mysql8.0");
    }

    #[test]
    fn a_version_of_mysql_names_its_program() {
        assert_eq!(Program::Mariadb.engine_version("10.11.19"), MARIADB);
        assert_eq!(Program::of_version(MARIADB), Program::Mariadb);
        assert_eq!(program_version(MARIADB), "10.11.19");
        assert_eq!(Program::of_version("15.18"), Program::Postgres);
        assert_eq!(program_version("15.18"), "15.18");
    }

    #[test]
    fn what_clients_of_aws_ask_for_is_understood() {
        for asked in [
            "8.0",
            MARIADB,
            "8.0.mysql_aurora.3",
            "8.0.mysql_aurora.3.08.0",
        ] {
            assert!(matches_version(MARIADB, asked), "{asked}");
        }
        for asked in [
            "8",
            "5.7.mysql_aurora.2.11.1",
            "8.0.mysql_aurora.3.mariadb.11.4.2",
        ] {
            assert!(!matches_version(MARIADB, asked), "{asked}");
        }
        assert!(matches_version("15.18", "15"));
        assert!(!matches_version("15.18", "8.0"));
    }
}

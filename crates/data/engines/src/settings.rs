//! What settings a PostgreSQL knows, as `postgres --describe-config` tells.
//!
//! Columns, tab separated: name, context, group, type, value, minimum, maximum, short and long
//! description (`src/backend/utils/misc/help_config.c`). The value is that of variables which
//! nothing has initialized yet (0, `FALSE`), so it is passed over: defaults come from a running
//! server (`pg_settings.boot_val`), as do the values of an enumeration.

use std::process::Command;

use crate::discover::PostgresInstall;
use crate::error::EngineError;

/// When a change of a setting takes effect, from the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettingContext {
    /// Fixed when the server was built or its data folder made.
    Internal,
    /// At the next start of the server.
    Postmaster,
    /// At the next reload.
    Sighup,
    /// At the next connection, by a superuser.
    SuperuserBackend,
    /// At the next connection.
    Backend,
    /// At once, by a superuser; or at the next reload.
    Superuser,
    /// At once, by anyone; or at the next reload.
    User,
}

impl SettingContext {
    /// The context that PostgreSQL calls by this name.
    pub(crate) fn from_name(name: &str) -> Option<SettingContext> {
        Some(match name {
            "internal" => SettingContext::Internal,
            "postmaster" => SettingContext::Postmaster,
            "sighup" => SettingContext::Sighup,
            "superuser-backend" => SettingContext::SuperuserBackend,
            "backend" => SettingContext::Backend,
            "superuser" => SettingContext::Superuser,
            "user" => SettingContext::User,
            _ => return None,
        })
    }

    /// Whether the server must be started again before a change takes effect.
    #[must_use]
    pub fn needs_restart(self) -> bool {
        matches!(self, SettingContext::Internal | SettingContext::Postmaster)
    }
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SettingType {
    /// `on` or `off`.
    Bool,
    /// One word of several.
    Enum,
    /// A whole number, perhaps with a unit.
    Integer,
    /// A number, perhaps with a unit.
    Real,
    /// Text.
    String,
}

impl SettingType {
    /// The type that PostgreSQL calls by this name: the tool in long words, the server in short
    /// ones.
    pub(crate) fn from_name(name: &str) -> Option<SettingType> {
        Some(match name {
            "BOOLEAN" | "bool" => SettingType::Bool,
            "ENUM" | "enum" => SettingType::Enum,
            "INTEGER" | "integer" => SettingType::Integer,
            "REAL" | "real" => SettingType::Real,
            "STRING" | "string" => SettingType::String,
            _ => return None,
        })
    }
}

/// One setting of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingInfo {
    /// The setting's name.
    pub name: String,
    /// When a change takes effect.
    pub context: SettingContext,
    /// The group that the manual files it under.
    pub group: String,
    /// What values it takes.
    pub vartype: SettingType,
    /// The least value of a number, in the setting's base unit.
    pub min: Option<String>,
    /// The greatest value of a number, in the setting's base unit.
    pub max: Option<String>,
    /// The built-in value, in the setting's base unit; told by a running server only.
    pub default: Option<String>,
    /// The base unit: `kB`, `8kB`, `ms`, …; told by a running server only.
    pub unit: Option<String>,
    /// The words that an enumeration takes; told by a running server only.
    pub enum_values: Vec<String>,
    /// What it does, in a sentence or two.
    pub description: String,
}

impl PostgresInstall {
    /// Every setting that may stand in this version's configuration file, by name. Runs the server
    /// program briefly: call it from a blocking context.
    ///
    /// # Errors
    /// [`EngineError::Tool`] when the program fails, [`EngineError::Unexpected`] when a line has
    /// another form.
    pub fn describe_config(&self) -> Result<Vec<SettingInfo>, EngineError> {
        let said = Command::new(self.program("postgres"))
            .arg("--describe-config")
            .env("LC_ALL", "C")
            .output()
            .map_err(EngineError::io("run postgres --describe-config"))?;
        if !said.status.success() {
            return Err(EngineError::Tool {
                tool: "postgres",
                exit: said.status.to_string(),
                detail: String::from_utf8_lossy(&said.stderr).trim().to_owned(),
            });
        }
        let text = String::from_utf8_lossy(&said.stdout);
        text.lines().map(parse_line).collect()
    }
}

fn parse_line(line: &str) -> Result<SettingInfo, EngineError> {
    parse_fields(line).ok_or_else(|| EngineError::Unexpected {
        doing: String::from("read postgres --describe-config"),
        answer: line.to_owned(),
    })
}

fn parse_fields(line: &str) -> Option<SettingInfo> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [
        name,
        context,
        group,
        vartype,
        _value,
        min,
        max,
        description,
        details,
    ] = fields[..]
    else {
        return None;
    };
    let context = SettingContext::from_name(context)?;
    let vartype = SettingType::from_name(vartype)?;
    let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Some(SettingInfo {
        name: name.to_owned(),
        context,
        group: group.to_owned(),
        vartype,
        min: told(min),
        max: told(max),
        default: None,
        unit: None,
        enum_values: Vec::new(),
        description: format!("{description} {details}").trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::find_postgres;

    #[test]
    fn the_installed_version_describes_its_settings() {
        let install = find_postgres(&[])
            .expect("PostgreSQL must be installed")
            .remove(0);
        let settings = install.describe_config().unwrap();
        let find = |name: &str| settings.iter().find(|s| s.name == name).unwrap();
        assert!(settings.len() > 250, "{}", settings.len());
        let connections = find("max_connections");
        assert_eq!(connections.context, SettingContext::Postmaster);
        assert_eq!(connections.vartype, SettingType::Integer);
        assert_eq!(connections.min.as_deref(), Some("1"));
        assert!(connections.context.needs_restart());
        assert_eq!(find("autovacuum").vartype, SettingType::Bool);
        assert!(!find("work_mem").context.needs_restart());
    }

    #[test]
    fn a_line_of_another_form_is_refused() {
        assert!(parse_line("only\tthree\tfields").is_err());
        assert!(parse_line("a\tmars\tg\tBOOLEAN\tTRUE\t\t\td\t").is_err());
    }
}

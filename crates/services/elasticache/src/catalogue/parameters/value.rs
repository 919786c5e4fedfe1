//! Whether a parameter takes a value.

use crate::catalogue::parameters::{ChangeType, Parameter, ParameterKind};

impl Parameter {
    /// Checks a value that a user gives.
    ///
    /// # Errors
    /// A sentence that says what is allowed.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if !self.modifiable {
            return Err(format!(
                "The parameter {} cannot be modified: its value follows from the cache.",
                self.name
            ));
        }
        if self.kind.takes(value) {
            return Ok(());
        }
        Err(format!(
            "The value '{value}' of parameter {} is invalid. Allowed values are: {}",
            self.name,
            self.allowed()
        ))
    }

    /// `AllowedValues`.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self.kind {
            ParameterKind::YesNo => String::from("yes,no"),
            ParameterKind::Bit => String::from("0,1"),
            ParameterKind::Integer(first, last) => format!("{first}-{last}"),
            ParameterKind::ZeroOr(first, last) => format!("0,{first}-{last}"),
            ParameterKind::Factor => String::from("1.01-10.0"),
            ParameterKind::Words(words) => words.join(","),
            ParameterKind::Letters(letters) => format!("any of the letters {letters}"),
            ParameterKind::Owned => String::new(),
        }
    }

    /// `DataType`.
    #[must_use]
    pub fn data_type(&self) -> &'static str {
        match self.kind {
            ParameterKind::Bit => "boolean",
            ParameterKind::Integer(..) | ParameterKind::ZeroOr(..) => "integer",
            ParameterKind::Factor => "float",
            _ => "string",
        }
    }
}

impl ParameterKind {
    fn takes(self, value: &str) -> bool {
        let number = || {
            let digits = value.strip_prefix('-').unwrap_or(value);
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            value.parse::<i64>().ok().filter(|_| plain)
        };
        match self {
            ParameterKind::YesNo => matches!(value, "yes" | "no"),
            ParameterKind::Bit => matches!(value, "0" | "1"),
            ParameterKind::Integer(first, last) => {
                number().is_some_and(|n| (first..=last).contains(&n))
            }
            ParameterKind::ZeroOr(first, last) => {
                number().is_some_and(|n| n == 0 || (first..=last).contains(&n))
            }
            ParameterKind::Factor => value
                .parse::<f64>()
                .is_ok_and(|factor| (1.01..=10.0).contains(&factor)),
            ParameterKind::Words(words) => words.contains(&value),
            ParameterKind::Letters(letters) => {
                let mut seen = Vec::new();
                value.chars().all(|c| {
                    let fits = letters.contains(c) && !seen.contains(&c);
                    seen.push(c);
                    fits
                })
            }
            ParameterKind::Owned => false,
        }
    }
}

impl ChangeType {
    /// AWS's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeType::Immediate => "immediate",
            ChangeType::RequiresReboot => "requires-reboot",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::find_parameter;

    #[test]
    fn values_are_held_against_the_parameter() {
        for (name, value, fits) in [
            ("maxmemory-policy", "allkeys-lru", true),
            ("maxmemory-policy", "sometimes", false),
            ("timeout", "0", true),
            ("timeout", "5", false),
            ("timeout", "20", true),
            ("timeout", "+20", false),
            ("notify-keyspace-events", "", true),
            ("notify-keyspace-events", "KEA", true),
            ("notify-keyspace-events", "KK", false),
            ("notify-keyspace-events", "K\nsave 1 1", false),
            ("activedefrag", "maybe", false),
            ("reserved-memory-percent", "101", false),
            ("maxmemory", "1", false),
            ("cluster-enabled", "yes", false),
        ] {
            let parameter = find_parameter("redis7", name).unwrap();
            assert_eq!(parameter.check(value).is_ok(), fits, "{name} = {value}");
        }
        let factor = find_parameter("memcached1.6", "chunk_size_growth_factor").unwrap();
        assert!(factor.check("1.25").is_ok() && factor.check("NaN").is_err());
    }
}

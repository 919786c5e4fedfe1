//! Engine versions: their order, their major part, the family of their parameter groups.

/// The order of versions: the numbers in them, so that 15.10 comes after 15.9.
#[must_use]
pub fn version_key(version: &str) -> Vec<u64> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The major version: `15` of `15.18`.
#[must_use]
pub fn major_of(version: &str) -> &str {
    version
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default()
}

/// The parameter group family of an engine version: `postgres15`.
#[must_use]
pub fn family_of(engine: &str, version: &str) -> String {
    format!("{engine}{}", major_of(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_by_their_numbers() {
        assert!(version_key("15.10") > version_key("15.9"));
        assert!(version_key("16.1") > version_key("15.18"));
        assert!(version_key("15") < version_key("15.0"));
    }

    #[test]
    fn a_family_is_the_engine_with_its_major_version() {
        assert_eq!(family_of("postgres", "15.18"), "postgres15");
        assert_eq!(family_of("postgres", "18beta1"), "postgres18");
    }
}

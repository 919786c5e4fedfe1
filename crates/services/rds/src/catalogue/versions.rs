//! The order of versions.

/// The order of versions: the numbers in them, so that 15.10 comes after 15.9.
#[must_use]
pub fn version_key(version: &str) -> Vec<u64> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
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
}

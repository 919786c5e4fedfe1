//! Numbers of requests that AWS's model calls integers.

use std::fmt;

use serde::de::{Deserializer, Visitor};

/// Reads a number as AWS reads an integer of 32 bits: without its fraction, and what is too large as the largest. Captured
/// by dynoxide (its changelog of 1.4.0); dynalite, too, rounds down.
pub(crate) fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    struct Integer;

    impl Visitor<'_> for Integer {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("i64")
        }

        fn visit_i64<E>(self, value: i64) -> Result<i64, E> {
            Ok(value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)))
        }

        fn visit_u64<E>(self, value: u64) -> Result<i64, E> {
            Ok(i64::try_from(value)
                .unwrap_or(i64::MAX)
                .min(i64::from(i32::MAX)))
        }

        fn visit_f64<E>(self, value: f64) -> Result<i64, E> {
            // A cast saturates and drops the fraction.
            #[allow(clippy::cast_possible_truncation)]
            let whole = value as i32;
            Ok(i64::from(whole))
        }
    }

    struct Optional;

    impl<'de> Visitor<'de> for Optional {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("i64")
        }

        fn visit_none<E>(self) -> Result<Option<i64>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Option<i64>, D::Error> {
            from.deserialize_any(Integer).map(Some)
        }
    }

    from.deserialize_option(Optional)
}

#[cfg(test)]
mod tests {
    use crate::api::items::input::{SearchInput, read};

    #[test]
    fn integers_have_32_bits_and_no_fraction() {
        let limit = |text: &str| {
            let body = format!("{{\"Limit\":{text}}}");
            read::<SearchInput>(body.as_bytes()).map(|input| input.limit)
        };
        let largest = Some(i64::from(i32::MAX));
        for (text, expected) in [
            ("null", None),
            ("1", Some(1)),
            ("1.9", Some(1)),
            ("-1.9", Some(-1)),
            ("2147483648", largest),
            ("18446744073709551615", largest),
            ("1e300", largest),
        ] {
            assert_eq!(limit(text).unwrap(), expected, "{text}");
        }
        assert_eq!(
            limit("\"1\"").unwrap_err().message,
            "STRING_VALUE cannot be converted to Integer"
        );
        assert_eq!(
            limit("true").unwrap_err().message,
            "TRUE_VALUE cannot be converted to Integer"
        );
        assert_eq!(
            limit("[]").unwrap_err().message,
            "Unrecognized collection type class java.lang.Integer"
        );
    }
}

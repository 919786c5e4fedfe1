//! Numbers as DynamoDB has them: 38 significant decimal digits, exact, from 1E-130 to 9.99…E+125 on either side of zero.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Significant digits that a number can have.
const DIGITS_MAX: u32 = 38;
/// Decimal exponent of the largest magnitude's first digit.
const MAGNITUDE_MAX: i32 = 125;
/// Decimal exponent of the smallest magnitude's first digit.
const MAGNITUDE_MIN: i32 = -130;

/// `digits` × 10^`exponent`, normalised: no trailing zeros in `digits`, and zero is 0 × 10^0. So equal numbers are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Number {
    digits: i128,
    exponent: i16,
}

/// Why a text is no number, or a result cannot be held. The words are AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// No decimal number at all.
    #[error("The parameter cannot be converted to a numeric value")]
    NotANumber,
    /// More than 38 significant digits.
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooPrecise,
    /// Above 9.99…E+125.
    #[error(
        "Number overflow. Attempting to store a number with magnitude larger than supported range"
    )]
    Overflow,
    /// Below 1E-130.
    #[error(
        "Number underflow. Attempting to store a number with magnitude smaller than supported range"
    )]
    Underflow,
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number {
        digits: 0,
        exponent: 0,
    };

    /// `digits` × 10^`exponent`.
    ///
    /// # Errors
    /// When it has too many digits or is out of range.
    pub fn from_parts(digits: i128, exponent: i32) -> Result<Number, NumberError> {
        Number::from_magnitude(digits < 0, digits.unsigned_abs(), exponent)
    }

    fn from_magnitude(negative: bool, digits: u128, exponent: i32) -> Result<Number, NumberError> {
        if digits == 0 {
            return Ok(Number::ZERO);
        }
        let (mut digits, mut exponent) = (digits, exponent);
        while digits % 10 == 0 {
            digits /= 10;
            exponent += 1;
        }
        let count = digits.ilog10() + 1;
        if count > DIGITS_MAX {
            return Err(NumberError::TooPrecise);
        }
        let magnitude = exponent + i32::try_from(count).expect("at most 39") - 1;
        if magnitude > MAGNITUDE_MAX {
            return Err(NumberError::Overflow);
        }
        if magnitude < MAGNITUDE_MIN {
            return Err(NumberError::Underflow);
        }
        let exponent = i16::try_from(exponent).expect("the magnitude was checked");
        let digits = i128::try_from(digits).expect("38 digits fit");
        let digits = if negative { -digits } else { digits };
        Ok(Number { digits, exponent })
    }

    /// The normalised digits, with the sign; at most 38.
    #[must_use]
    pub fn digits(&self) -> i128 {
        self.digits
    }

    /// The power of ten that the digits are multiplied by.
    #[must_use]
    pub fn exponent(&self) -> i16 {
        self.exponent
    }

    /// Decimal exponent of the first digit; 0 for zero.
    #[must_use]
    pub fn magnitude(&self) -> i32 {
        let count = i32::try_from(digit_count(self.digits)).expect("at most 38");
        i32::from(self.exponent) + count - 1
    }

    /// The exact sum.
    ///
    /// # Errors
    /// When it cannot be held in 38 digits or in the range.
    pub fn checked_add(&self, other: &Number) -> Result<Number, NumberError> {
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        if low.digits == 0 {
            return Ok(*high);
        }
        if high.digits == 0 {
            return Ok(*low);
        }
        let shift = u32::try_from(high.exponent - low.exponent).expect("high has the greater one");
        // The aligned form can pass 38 digits, and even an i128, where the result has fewer. A u128 holds it: where it
        // does not, the result is longer than 38 digits too, for `low` is shorter.
        let scaled = 10_u128
            .checked_pow(shift)
            .and_then(|scale| high.digits.unsigned_abs().checked_mul(scale))
            .ok_or(NumberError::TooPrecise)?;
        let small = low.digits.unsigned_abs();
        let (negative, sum) = if (high.digits < 0) == (low.digits < 0) {
            let sum = scaled.checked_add(small).ok_or(NumberError::TooPrecise)?;
            (high.digits < 0, sum)
        } else if scaled >= small {
            (high.digits < 0, scaled - small)
        } else {
            (low.digits < 0, small - scaled)
        };
        Number::from_magnitude(negative, sum, i32::from(low.exponent))
    }

    /// The exact difference.
    ///
    /// # Errors
    /// As `checked_add`.
    pub fn checked_sub(&self, other: &Number) -> Result<Number, NumberError> {
        self.checked_add(&Number {
            digits: -other.digits,
            exponent: other.exponent,
        })
    }
}

/// How many decimal digits there are; 1 for zero.
fn digit_count(digits: i128) -> u32 {
    digits.unsigned_abs().checked_ilog10().map_or(1, |n| n + 1)
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Number, NumberError> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(NumberError::NotANumber);
        }
        let mut digits: i128 = 0;
        // Zeros wait here until a digit follows them: a million trailing zeros cost nothing.
        let mut zeros: i64 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            match byte {
                b'0' => zeros += i64::from(digits != 0),
                b'1'..=b'9' => {
                    let shift = u32::try_from(zeros + 1).map_err(|_| NumberError::TooPrecise)?;
                    digits = 10_i128
                        .checked_pow(shift)
                        .and_then(|scale| digits.checked_mul(scale))
                        .and_then(|d| d.checked_add(i128::from(byte - b'0')))
                        .ok_or(NumberError::TooPrecise)?;
                    zeros = 0;
                }
                _ => return Err(NumberError::NotANumber),
            }
        }
        let fraction = i64::try_from(fraction.len()).map_err(|_| NumberError::NotANumber)?;
        let exponent = exponent.saturating_add(zeros).saturating_sub(fraction);
        let exponent = i32::try_from(exponent.clamp(-1_000_000, 1_000_000)).expect("clamped");
        Number::from_parts(if negative { -digits } else { digits }, exponent)
    }
}

/// The digits after the `e`. What is beyond every range is clamped: it overflows or underflows all the same.
fn parse_exponent(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }
    let value: i64 = digits.parse().unwrap_or(i64::MAX / 4);
    Ok(if text.starts_with('-') { -value } else { value })
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        let by_sign = self.digits.signum().cmp(&other.digits.signum());
        if by_sign != Ordering::Equal || self.digits == 0 {
            return by_sign;
        }
        let by_magnitude = self.magnitude().cmp(&other.magnitude());
        if by_magnitude != Ordering::Equal {
            return if self.digits > 0 {
                by_magnitude
            } else {
                by_magnitude.reverse()
            };
        }
        aligned(self.digits).cmp(&aligned(other.digits))
    }
}

/// The digits, filled with zeros up to 38 of them.
fn aligned(digits: i128) -> i128 {
    digits * 10_i128.pow(DIGITS_MAX - digit_count(digits))
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    /// As DynamoDB answers: plain digits, never an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs().to_string();
        let exponent = i32::from(self.exponent);
        if exponent >= 0 {
            let zeros = usize::try_from(exponent).expect("not negative");
            return write!(f, "{sign}{digits}{}", "0".repeat(zeros));
        }
        let places = usize::try_from(-exponent).expect("not negative");
        if digits.len() > places {
            let (whole, fraction) = digits.split_at(digits.len() - places);
            write!(f, "{sign}{whole}.{fraction}")
        } else {
            let zeros = "0".repeat(places - digits.len());
            write!(f, "{sign}0.{zeros}{digits}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    fn nines(count: usize) -> String {
        "9".repeat(count)
    }

    #[test]
    fn numbers_are_written_as_plain_digits() {
        for (text, plain) in [
            ("0", "0"),
            ("-0.000", "0"),
            ("+7", "7"),
            ("007.50", "7.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("-1.23E-3", "-0.00123"),
            ("12e-1", "1.2"),
            ("0e999999999999999999999", "0"),
        ] {
            assert_eq!(number(text).to_string(), plain, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", " 1", "1 ", "a", "-", ".", "e5", "1e", "1e+", "--1", "1_0", "NaN", "１",
        ] {
            assert_eq!(
                text.parse::<Number>(),
                Err(NumberError::NotANumber),
                "{text}"
            );
        }
    }

    #[test]
    fn the_limits_are_those_of_dynamodb() {
        assert!(nines(38).parse::<Number>().is_ok());
        assert_eq!(nines(39).parse::<Number>(), Err(NumberError::TooPrecise));
        let padded = format!("{}{}", nines(38), "0".repeat(88));
        assert_eq!(number(&padded).magnitude(), 125);
        assert_eq!(
            format!("{padded}0").parse::<Number>(),
            Err(NumberError::Overflow)
        );
        assert_eq!(number("1e125").magnitude(), 125);
        assert_eq!("1e126".parse::<Number>(), Err(NumberError::Overflow));
        assert_eq!(number("-1e-130").magnitude(), -130);
        assert_eq!("1e-131".parse::<Number>(), Err(NumberError::Underflow));
        assert_eq!(
            "1e-99999999999999999999".parse::<Number>(),
            Err(NumberError::Underflow)
        );
    }

    #[test]
    fn sums_and_differences_are_exact() {
        let sum = |a: &str, b: &str| number(a).checked_add(&number(b));
        assert_eq!(sum("0.1", "0.2"), Ok(number("0.3")));
        assert_eq!(sum("5", "-5"), Ok(Number::ZERO));
        assert_eq!(sum("-7", "2"), Ok(number("-5")));
        assert_eq!(sum("1e40", "1"), Err(NumberError::TooPrecise));
        assert_eq!(sum("1e125", "9e125"), Err(NumberError::Overflow));
        assert_eq!(sum("1e-130", "-1e125"), Err(NumberError::TooPrecise));
        assert_eq!(number("3").checked_sub(&number("1e2")), Ok(number("-97")));
    }

    #[test]
    fn what_fits_is_found_even_when_its_parts_are_longer_in_one_scale() {
        let difference = number("1e38").checked_sub(&number("1")).unwrap();
        assert_eq!(difference.to_string(), nines(38));
        let low = format!("9{}1", "0".repeat(36));
        let difference = number("18e37").checked_sub(&number(&low)).unwrap();
        assert_eq!(difference.to_string(), format!("8{}", nines(37)));
        let low = format!("8{}1", "0".repeat(36));
        let sum = number(&nines(38)).checked_add(&number(&low)).unwrap();
        assert_eq!(sum, number("18e37"));
    }

    #[test]
    fn order_is_by_value() {
        let row = [
            "-1e10", "-12", "-1.5", "-1", "-0.1", "0", "1e-130", "0.1", "1", "1.5", "12", "1e125",
        ];
        for pair in row.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
    }
}

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
        if digits == 0 {
            return Ok(Number::ZERO);
        }
        let (mut digits, mut exponent) = (digits, exponent);
        while digits % 10 == 0 {
            digits /= 10;
            exponent += 1;
        }
        let count = digit_count(digits);
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
        let sum = 10_i128
            .checked_pow(shift)
            .and_then(|scale| high.digits.checked_mul(scale))
            .and_then(|scaled| scaled.checked_add(low.digits))
            .ok_or(NumberError::TooPrecise)?;
        Number::from_parts(sum, i32::from(low.exponent))
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

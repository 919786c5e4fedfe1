//! RDS's parameter formulas: `{DBInstanceClassMemory/32768}`, `LEAST({DBInstanceClassMemory/9531392},5000)`.
//!
//! ```text
//! formula  = call | "{" sum "}" | number
//! call     = ("GREATEST" | "LEAST" | "SUM" | "LOG") "(" formula-or-product ("," …)* ")"
//! product  = factor (("*" | "/") factor)*
//! ```
//! `*` and `/` drop the fraction of their result, as RDS does; `LOG` is to base 2. Depth and length are
//! bounded: a formula comes from outside.

use crate::catalogue::InstanceClass;

/// How deep calls and braces may nest.
const DEPTH_MAX: usize = 16;
/// How long a formula may be.
const FORMULA_BYTES_MAX: usize = 1_024;

const FUNCTIONS: [&str; 4] = ["GREATEST", "LEAST", "SUM", "LOG"];

/// Why a formula has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// Not of the grammar; the byte where reading stopped.
    #[error("the formula `{text}` cannot be read from character {at} on")]
    Syntax {
        /// The formula.
        text: String,
        /// Where reading stopped, from 0.
        at: usize,
    },
    /// A name that is no variable.
    #[error("the formula variable `{0}` is not known")]
    UnknownVariable(String),
    /// A divisor is zero.
    #[error("the formula `{0}` divides by zero")]
    DivisionByZero(String),
    /// Nested or written too long.
    #[error(
        "the formula is nested deeper than {DEPTH_MAX} or longer than {FORMULA_BYTES_MAX} bytes"
    )]
    TooComplex,
}

/// Whether a parameter's value is a formula rather than a plain value.
#[must_use]
pub fn is_formula(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('{')
        || FUNCTIONS.iter().any(|function| {
            text.get(..function.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(function))
                && text[function.len()..].trim_start().starts_with('(')
        })
}

/// The value of a parameter for an instance class. What is no formula comes back as it is.
///
/// # Errors
/// Any `FormulaError`.
pub fn evaluate(text: &str, class: &InstanceClass) -> Result<String, FormulaError> {
    if !is_formula(text) {
        return Ok(text.to_owned());
    }
    if text.len() > FORMULA_BYTES_MAX {
        return Err(FormulaError::TooComplex);
    }
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
        class,
    };
    let value = parser.product()?;
    parser.skip_spaces();
    if parser.at < text.len() {
        return Err(parser.syntax());
    }
    Ok(format!("{:.0}", value.trunc()))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    class: &'a InstanceClass,
}

impl Parser<'_> {
    fn product(&mut self) -> Result<f64, FormulaError> {
        let mut value = self.factor()?;
        loop {
            if self.take('*') {
                value = (value * self.factor()?).trunc();
            } else if self.take('/') {
                let divisor = self.factor()?;
                if divisor == 0.0 {
                    return Err(FormulaError::DivisionByZero(self.text.to_owned()));
                }
                value = (value / divisor).trunc();
            } else {
                return Ok(value);
            }
        }
    }

    fn factor(&mut self) -> Result<f64, FormulaError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(FormulaError::TooComplex);
        }
        let value = if self.take('{') {
            self.closed('}')?
        } else if self.take('(') {
            self.closed(')')?
        } else {
            let word = self.word();
            match word.as_bytes().first() {
                None => return Err(self.syntax()),
                Some(b'-' | b'.' | b'0'..=b'9') => word.parse().map_err(|_| self.syntax())?,
                Some(_) => self.named(&word)?,
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn closed(&mut self, end: char) -> Result<f64, FormulaError> {
        let value = self.product()?;
        if self.take(end) {
            Ok(value)
        } else {
            Err(self.syntax())
        }
    }

    fn named(&mut self, name: &str) -> Result<f64, FormulaError> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("DBInstanceClassMemory") {
            #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
            return Ok(self.class.memory_bytes as f64);
        }
        if is("DBInstanceVCPU") {
            return Ok(f64::from(self.class.vcpus));
        }
        if !FUNCTIONS.iter().any(|function| is(function)) {
            return Err(FormulaError::UnknownVariable(name.to_owned()));
        }
        let arguments = self.arguments()?;
        match arguments.as_slice() {
            [one] if is("LOG") => Ok(if *one > 0.0 { one.log2() } else { 0.0 }),
            _ if is("LOG") => Err(self.syntax()),
            all if is("GREATEST") => Ok(all.iter().copied().fold(f64::MIN, f64::max)),
            all if is("LEAST") => Ok(all.iter().copied().fold(f64::MAX, f64::min)),
            all => Ok(all.iter().sum()),
        }
    }

    fn arguments(&mut self) -> Result<Vec<f64>, FormulaError> {
        if !self.take('(') {
            return Err(self.syntax());
        }
        let mut values = vec![self.product()?];
        while self.take(',') {
            values.push(self.product()?);
        }
        if self.take(')') {
            Ok(values)
        } else {
            Err(self.syntax())
        }
    }

    /// A number or a name; empty when neither stands here.
    fn word(&mut self) -> String {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        let signed = usize::from(rest.starts_with('-'));
        let end = rest[signed..]
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .map_or(rest.len(), |end| end + signed);
        self.at += end;
        rest[..end].to_owned()
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_spaces();
        let found = self.text[self.at..].starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn skip_spaces(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn syntax(&self) -> FormulaError {
        FormulaError::Syntax {
            text: self.text.to_owned(),
            at: self.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::find_class;

    fn large() -> InstanceClass {
        find_class("db.m5.large").unwrap()
    }

    #[test]
    fn formulas_give_what_rds_gives() {
        for (text, value) in [
            ("{DBInstanceClassMemory/32768}", "262144"),
            ("LEAST({DBInstanceClassMemory/9531392},5000)", "901"),
            (
                "GREATEST({DBInstanceClassMemory*1024/63963136},65536)",
                "137518",
            ),
            ("SUM({DBInstanceClassMemory/12038},-50003)", "663565"),
            (
                "GREATEST({log(DBInstanceClassMemory/21474836480)*600},200)",
                "200",
            ),
            ("{LOG(DBInstanceClassMemory/1073741824)*45}", "135"),
            ("GREATEST({DBInstanceVCPU*2},8)", "8"),
            (" { DBInstanceVCPU * 3 / 4 } ", "1"),
        ] {
            assert_eq!(evaluate(text, &large()).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn plain_values_come_back_unchanged() {
        for text in [
            "",
            "on",
            "64",
            "LEAST",
            "least privilege",
            "\"$user\", public",
            " 5 ",
        ] {
            assert_eq!(evaluate(text, &large()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn broken_formulas_are_refused() {
        for text in [
            "{", "{}", "{1", "{1}}", "LEAST()", "LEAST(1", "LOG(1,2)", "{1+1}", "{1..2}", "{é}",
        ] {
            assert!(evaluate(text, &large()).is_err(), "{text}");
        }
        assert!(matches!(
            evaluate("{Memory/2}", &large()),
            Err(FormulaError::UnknownVariable(_))
        ));
        assert!(matches!(
            evaluate("{1/0}", &large()),
            Err(FormulaError::DivisionByZero(_))
        ));
        let deep = format!("{}1{}", "{".repeat(40), "}".repeat(40));
        assert_eq!(evaluate(&deep, &large()), Err(FormulaError::TooComplex));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_evaluator_panic(text in "[{}(),*/ .0-9A-Za-zé-]{0,64}") {
            let _ = evaluate(&text, &large());
            let _ = evaluate(&format!("{{{text}}}"), &large());
        }
    }
}

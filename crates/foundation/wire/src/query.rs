//! The Query protocol's requests: form-encoded parameters with dots for structure.
//!
//! Owns how bytes become named parameters, and how lists and structures are spelled in names. Must not
//! know any action or parameter by name. Bytes from outside give errors, never panics.

use std::collections::BTreeMap;

/// How many parameters one request may carry.
pub const PARAMETERS_MAX: usize = 4_096;
/// How long a parameter's name may be, in bytes.
pub const NAME_BYTES_MAX: usize = 512;
/// How long a parameter's value may be, in bytes.
pub const VALUE_BYTES_MAX: usize = 65_536;

/// The word that generic clients use for a list's items.
const ITEM_GENERIC: &str = "member";

/// Why a request's parameters cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The bytes are no form.
    #[error("The query string is malformed: {0}")]
    Malformed(&'static str),
    /// A name is given more than once.
    #[error("The query string is malformed: the parameter {0} is given more than once")]
    Repeated(String),
    /// A bound on the number or the length of parameters does not hold.
    #[error("The request is too large: {0}")]
    TooLarge(String),
    /// A parameter that the action needs is not there.
    #[error("The request must contain the parameter {0}")]
    Missing(String),
    /// A parameter is not of its type.
    #[error("Invalid value '{value}' for {name}: {expected}")]
    Invalid {
        /// The parameter's name.
        name: String,
        /// What was given.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
}

impl QueryError {
    /// AWS's code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            QueryError::Malformed(_) | QueryError::Repeated(_) | QueryError::TooLarge(_) => {
                "MalformedQueryString"
            }
            QueryError::Missing(_) => "MissingParameter",
            QueryError::Invalid { .. } => "InvalidParameterValue",
        }
    }
}

/// All parameters of one request, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    values: BTreeMap<String, String>,
}

impl Form {
    /// Reads the parameters of a request: those of the target's query string and those of the body.
    ///
    /// # Errors
    /// `Malformed`, `Repeated` or `TooLarge`.
    pub fn of_request(target: &str, body: &[u8]) -> Result<Form, QueryError> {
        let mut form = Form::default();
        if let Some((_, query)) = target.split_once('?') {
            form.read(query.as_bytes())?;
        }
        form.read(body)?;
        Ok(form)
    }

    /// Reads one form-encoded text.
    ///
    /// # Errors
    /// `Malformed`, `Repeated` or `TooLarge`.
    pub fn parse(text: &[u8]) -> Result<Form, QueryError> {
        let mut form = Form::default();
        form.read(text)?;
        Ok(form)
    }

    /// The parameters as the action sees them.
    #[must_use]
    pub fn root(&self) -> Params<'_> {
        Params {
            form: self,
            prefix: String::new(),
        }
    }

    fn read(&mut self, text: &[u8]) -> Result<(), QueryError> {
        let text = text.trim_ascii();
        for pair in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            if self.values.len() >= PARAMETERS_MAX {
                return Err(QueryError::TooLarge(format!(
                    "more than {PARAMETERS_MAX} parameters"
                )));
            }
            let split = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let value = pair.get(split + 1..).unwrap_or_default();
            let name = decode(&pair[..split], NAME_BYTES_MAX)?;
            let value = decode(value, VALUE_BYTES_MAX)?;
            if name.is_empty() {
                return Err(QueryError::Malformed("a parameter has no name"));
            }
            if self.values.contains_key(&name) {
                return Err(QueryError::Repeated(name));
            }
            self.values.insert(name, value);
        }
        Ok(())
    }
}

/// A request's parameters, or one structure among them.
#[derive(Debug, Clone)]
pub struct Params<'a> {
    form: &'a Form,
    prefix: String,
}

impl<'a> Params<'a> {
    /// The value as given, empty values included.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.form.values.get(&self.full(name)).map(String::as_str)
    }

    /// A text; an empty value counts as not given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// `Missing`.
    pub fn required(&self, name: &str) -> Result<&'a str, QueryError> {
        self.text(name)
            .ok_or_else(|| QueryError::Missing(self.full(name)))
    }

    /// A whole number.
    ///
    /// # Errors
    /// `Invalid` when it is none, or does not fit 64 bits.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, QueryError> {
        let read = |value: &str| {
            value
                .parse()
                .map_err(|_| self.invalid(name, value, "must be an integer"))
        };
        self.text(name).map(read).transpose()
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// `Invalid` when it is neither.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, QueryError> {
        let read = |value: &str| match value {
            "true" | "True" | "TRUE" | "1" => Ok(true),
            "false" | "False" | "FALSE" | "0" => Ok(false),
            _ => Err(self.invalid(name, value, "must be true or false")),
        };
        self.text(name).map(read).transpose()
    }

    /// A list of texts, spelled `Name.N`, `Name.member.N` or `Name.ITEM.N`, in the order of their numbers.
    /// None when no such list is given; a list given as an empty `Name` is empty.
    #[must_use]
    pub fn texts(&self, name: &str, item: &str) -> Option<Vec<&'a str>> {
        let found = self.items(name, item);
        if found.is_empty() {
            return self.raw(name).map(|_| Vec::new());
        }
        Some(found.iter().filter_map(|params| params.raw("")).collect())
    }

    /// A list of structures, spelled as for `texts` with the fields after the number: `Tags.Tag.1.Key`.
    #[must_use]
    pub fn structures(&self, name: &str, item: &str) -> Vec<Params<'a>> {
        self.items(name, item)
    }

    /// The items of a list, each once, in the order of their numbers.
    fn items(&self, name: &str, item: &str) -> Vec<Params<'a>> {
        let list = format!("{}.", self.full(name));
        let mut found = BTreeMap::new();
        let names = self
            .form
            .values
            .range(list.clone()..)
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(&list));
        for full in names {
            let rest = &full[list.len()..];
            let (word, rest) = match rest.split_once('.') {
                Some((word, rest)) if word == item || word == ITEM_GENERIC => (Some(word), rest),
                _ => (None, rest),
            };
            let number = rest.split('.').next().unwrap_or_default();
            if let Ok(index) = number.parse::<u32>() {
                let word = word.map(|w| format!("{w}.")).unwrap_or_default();
                found
                    .entry(index)
                    .or_insert_with(|| format!("{list}{word}{number}"));
            }
        }
        let form = self.form;
        found
            .into_values()
            .map(|prefix| Params { form, prefix })
            .collect()
    }

    fn full(&self, name: &str) -> String {
        match (self.prefix.as_str(), name) {
            ("", name) => name.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, name) => format!("{prefix}.{name}"),
        }
    }

    fn invalid(&self, name: &str, value: &str, expected: &'static str) -> QueryError {
        QueryError::Invalid {
            name: self.full(name),
            value: value.chars().take(64).collect(),
            expected,
        }
    }
}

/// Undoes form encoding: `+` is a space, `%XX` a byte, and the whole must be UTF-8.
fn decode(text: &[u8], bytes_max: usize) -> Result<String, QueryError> {
    let mut bytes = Vec::with_capacity(text.len().min(bytes_max));
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|d| char::from(*d).to_digit(16));
                let pair = digit().zip(digit());
                let (high, low) = pair.ok_or(QueryError::Malformed("an incomplete %-escape"))?;
                u8::try_from(high * 16 + low).expect("two hexadecimal digits make a byte")
            }
            other => *other,
        });
        if bytes.len() > bytes_max {
            return Err(QueryError::TooLarge(format!(
                "a name or value of more than {bytes_max} bytes"
            )));
        }
    }
    String::from_utf8(bytes).map_err(|_| QueryError::Malformed("text that is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_three_spellings_of_a_list_read_alike() {
        for spelling in [
            "Ids.Id.1=a&Ids.Id.2=b",
            "Ids.member.2=b&Ids.member.1=a",
            "Ids.1=a&Ids.10=b",
        ] {
            let form = form(spelling);
            assert_eq!(
                form.root().texts("Ids", "Id"),
                Some(vec!["a", "b"]),
                "{spelling}"
            );
        }
    }

    #[test]
    fn lists_of_more_than_nine_keep_their_order() {
        let text: Vec<String> = (1..=12).map(|n| format!("L.member.{n}=v{n}")).collect();
        let form = form(&text.join("&"));
        let values = form.root().texts("L", "X").unwrap();
        assert_eq!(values[1], "v2");
        assert_eq!(values[11], "v12");
    }

    #[test]
    fn structures_hold_fields_and_lists_of_their_own() {
        let form = form(
            "Filters.Filter.1.Name=engine&Filters.Filter.1.Values.Value.1=postgres\
             &Filters.Filter.1.Values.Value.2=mariadb&Tags.Tag.1.Key=team&Tags.Tag.1.Value=",
        );
        let filters = form.root().structures("Filters", "Filter");
        assert_eq!(filters.len(), 1);
        assert_eq!(filters[0].required("Name"), Ok("engine"));
        assert_eq!(
            filters[0].texts("Values", "Value"),
            Some(vec!["postgres", "mariadb"])
        );
        let tags = form.root().structures("Tags", "Tag");
        assert_eq!(tags[0].raw("Value"), Some(""));
        assert_eq!(
            tags[0].required("Value"),
            Err(QueryError::Missing("Tags.Tag.1.Value".into()))
        );
    }

    #[test]
    fn an_empty_list_differs_from_no_list() {
        assert_eq!(form("Ids=").root().texts("Ids", "Id"), Some(vec![]),);
        assert_eq!(form("Other=1").root().texts("Ids", "Id"), None);
    }

    #[test]
    fn values_are_decoded_and_typed() {
        let form = form("A=a+b%2Bc%C3%A9&N=-7&T=true&Bad=x");
        let root = form.root();
        assert_eq!(root.text("A"), Some("a b+cé"));
        assert_eq!(root.integer("N"), Ok(Some(-7)));
        assert_eq!(root.boolean("T"), Ok(Some(true)));
        assert_eq!(root.integer("None"), Ok(None));
        assert!(root.integer("Bad").is_err());
        assert!(root.boolean("Bad").is_err());
    }

    #[test]
    fn malformed_and_oversized_forms_are_refused() {
        for text in ["A=%", "A=%4", "A=%zz", "A=%ff", "=x", "A=1&A=2", "%C3=1"] {
            assert!(Form::parse(text.as_bytes()).is_err(), "{text}");
        }
        let long = format!("A={}", "x".repeat(VALUE_BYTES_MAX + 1));
        assert!(matches!(
            Form::parse(long.as_bytes()),
            Err(QueryError::TooLarge(_))
        ));
        let many: Vec<String> = (0..=PARAMETERS_MAX).map(|n| format!("P{n}=1")).collect();
        assert!(matches!(
            Form::parse(many.join("&").as_bytes()),
            Err(QueryError::TooLarge(_))
        ));
    }

    #[test]
    fn a_target_with_a_query_string_is_read_with_the_body() {
        let form = Form::of_request("/?Action=X", b"Version=1\r\n").unwrap();
        assert_eq!(form.root().text("Action"), Some("X"));
        assert_eq!(form.root().text("Version"), Some("1"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(form) = Form::parse(&bytes) {
                let root = form.root();
                let _ = (root.texts("A", "B"), root.structures("A", "B").len());
                for name in form.values.keys() {
                    let _ = (root.integer(name), root.boolean(name), root.texts(name, "x"));
                }
            }
        }

        #[test]
        fn lists_are_found_under_any_names(text in "[AB.0-9&=%a-c]{0,200}") {
            if let Ok(form) = Form::parse(text.as_bytes()) {
                let _ = (form.root().texts("A", "B"), form.root().structures("B", "A"));
            }
        }

        #[test]
        fn encoded_values_come_back(value in "\\PC{0,64}") {
            let encoded: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
            let form = Form::parse(format!("V={encoded}").as_bytes()).unwrap();
            prop_assert_eq!(form.root().raw("V"), Some(value.as_str()));
        }
    }
}

//! The grammar of access strings: the words of Redis's ACL that say what a user may do. Passwords are no part of them.

use crate::api::error::ElastiCacheError;
use crate::catalogue::is_command;

const ACCESS_STRING_CHARS_MAX: usize = 4_096;
const WORDS: [&str; 12] = [
    "on",
    "off",
    "allkeys",
    "resetkeys",
    "allchannels",
    "resetchannels",
    "allcommands",
    "nocommands",
    "clearselectors",
    "sanitize-payload",
    "skip-sanitize-payload",
    "reset",
];
const CATEGORIES: [&str; 22] = [
    "all",
    "admin",
    "bitmap",
    "blocking",
    "connection",
    "dangerous",
    "fast",
    "geo",
    "hash",
    "hyperloglog",
    "keyspace",
    "list",
    "pubsub",
    "read",
    "scripting",
    "set",
    "slow",
    "sortedset",
    "stream",
    "string",
    "transaction",
    "write",
];

/// Checks an access string and gives it with single spaces.
pub(super) fn check(text: &str) -> Result<String, ElastiCacheError> {
    let invalid = |why: String| {
        Err(ElastiCacheError::InvalidValue(format!(
            "Access string is not valid: {why}. Example: on ~app:* +@read"
        )))
    };
    if text.len() > ACCESS_STRING_CHARS_MAX {
        return invalid(format!(
            "it is longer than {ACCESS_STRING_CHARS_MAX} characters"
        ));
    }
    let mut depth = 0_u8;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.is_empty() {
        return invalid(String::from("it is empty"));
    }
    for word in &words {
        let mut inner = *word;
        if let Some(rest) = inner.strip_prefix('(') {
            depth += 1;
            inner = rest;
        }
        let closes = depth > 0 && inner.ends_with(')');
        if closes {
            inner = &inner[..inner.len() - 1];
        }
        let empty_bracket = inner.is_empty() && inner.len() != word.len();
        if depth > 1 || !(empty_bracket || is_rule(inner, depth > 0)) {
            return invalid(format!("'{word}' is no rule"));
        }
        if closes {
            depth -= 1;
        }
    }
    if depth > 0 {
        return invalid(String::from("a selector is not closed"));
    }
    Ok(words.join(" "))
}

/// Whether a word is a rule; a selector's rules are about keys, channels and commands alone.
fn is_rule(word: &str, in_selector: bool) -> bool {
    if !word.chars().all(|c| c.is_ascii_graphic()) {
        return false;
    }
    if WORDS.contains(&word) {
        let of_user = ["on", "off", "reset", "clearselectors"];
        return !(in_selector && of_user.contains(&word)) && word != "reset";
    }
    if let Some(pattern) = word.strip_prefix('~').or_else(|| word.strip_prefix('&')) {
        return !pattern.is_empty();
    }
    if let Some(rest) = word.strip_prefix('%') {
        let Some((how, pattern)) = rest.split_once('~') else {
            return false;
        };
        return matches!(how, "R" | "W" | "RW" | "WR") && !pattern.is_empty();
    }
    let Some(command) = word.strip_prefix('+').or_else(|| word.strip_prefix('-')) else {
        return false;
    };
    match command.strip_prefix('@') {
        Some(category) => CATEGORIES.contains(&category.to_ascii_lowercase().as_str()),
        None => is_command(command, word.starts_with('+')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_keys_channels_and_commands_are_taken() {
        for text in [
            "on ~* +@all",
            "off ~app:* %R~shared:* &news.* +@read -@dangerous +config|get",
            "on allkeys allchannels allcommands",
            "on ~a +get (~b +set) (%W~c +@write &d)",
        ] {
            assert_eq!(check(text).as_deref(), Ok(text));
        }
        assert_eq!(check(" on   ~* ").as_deref(), Ok("on ~*"));
    }

    #[test]
    fn passwords_and_nonsense_are_refused() {
        for text in [
            "",
            "on nopass",
            "on >secret",
            "on #0123",
            "reset",
            "resetpass",
            "on ~",
            "on %X~a",
            "on +@nothing",
            "on +a|b|c",
            "on +nosuch",
            "everything",
            "on (~a",
            "on (on ~a)",
            "on ((~a))",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}

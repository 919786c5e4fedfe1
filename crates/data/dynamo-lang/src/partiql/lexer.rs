//! The tokens of PartiQL.
//!
//! Owns comments, quotes and numbers. Must not know the grammar.

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A bare word: a keyword, a function or a name.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// An unsigned number as it is written.
    Number(String),
    /// An operator or punctuation.
    Symbol(&'static str),
    /// The end.
    End,
}

/// A token, and the character of the statement that it begins at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) length: usize,
}

/// Longer symbols stand before the ones that begin them.
const SYMBOLS: [&str; 24] = [
    "<<", ">>", "<=", ">=", "<>", "!=", "||", "=", "<", ">", "(", ")", "[", "]", "{", "}", ",",
    ".", ":", ";", "?", "+", "-", "*",
];

/// All tokens, the last of which is `End`; `None` if some text is none.
pub(super) fn tokens(statement: &str) -> Option<Vec<Placed>> {
    let letters: Vec<char> = statement.chars().collect();
    let mut found = Vec::new();
    let mut at = skip_blanks(&letters, 0)?;
    while at < letters.len() {
        let (token, end) = token_at(&letters, at)?;
        found.push(Placed {
            token,
            start: at,
            length: end - at,
        });
        at = skip_blanks(&letters, end)?;
    }
    found.push(Placed {
        token: Token::End,
        start: letters.len(),
        length: 0,
    });
    Some(found)
}

/// The first letter from `at` on that is neither blank nor in a comment; `None` in a comment that does not end.
fn skip_blanks(letters: &[char], mut at: usize) -> Option<usize> {
    loop {
        let rest = &letters[at..];
        match rest {
            [blank, ..] if blank.is_whitespace() => at += 1,
            ['-', '-', ..] => {
                let end = rest.iter().position(|letter| *letter == '\n');
                at += end.unwrap_or(rest.len());
            }
            ['/', '*', ..] => {
                let end = rest[2..].windows(2).position(|pair| pair == ['*', '/'])?;
                at += end + 4;
            }
            _ => return Some(at),
        }
    }
}

fn token_at(letters: &[char], at: usize) -> Option<(Token, usize)> {
    let rest = &letters[at..];
    match rest {
        ['\'', ..] => quoted(letters, at, '\'').map(|(text, end)| (Token::Text(text), end)),
        ['"', ..] => quoted(letters, at, '"').map(|(text, end)| (Token::Quoted(text), end)),
        [digit, ..] if digit.is_ascii_digit() => Some(number(letters, at)),
        ['.', digit, ..] if digit.is_ascii_digit() => Some(number(letters, at)),
        [first, ..] if is_word_start(*first) => {
            let length = rest
                .iter()
                .take_while(|l| is_word_start(**l) || l.is_ascii_digit())
                .count();
            let word = rest[..length].iter().collect();
            Some((Token::Word(word), at + length))
        }
        _ => SYMBOLS.iter().find_map(|symbol| {
            let matches = symbol.chars().eq(rest.iter().copied().take(symbol.len()));
            matches.then(|| (Token::Symbol(symbol), at + symbol.len()))
        }),
    }
}

fn is_word_start(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_' || letter == '$'
}

/// Up to the closing quote; a doubled quote is one of the text's own.
fn quoted(letters: &[char], start: usize, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = start + 1;
    loop {
        let letter = *letters.get(at)?;
        at += 1;
        if letter == quote {
            if letters.get(at) != Some(&quote) {
                return Some((text, at));
            }
            at += 1;
        }
        text.push(letter);
    }
}

/// Digits, a fraction, an exponent; an `e` that no digits follow is another token.
fn number(letters: &[char], start: usize) -> (Token, usize) {
    let digits = |from: usize| {
        letters[from.min(letters.len())..]
            .iter()
            .take_while(|letter| letter.is_ascii_digit())
            .count()
    };
    let mut end = start + digits(start);
    if letters.get(end) == Some(&'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(letters.get(end), Some('e' | 'E')) {
        let signed = usize::from(matches!(letters.get(end + 1), Some('+' | '-')));
        let exponent = digits(end + 1 + signed);
        if exponent > 0 {
            end += 1 + signed + exponent;
        }
    }
    (Token::Number(letters[start..end].iter().collect()), end)
}

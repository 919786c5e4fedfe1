//! The tokens of expressions.
//!
//! Owns which characters make a name, a placeholder or an operator, and what a syntax error says. Must not know the
//! grammar.

/// What kind of token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A name as it stands.
    Name,
    /// `#name`.
    NamePlaceholder,
    /// `:value`.
    ValuePlaceholder,
    /// Digits: an index.
    Digits,
    /// A word of the grammar, in any case.
    Keyword(Keyword),
    /// An operator or punctuation.
    Symbol(Symbol),
    /// A character that begins no token.
    Unknown,
    /// The end of the text.
    End,
}

/// The words of the grammar. One lexer serves all kinds of expression, so none of them can be a bare name in any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    /// `AND`.
    And,
    /// `OR`.
    Or,
    /// `NOT`.
    Not,
    /// `BETWEEN`.
    Between,
    /// `IN`.
    In,
    /// `SET`.
    Set,
    /// `REMOVE`.
    Remove,
    /// `ADD`.
    Add,
    /// `DELETE`.
    Delete,
}

/// Operators and punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// `=`.
    Equal,
    /// `<>`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `[`.
    OpenBracket,
    /// `]`.
    CloseBracket,
    /// `,`.
    Comma,
    /// `.`.
    Dot,
    /// `+`.
    Plus,
    /// `-`.
    Minus,
}

const KEYWORDS: [(&str, Keyword); 9] = [
    ("AND", Keyword::And),
    ("OR", Keyword::Or),
    ("NOT", Keyword::Not),
    ("BETWEEN", Keyword::Between),
    ("IN", Keyword::In),
    ("SET", Keyword::Set),
    ("REMOVE", Keyword::Remove),
    ("ADD", Keyword::Add),
    ("DELETE", Keyword::Delete),
];

/// Longer symbols stand before the ones that begin them.
const SYMBOLS: [(&str, Symbol); 14] = [
    ("<>", Symbol::NotEqual),
    ("<=", Symbol::LessEqual),
    (">=", Symbol::GreaterEqual),
    ("=", Symbol::Equal),
    ("<", Symbol::Less),
    (">", Symbol::Greater),
    ("(", Symbol::Open),
    (")", Symbol::Close),
    ("[", Symbol::OpenBracket),
    ("]", Symbol::CloseBracket),
    (",", Symbol::Comma),
    (".", Symbol::Dot),
    ("+", Symbol::Plus),
    ("-", Symbol::Minus),
];

/// A token and the bytes it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Its first byte.
    pub(crate) start: usize,
    /// The byte after its last.
    pub(crate) end: usize,
}

/// A text and its tokens, the last of which is `End`.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Tokens<'a> {
    /// Splits `text`; every text has tokens.
    pub(crate) fn of(text: &'a str) -> Tokens<'a> {
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            if matches!(first, ' ' | '\t' | '\r' | '\n') {
                at += 1;
                continue;
            }
            let (kind, length) = token_at(&text[at..], first);
            let end = at + length;
            tokens.push(Token {
                kind,
                start: at,
                end,
            });
            at = end;
        }
        tokens.push(Token {
            kind: TokenKind::End,
            start: text.len(),
            end: text.len(),
        });
        Tokens { text, tokens }
    }

    /// The token at `index`; beyond the last one, the last one.
    pub(crate) fn get(&self, index: usize) -> Token {
        self.tokens[index.min(self.tokens.len() - 1)]
    }

    /// The token's own text.
    pub(crate) fn text_of(&self, index: usize) -> &'a str {
        let token = self.get(index);
        &self.text[token.start..token.end]
    }

    /// What AWS says of a token that cannot stand there: it, and the text from the token before it to the one after.
    pub(crate) fn syntax_error(&self, index: usize) -> String {
        let index = index.min(self.tokens.len() - 1);
        let token = match self.tokens[index].kind {
            TokenKind::End => "<EOF>",
            _ => self.text_of(index),
        };
        let start = self.tokens[index.saturating_sub(1)].start;
        let near = &self.text[start..self.get(index + 1).end];
        format!("Syntax error; token: \"{token}\", near: \"{near}\"")
    }
}

/// The token that `rest` begins with, and its length in bytes.
fn token_at(rest: &str, first: char) -> (TokenKind, usize) {
    match first {
        'a'..='z' | 'A'..='Z' => {
            let word = &rest[..word_length(rest)];
            let keyword = KEYWORDS
                .iter()
                .find(|(text, _)| text.eq_ignore_ascii_case(word));
            let kind = keyword.map_or(TokenKind::Name, |(_, keyword)| TokenKind::Keyword(*keyword));
            (kind, word.len())
        }
        '#' | ':' => match (first, 1 + word_length(&rest[1..])) {
            (_, 1) => (TokenKind::Unknown, 1),
            ('#', length) => (TokenKind::NamePlaceholder, length),
            (_, length) => (TokenKind::ValuePlaceholder, length),
        },
        // Indices are written without leading zeros.
        '0' => (TokenKind::Digits, 1),
        '1'..='9' => {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            (TokenKind::Digits, end.unwrap_or(rest.len()))
        }
        _ => SYMBOLS
            .iter()
            .find(|(text, _)| rest.starts_with(text))
            .map_or((TokenKind::Unknown, first.len_utf8()), |(text, symbol)| {
                (TokenKind::Symbol(*symbol), text.len())
            }),
    }
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

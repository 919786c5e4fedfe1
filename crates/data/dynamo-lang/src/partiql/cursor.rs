//! A statement being read: its tokens, its parameters, and what AWS says of those that cannot stand there.
//!
//! Owns names and paths. Must not know the clauses of statements.

use super::lexer::{Placed, Token, tokens};
use crate::{AttributeValue, Path, PathStep, ValidationError};

/// How AWS begins the message about a statement that it cannot read.
const NOT_WELL_FORMED: &str = "Statement wasn't well formed, can't be processed: ";
/// How deep conditions and values may nest in the text of a statement.
const DEPTH_MAX: usize = 100;
/// The greatest index of a list that can be written.
const INDEX_MAX: usize = 2_147_483_647;

/// Where reading a statement has come to.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    tokens: Vec<Placed>,
    /// The characters that begin lines after the first.
    line_starts: Vec<usize>,
    at: usize,
    depth: usize,
    parameters: &'a [AttributeValue],
    next_parameter: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(
        statement: &str,
        parameters: &'a [AttributeValue],
    ) -> Result<Cursor<'a>, ValidationError> {
        Ok(Cursor {
            tokens: tokens(statement).ok_or_else(|| not_well_formed(""))?,
            line_starts: statement
                .chars()
                .enumerate()
                .filter_map(|(at, letter)| (letter == '\n').then_some(at + 1))
                .collect(),
            at: 0,
            depth: 0,
            parameters,
            next_parameter: 0,
        })
    }

    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    /// The token after the one to come.
    pub(super) fn peek_second(&self) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + 1).min(last)].token
    }

    /// The number of the token to come, for `place`.
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    pub(super) fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn is_word(&self, keyword: &str) -> bool {
        matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn take_word(&mut self, keyword: &str) -> bool {
        let found = self.is_word(keyword);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect_word(&mut self, keyword: &str) -> Result<(), ValidationError> {
        if self.take_word(keyword) {
            Ok(())
        } else {
            Err(unexpected())
        }
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<(), ValidationError> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(unexpected())
        }
    }

    /// The end of the statement, behind one semicolon at most.
    pub(super) fn expect_end(&mut self) -> Result<(), ValidationError> {
        self.take_symbol(";");
        match self.peek() {
            Token::End => Ok(()),
            _ => Err(not_well_formed("Unexpected token after expression")),
        }
    }

    /// A name, bare or in double quotes.
    pub(super) fn name(&mut self) -> Result<String, ValidationError> {
        match self.peek() {
            Token::Word(_) | Token::Quoted(_) => match self.advance() {
                Token::Word(name) | Token::Quoted(name) => Ok(name),
                _ => Err(unexpected()),
            },
            _ => Err(unexpected()),
        }
    }

    /// `name.name[1]`; a member may also stand as `['name']`.
    pub(super) fn path(&mut self) -> Result<Path, ValidationError> {
        let mut path = Path::top(self.name()?);
        loop {
            if self.take_symbol(".") {
                match self.peek() {
                    Token::Word(_) | Token::Quoted(_) => {
                        path.steps.push(PathStep::Field(self.name()?));
                    }
                    _ => return Err(not_well_formed("Invalid path dot component")),
                }
            } else if self.take_symbol("[") {
                path.steps.push(match self.advance() {
                    Token::Number(digits) => index(&digits)?,
                    Token::Text(name) => PathStep::Field(name),
                    _ => return Err(unexpected()),
                });
                self.expect_symbol("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    /// The value of the next `?`.
    pub(super) fn parameter(&mut self) -> Result<AttributeValue, ValidationError> {
        let value = self.parameters.get(self.next_parameter).ok_or_else(|| {
            ValidationError::new("Number of parameters in request and statement don't match.")
        })?;
        self.next_parameter += 1;
        Ok(value.clone())
    }

    /// Goes one level of nesting down, if it may.
    pub(super) fn descend(&mut self) -> Result<(), ValidationError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(not_well_formed("Expression is nested too deeply"));
        }
        Ok(())
    }

    /// Comes back up.
    pub(super) fn ascend(&mut self) {
        self.depth -= 1;
    }

    /// "what at line:column:length", of the token with this number.
    pub(super) fn error_at(&self, what: &str, mark: usize) -> ValidationError {
        let placed = &self.tokens[mark.min(self.tokens.len() - 1)];
        let line = self
            .line_starts
            .partition_point(|start| *start <= placed.start);
        let line_start = line
            .checked_sub(1)
            .map_or(0, |before| self.line_starts[before]);
        let (line, column) = (line + 1, placed.start - line_start + 1);
        ValidationError::new(format!("{what} at {line}:{column}:{}", placed.length))
    }
}

fn index(digits: &str) -> Result<PathStep, ValidationError> {
    match digits.parse() {
        Ok(index) if index <= INDEX_MAX => Ok(PathStep::Index(index)),
        _ => Err(unexpected()),
    }
}

/// That the statement cannot be read, and why.
pub(super) fn not_well_formed(why: &str) -> ValidationError {
    ValidationError::new(format!("{NOT_WELL_FORMED}{why}"))
}

/// That a token cannot stand where it does.
pub(super) fn unexpected() -> ValidationError {
    not_well_formed("Unexpected token")
}

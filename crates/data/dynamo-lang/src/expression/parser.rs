//! From tokens to a tree.
//!
//! Owns the grammar of conditions and of the values that SET assigns. One pass with an explicit stack: parentheses may
//! hold a condition or an operand, and which of them is known only when they close. Must not know names' meaning.

use super::lexer::{Keyword, Symbol, TokenKind, Tokens};
use super::tree::{Arithmetic, Comparator, Node, NodeId, RawStep, Tree};

/// What has begun and waits for its last part.
#[derive(Debug)]
enum Frame {
    /// `(`; whether only an operand may stand in it.
    Paren { operand_only: bool },
    /// `name(` and the arguments before the last comma.
    Call(usize, Vec<NodeId>),
    /// `a IN (` and the operands before the last comma.
    In(NodeId, Vec<NodeId>),
    /// `a =`.
    Compare(Comparator, NodeId),
    /// `a BETWEEN`.
    BetweenLow(NodeId),
    /// `a BETWEEN b AND`.
    BetweenHigh(NodeId, NodeId),
    /// `a +`.
    Arithmetic(Arithmetic, NodeId),
    /// `NOT`.
    Not,
    /// `a AND`.
    And(NodeId),
    /// `a OR`.
    Or(NodeId),
}

/// What the whole text, or the part of it, has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Condition,
    SetValue,
}

/// Reads one text.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    /// The text's tokens.
    pub(crate) tokens: Tokens<'a>,
    /// The nodes so far.
    pub(crate) tree: Tree,
    at: usize,
}

impl<'a> Parser<'a> {
    /// Begins at the text's start.
    pub(crate) fn new(text: &'a str) -> Parser<'a> {
        Parser {
            tokens: Tokens::of(text),
            tree: Tree::default(),
            at: 0,
        }
    }

    /// The kind of the token to come.
    pub(crate) fn peek(&self) -> TokenKind {
        self.tokens.get(self.at).kind
    }

    /// Takes the token to come, whatever it is.
    pub(crate) fn advance(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }

    /// Takes the symbol if it comes.
    pub(crate) fn take(&mut self, symbol: Symbol) -> bool {
        let found = self.peek() == TokenKind::Symbol(symbol);
        self.at += usize::from(found);
        found
    }

    /// Takes the symbol, or says what stands there.
    pub(crate) fn expect(&mut self, symbol: Symbol) -> Result<(), String> {
        if self.take(symbol) {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    /// Takes the end of the text.
    pub(crate) fn expect_end(&self) -> Result<(), String> {
        if self.peek() == TokenKind::End {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    /// That the token to come cannot stand there.
    pub(crate) fn syntax_error(&self) -> String {
        self.tokens.syntax_error(self.at)
    }

    /// `:value`, and its token.
    pub(crate) fn value(&mut self) -> Result<usize, String> {
        if self.peek() == TokenKind::ValuePlaceholder {
            Ok(self.advance())
        } else {
            Err(self.syntax_error())
        }
    }

    /// `name.name[1]`.
    pub(crate) fn path(&mut self) -> Result<Vec<RawStep>, String> {
        let mut steps = vec![self.path_name()?];
        loop {
            if self.take(Symbol::Dot) {
                steps.push(self.path_name()?);
            } else if self.take(Symbol::OpenBracket) {
                if self.peek() != TokenKind::Digits {
                    return Err(self.syntax_error());
                }
                steps.push(RawStep::Index(self.advance()));
                self.expect(Symbol::CloseBracket)?;
            } else {
                return Ok(steps);
            }
        }
    }

    fn path_name(&mut self) -> Result<RawStep, String> {
        match self.peek() {
            TokenKind::Name => Ok(RawStep::Name(self.advance())),
            TokenKind::NamePlaceholder => Ok(RawStep::Placeholder(self.advance())),
            _ => Err(self.syntax_error()),
        }
    }

    /// A whole text that is a condition.
    pub(crate) fn condition(&mut self) -> Result<NodeId, String> {
        let root = self.parse(Goal::Condition)?;
        self.expect_end()?;
        Ok(root)
    }

    /// What SET assigns: an operand, or the sum or difference of two; the latter may stand in parentheses.
    pub(crate) fn set_value(&mut self) -> Result<NodeId, String> {
        self.parse(Goal::SetValue)
    }

    fn parse(&mut self, goal: Goal) -> Result<NodeId, String> {
        let mut frames = Vec::new();
        loop {
            let mut term = self.term(goal, &mut frames)?;
            loop {
                match self.after(goal, &mut frames, term)? {
                    After::Term(reduced) => term = reduced,
                    After::Expect => break,
                    After::Done => return Ok(term),
                }
            }
        }
    }

    /// Up to and with the next path, value or the like; what opens before it goes onto the stack.
    fn term(&mut self, goal: Goal, frames: &mut Vec<Frame>) -> Result<NodeId, String> {
        loop {
            let operand_only = operand_only(goal, frames.last());
            match self.peek() {
                TokenKind::Symbol(Symbol::Open) => {
                    self.advance();
                    frames.push(Frame::Paren { operand_only });
                }
                TokenKind::Keyword(Keyword::Not) if !operand_only => {
                    self.advance();
                    frames.push(Frame::Not);
                }
                TokenKind::ValuePlaceholder => {
                    let token = self.advance();
                    return Ok(self.tree.add(Node::Value(token)));
                }
                TokenKind::Name
                    if self.tokens.get(self.at + 1).kind == TokenKind::Symbol(Symbol::Open) =>
                {
                    let name = self.advance();
                    self.advance();
                    frames.push(Frame::Call(name, Vec::new()));
                }
                _ => {
                    let path = self.path()?;
                    return Ok(self.tree.add(Node::Path(path)));
                }
            }
        }
    }

    /// What to do with `term` before the token to come.
    fn after(
        &mut self,
        goal: Goal,
        frames: &mut Vec<Frame>,
        term: NodeId,
    ) -> Result<After, String> {
        match frames.pop() {
            Some(Frame::Compare(comparator, left)) => {
                Ok(self.reduce(Node::Compare(comparator, left, term)))
            }
            Some(Frame::BetweenHigh(left, low)) => Ok(self.reduce(Node::Between(left, low, term))),
            Some(Frame::Arithmetic(sign, left)) => {
                Ok(self.reduce(Node::Arithmetic(sign, left, term)))
            }
            Some(Frame::BetweenLow(left)) => {
                if self.peek() != TokenKind::Keyword(Keyword::And) {
                    return Err(self.syntax_error());
                }
                self.advance();
                frames.push(Frame::BetweenHigh(left, term));
                Ok(After::Expect)
            }
            Some(Frame::Call(name, mut arguments)) => {
                arguments.push(term);
                if self.take(Symbol::Comma) {
                    frames.push(Frame::Call(name, arguments));
                    return Ok(After::Expect);
                }
                self.expect(Symbol::Close)?;
                Ok(self.reduce(Node::Call(name, arguments)))
            }
            Some(Frame::In(left, mut operands)) => {
                operands.push(term);
                if self.take(Symbol::Comma) {
                    frames.push(Frame::In(left, operands));
                    return Ok(After::Expect);
                }
                self.expect(Symbol::Close)?;
                Ok(self.reduce(Node::In(left, operands)))
            }
            Some(Frame::Paren { operand_only: true }) => self.after_operand(frames, term),
            None if goal == Goal::SetValue => self.after_set_value(frames, term),
            frame => self.after_condition(frames, frame, term),
        }
    }

    /// Inside parentheses that hold an operand, or, around a whole SET value, a sum.
    fn after_operand(&mut self, frames: &mut Vec<Frame>, term: NodeId) -> Result<After, String> {
        if self.take(Symbol::Close) {
            return self.close(term);
        }
        if frames.is_empty()
            && let Some(sign) = self.sign()
            && self.tree.is_operand(term)
        {
            self.advance();
            frames.push(Frame::Paren { operand_only: true });
            frames.push(Frame::Arithmetic(sign, term));
            return Ok(After::Expect);
        }
        Err(self.syntax_error())
    }

    fn after_set_value(&mut self, frames: &mut Vec<Frame>, term: NodeId) -> Result<After, String> {
        match self.sign() {
            Some(sign) if self.tree.is_operand(term) => {
                self.advance();
                frames.push(Frame::Arithmetic(sign, term));
                Ok(After::Expect)
            }
            Some(_) => Err(self.syntax_error()),
            None => Ok(After::Done),
        }
    }

    fn sign(&self) -> Option<Arithmetic> {
        match self.peek() {
            TokenKind::Symbol(Symbol::Plus) => Some(Arithmetic::Plus),
            TokenKind::Symbol(Symbol::Minus) => Some(Arithmetic::Minus),
            _ => None,
        }
    }

    /// `term` stands where a condition may; `frame`, taken off the stack, is what it stands in.
    fn after_condition(
        &mut self,
        frames: &mut Vec<Frame>,
        frame: Option<Frame>,
        term: NodeId,
    ) -> Result<After, String> {
        let next = self.peek();
        if self.tree.is_operand(term)
            && let Some(opened) = comparison(next, term)
        {
            frames.extend(frame);
            frames.push(opened);
            self.advance();
            if matches!(frames.last(), Some(Frame::In(..))) {
                self.expect(Symbol::Open)?;
            }
            return Ok(After::Expect);
        }
        if !self.tree.is_condition(term) {
            // An operand in parentheses, to be compared once they are closed.
            return match frame {
                Some(Frame::Paren { .. }) if self.take(Symbol::Close) => self.close(term),
                _ => Err(self.syntax_error()),
            };
        }
        match (frame, next) {
            (Some(Frame::Not), _) => Ok(self.reduce(Node::Not(term))),
            (Some(Frame::And(left)), _) => Ok(self.reduce(Node::And(left, term))),
            (frame, TokenKind::Keyword(Keyword::And)) => {
                frames.extend(frame);
                frames.push(Frame::And(term));
                self.advance();
                Ok(After::Expect)
            }
            (Some(Frame::Or(left)), _) => Ok(self.reduce(Node::Or(left, term))),
            (frame, TokenKind::Keyword(Keyword::Or)) => {
                frames.extend(frame);
                frames.push(Frame::Or(term));
                self.advance();
                Ok(After::Expect)
            }
            (Some(Frame::Paren { .. }), TokenKind::Symbol(Symbol::Close)) => {
                self.advance();
                self.close(term)
            }
            (None, TokenKind::End) => Ok(After::Done),
            _ => Err(self.syntax_error()),
        }
    }

    /// The parentheses around `term` are closed. Two pairs around one thing are refused at once, before what follows.
    fn close(&mut self, term: NodeId) -> Result<After, String> {
        if matches!(self.tree.node(term), Node::Paren(_)) {
            return Err("The expression has redundant parentheses;".to_owned());
        }
        Ok(self.reduce(Node::Paren(term)))
    }

    fn reduce(&mut self, node: Node) -> After {
        After::Term(self.tree.add(node))
    }
}

/// What follows a term.
enum After {
    /// The term is now part of this one.
    Term(NodeId),
    /// Another term.
    Expect,
    /// Nothing: the term is the whole.
    Done,
}

/// Whether no condition can stand where the innermost frame waits.
fn operand_only(goal: Goal, frame: Option<&Frame>) -> bool {
    match frame {
        None => goal == Goal::SetValue,
        Some(Frame::Paren { operand_only }) => *operand_only,
        Some(Frame::Not | Frame::And(_) | Frame::Or(_)) => false,
        Some(_) => true,
    }
}

/// The comparison of `left` that `token` begins.
fn comparison(token: TokenKind, left: NodeId) -> Option<Frame> {
    let comparator = match token {
        TokenKind::Keyword(Keyword::Between) => return Some(Frame::BetweenLow(left)),
        TokenKind::Keyword(Keyword::In) => return Some(Frame::In(left, Vec::new())),
        TokenKind::Symbol(Symbol::Equal) => Comparator::Eq,
        TokenKind::Symbol(Symbol::NotEqual) => Comparator::Ne,
        TokenKind::Symbol(Symbol::Less) => Comparator::Lt,
        TokenKind::Symbol(Symbol::LessEqual) => Comparator::Le,
        TokenKind::Symbol(Symbol::Greater) => Comparator::Gt,
        TokenKind::Symbol(Symbol::GreaterEqual) => Comparator::Ge,
        _ => return None,
    };
    Some(Frame::Compare(comparator, left))
}

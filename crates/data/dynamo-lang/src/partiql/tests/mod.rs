//! What statements mean, and what AWS says of wrong ones.

mod key_plan;
mod meaning;
mod refusals;

use super::*;
use crate::Item;
use crate::expression::values::*;

fn parse(text: &str) -> Statement {
    Statement::parse(text, &[]).expect(text)
}

fn refusal(text: &str) -> String {
    match Statement::parse(text, &[]) {
        Ok(_) => format!("accepted: {text}"),
        Err(error) => error.message,
    }
}

fn select(text: &str) -> Select {
    match parse(text) {
        Statement::Select(select) => select,
        other => panic!("{other:?}"),
    }
}

fn sample() -> Item {
    item([
        ("pk", s("1")),
        ("n", n("5")),
        ("s", s("it's")),
        ("ss", ss(&["a", "b", "c"])),
        ("nul", null()),
        ("flag", yes()),
        ("l", l([n("1"), l([n("2")])])),
        (
            "m",
            m([("sub", s("x")), ("a b", n("2")), ("k", l([s("p"), s("q")]))]),
        ),
        ("a.b", n("9")),
    ])
}

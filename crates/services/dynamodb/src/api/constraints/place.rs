//! Where in a request a value is, as AWS's messages write it: `keySchema.1.member.attributeName`.

use std::fmt;

/// A place in a request. Lives on the stack and costs nothing until it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Member(&'a str),
    Element(usize),
    Entry(&'a str),
}

impl<'a> Place<'a> {
    /// A member of the request, by AWS's name for it.
    pub(crate) const fn of(name: &'a str) -> Place<'a> {
        Place {
            parent: None,
            step: Step::Member(name),
        }
    }

    /// A member of the structure here.
    pub(crate) const fn member(&'a self, name: &'a str) -> Place<'a> {
        Place {
            parent: Some(self),
            step: Step::Member(name),
        }
    }

    /// An element of the list here; the first is 0.
    pub(crate) const fn element(&'a self, index: usize) -> Place<'a> {
        Place {
            parent: Some(self),
            step: Step::Element(index),
        }
    }

    /// The value under a key of the map here.
    pub(crate) const fn entry(&'a self, key: &'a str) -> Place<'a> {
        Place {
            parent: Some(self),
            step: Step::Entry(key),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        match self.step {
            Step::Member(name) => {
                let mut letters = name.chars();
                if let Some(first) = letters.next() {
                    write!(f, "{}{}", first.to_ascii_lowercase(), letters.as_str())?;
                }
                Ok(())
            }
            Step::Element(index) => write!(f, "{}.member", index + 1),
            Step::Entry(key) => write!(f, "{key}.member"),
        }
    }
}

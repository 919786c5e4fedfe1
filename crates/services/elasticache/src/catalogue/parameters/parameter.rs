//! One parameter: its values, and when they take effect.

/// One parameter of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// As in `maxmemory-policy`.
    pub name: &'static str,
    /// What holds where no group says otherwise.
    pub default: &'static str,
    /// What values it takes.
    pub kind: ParameterKind,
    /// Whether users may set it.
    pub modifiable: bool,
    /// When a change takes effect.
    pub change: ChangeType,
    /// The first version of the engine that has it.
    pub since: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// `yes` or `no`.
    YesNo,
    /// `0` or `1`.
    Bit,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// Zero, or a whole number within bounds.
    ZeroOr(i64, i64),
    /// A number above one with a fraction.
    Factor,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Any of these letters, each at most once.
    Letters(&'static str),
    /// Text that only the product writes.
    Owned,
}

/// `ChangeType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeType {
    /// Engines take it while they run.
    Immediate,
    /// Engines take it when they start.
    RequiresReboot,
}

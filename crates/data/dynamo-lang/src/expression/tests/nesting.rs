//! Depth costs no stack.

use super::*;

/// A thread's smallest usual stack is far smaller than what recursion over these texts would need.
fn on_a_small_stack(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let built = std::thread::Builder::new().stack_size(96 * 1024);
        built.spawn_scoped(scope, work).unwrap().join().unwrap();
    });
}

fn parse(text: &str) -> Result<Condition, String> {
    Condition::parse(ConditionKind::Condition, text, &mut usual()).map_err(|error| error.message)
}

#[test]
fn ten_thousand_parentheses_are_refused_at_once() {
    on_a_small_stack(|| {
        let text = format!("{}a = :s{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(
            parse(&text)
                .unwrap_err()
                .contains("Expression size has exceeded")
        );
        let unclosed = "(".repeat(4096);
        assert!(parse(&unclosed).unwrap_err().contains("token: \"<EOF>\""));
        let doubled = format!("{}a<b{}", "(".repeat(2046), ")".repeat(2046));
        assert!(
            parse(&doubled)
                .unwrap_err()
                .ends_with("The expression has redundant parentheses;")
        );
    });
}

#[test]
fn the_deepest_allowed_condition_is_parsed_asked_and_sent() {
    on_a_small_stack(|| {
        let deep = format!("{}a<b{}", "a<b or (".repeat(149), ")".repeat(149));
        let condition = parse(&deep).unwrap();
        assert!(condition.eval(Some(&item([("a", n("1")), ("b", n("2"))]))));
        let bytes = postcard::to_stdvec(&condition).unwrap();
        assert_eq!(
            postcard::from_bytes::<Condition>(&bytes).unwrap(),
            condition
        );
        let negated = format!("{}a<b", "not ".repeat(299));
        assert!(parse(&negated).unwrap().eval(None));
    });
}

#[test]
fn deep_calls_are_refused_or_parsed() {
    on_a_small_stack(|| {
        let unknown = format!("a < {}b{}", "f(".repeat(1355), ")".repeat(1355));
        assert!(
            parse(&unknown)
                .unwrap_err()
                .ends_with("Invalid function name; function: f")
        );
        let sizes = format!("a < {}b{}", "size(".repeat(680), ")".repeat(680));
        assert!(
            parse(&sizes)
                .unwrap_err()
                .ends_with("operator or function: size, operand type: N")
        );
        let lists = format!(
            "SET a = {}b{}",
            "list_append(:l,".repeat(250),
            ")".repeat(250)
        );
        let update = Update::parse(&lists, &mut usual()).unwrap();
        let old = item([("b", l([s("end")]))]);
        let after = update.apply(Some(&old), &old).unwrap();
        assert!(matches!(&after.item["a"], AttributeValue::L(list) if list.len() == 251));
    });
}

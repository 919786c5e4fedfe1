//! A small tree of XML elements, and its text.
//!
//! Owns escaping, and what happens to characters that XML cannot carry. Must not know any document's shape.

use std::borrow::Cow;
use std::fmt::Display;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// One element: a name, and either text or children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    name: Cow<'static, str>,
    namespace: Option<&'static str>,
    text: Option<String>,
    children: Vec<Element>,
}

impl Element {
    /// An element with nothing in it.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Element {
        Element {
            name: name.into(),
            namespace: None,
            text: None,
            children: Vec::new(),
        }
    }

    /// An element with a text.
    #[must_use]
    pub fn text(name: impl Into<Cow<'static, str>>, text: impl Display) -> Element {
        let mut element = Element::new(name);
        element.text = Some(text.to_string());
        element
    }

    /// An element whose children are made one from each item.
    #[must_use]
    pub fn list<T>(
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        make: impl FnMut(T) -> Element,
    ) -> Element {
        let mut element = Element::new(name);
        element.children = items.into_iter().map(make).collect();
        element
    }

    /// Declares the namespace of this element and all in it.
    #[must_use]
    pub fn namespace(mut self, namespace: &'static str) -> Element {
        self.namespace = Some(namespace);
        self
    }

    /// Adds a child.
    #[must_use]
    pub fn with(mut self, child: Element) -> Element {
        self.children.push(child);
        self
    }

    /// Adds several children.
    #[must_use]
    pub fn with_all(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.children.extend(children);
        self
    }

    /// Adds a child with a text.
    #[must_use]
    pub fn field(self, name: &'static str, value: impl Display) -> Element {
        self.with(Element::text(name, value))
    }

    /// Adds a child with a text when there is a value.
    #[must_use]
    pub fn field_if(self, name: &'static str, value: Option<impl Display>) -> Element {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// The whole document, with its declaration.
    #[must_use]
    pub fn to_document(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
        write(&mut writer, Event::Decl(declaration));
        self.write_to(&mut writer);
        writer.into_inner()
    }

    fn write_to(&self, writer: &mut Writer<Vec<u8>>) {
        let mut start = BytesStart::new(self.name.as_ref());
        if let Some(namespace) = self.namespace {
            start.push_attribute(("xmlns", namespace));
        }
        if self.text.is_none() && self.children.is_empty() {
            write(writer, Event::Empty(start));
            return;
        }
        write(writer, Event::Start(start));
        if let Some(text) = &self.text {
            write(writer, Event::Text(BytesText::new(&printable(text))));
        }
        for child in &self.children {
            child.write_to(writer);
        }
        write(writer, Event::End(BytesEnd::new(self.name.as_ref())));
    }
}

fn write(writer: &mut Writer<Vec<u8>>, event: Event<'_>) {
    writer
        .write_event(event)
        .expect("writing to memory does not fail");
}

/// The text with U+FFFD in place of each character that XML 1.0 has no way to write (section 2.2).
fn printable(text: &str) -> Cow<'_, str> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(allowed) {
        Cow::Borrowed(text)
    } else {
        let replace = |c| if allowed(c) { c } else { '\u{fffd}' };
        Cow::Owned(text.chars().map(replace).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;

    use super::*;

    fn text_of(element: &Element) -> String {
        String::from_utf8(element.to_document()).unwrap()
    }

    #[test]
    fn a_tree_is_written_with_escapes() {
        let tree = Element::new("A")
            .namespace("urn:x")
            .field("B", "1 < 2 & \"3\"")
            .field_if("C", None::<u8>)
            .with(Element::list("L", [1, 2], |n| Element::text("n", n)))
            .with(Element::new("E"));
        assert_eq!(
            text_of(&tree),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><A xmlns=\"urn:x\">\
             <B>1 &lt; 2 &amp; &quot;3&quot;</B><L><n>1</n><n>2</n></L><E/></A>"
        );
    }

    #[test]
    fn characters_that_xml_cannot_carry_are_replaced() {
        let written = text_of(&Element::text("A", "a\u{0}b\u{1b}c\r\u{ffff}d\te"));
        assert!(written.ends_with("<A>a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d\te</A>"));
    }

    proptest! {
        #[test]
        fn every_text_gives_a_document_that_reads(text in any::<String>()) {
            let document = Element::new("A").field("B", text).to_document();
            let mut reader = Reader::from_reader(document.as_slice());
            loop {
                match reader.read_event() {
                    Ok(Event::Eof) => break,
                    Ok(_) => {}
                    Err(error) => prop_assert!(false, "{error}"),
                }
            }
        }
    }
}

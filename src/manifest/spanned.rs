//! Values that remember the bytes they were read from, and lists that may be written as one string.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IntoDeserializer as _, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

/// A value and the bytes of its file that it was read from.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Sp<T>(toml::Spanned<T>);

impl<T> Sp<T> {
    /// Returns the value.
    pub(super) fn get(&self) -> &T {
        self.0.get_ref()
    }

    /// Returns the bytes that it was read from.
    pub(super) fn span(&self) -> Range<usize> {
        self.0.span()
    }
}

impl<T: PartialEq> PartialEq for Sp<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for Sp<T> {}

impl<T: PartialOrd> PartialOrd for Sp<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.get().partial_cmp(other.get())
    }
}

impl<T: Ord> Ord for Sp<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.get().cmp(other.get())
    }
}

impl<T: JsonSchema> JsonSchema for Sp<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A list that may be written as a single string.
#[derive(Debug, Clone)]
pub(super) struct OneOrMany<T> {
    span: Range<usize>,
    items: Vec<Sp<T>>,
}

impl<T> OneOrMany<T> {
    /// Returns the items in order.
    pub(super) fn items(&self) -> &[Sp<T>] {
        &self.items
    }

    /// Returns the bytes of the string or of the whole list.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// What a [`OneOrMany`] was written as.
enum Written<T> {
    One(T),
    Many(Vec<Sp<T>>),
}

struct WrittenVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for WrittenVisitor<T> {
    type Value = Written<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(text.into_deserializer()).map(Written::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Written::Many(items))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor(PhantomData))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = toml::Spanned::<Written<T>>::deserialize(deserializer)?;
        let span = written.span();
        let items = match written.into_inner() {
            Written::One(item) => vec![Sp(toml::Spanned::new(span.clone(), item))],
            Written::Many(items) => items,
        };
        Ok(Self { span, items })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [item, { "type": "array", "items": item }] })
    }
}

/// A word out of a fixed list, as the manifest spells it.
pub(super) trait Word: Sized + Copy {
    /// The name of the list in the JSON Schema.
    const NAME: &'static str;

    /// Returns the words that this version acts on, with what they stand for.
    fn words() -> Vec<(&'static str, Self)>;

    /// Returns the words of the language that this version does not act on.
    fn later() -> Vec<&'static str> {
        Vec::new()
    }
}

/// A value written as one word out of a fixed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Choice<T>(pub(super) T);

impl<'de, T: Word> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = T::words().into_iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| Self(value)).ok_or_else(|| serde::de::Error::custom("not one of the words"))
    }
}

impl<T: Word> JsonSchema for Choice<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::words().into_iter().map(|(word, _)| word).collect();
        let mut schema = schemars::json_schema!({ "type": "string", "enum": words });
        let later = T::later();
        if !later.is_empty() {
            schema.insert(super::schema::LATER.to_owned(), later.into());
        }
        schema
    }
}

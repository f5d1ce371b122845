//! A dotted key followed into a recipe: the recipe's own types say which parts exist, which of them are
//! alternatives, and whether the value fits.

use std::cell::RefCell;

use offkey_core::wrong_kind;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// What one part of a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A setting beside others.
    Field,
    /// An alternative: it takes the place of another.
    Variant,
    /// One item of a list.
    Item(usize),
}

/// Why a key or its value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such part.
    Unknown { at: usize, expected: Vec<&'static str> },
    /// The key goes on behind a value that has no parts.
    Deeper { at: usize },
    /// The value is of another kind.
    Value { problem: String },
}

/// What each part of a key names in a `T`, where the key exists and the value fits.
pub(crate) fn follow<T: DeserializeOwned>(
    parts: &[&str],
    value: &toml::Value,
) -> Result<Vec<Step>, Refusal> {
    let trace = RefCell::new(Trace { steps: Vec::new(), refusal: None, reached: false });
    // What is made of the value is thrown away, and that other settings are missing says nothing.
    let _ = T::deserialize(Follower { parts, at: 0, value, trace: &trace });
    let trace = trace.into_inner();
    match trace.refusal {
        Some(refusal) => Err(refusal),
        None if trace.reached => Ok(trace.steps),
        None => Err(Refusal::Deeper { at: trace.steps.len() }),
    }
}

struct Trace {
    steps: Vec<Step>,
    refusal: Option<Refusal>,
    reached: bool,
}

/// The part of a key that is followed next; behind the last stands the value.
#[derive(Clone, Copy)]
struct Follower<'a> {
    parts: &'a [&'a str],
    at: usize,
    value: &'a toml::Value,
    trace: &'a RefCell<Trace>,
}

type Halt = toml::de::Error;

impl<'a> Follower<'a> {
    fn part(self) -> Option<&'a str> {
        self.parts.get(self.at).copied()
    }

    fn next(self, step: Step) -> Self {
        self.trace.borrow_mut().steps.push(step);
        Self { at: self.at + 1, ..self }
    }

    fn refuse<T>(self, refusal: Refusal) -> Result<T, Halt> {
        self.trace.borrow_mut().refusal.get_or_insert(refusal);
        Err(Halt::custom("the key ends here"))
    }

    /// The value where the key ends, or the refusal of a key that goes on.
    fn leaf<V>(self, read: impl FnOnce(toml::Value) -> Result<V, Halt>) -> Result<V, Halt> {
        if self.part().is_some() {
            return self.refuse(Refusal::Deeper { at: self.at });
        }
        match read(self.value.clone()) {
            Ok(value) => {
                self.trace.borrow_mut().reached = true;
                Ok(value)
            }
            Err(error) => self.refuse(Refusal::Value { problem: wrong_kind(error.message()) }),
        }
    }

    fn named(self, expected: &'static [&'static str]) -> Result<&'a str, Halt> {
        let part = self.part().unwrap_or_default();
        if expected.contains(&part) {
            return Ok(part);
        }
        self.refuse(Refusal::Unknown { at: self.at, expected: expected.to_vec() })
    }
}

macro_rules! leaves {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
            self.leaf(|value| value.$method(visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for Follower<'_> {
    type Error = Halt;

    leaves! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_unit deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.leaf(|value| value.deserialize_unit_struct(name, visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        match self.part().map(str::parse) {
            None => self.leaf(|value| value.deserialize_seq(visitor)),
            Some(Ok(index)) => visitor.visit_seq(One(Some(self.next(Step::Item(index))))),
            Some(Err(_)) => self.refuse(Refusal::Unknown { at: self.at, expected: vec!["0"] }),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.leaf(|value| value.deserialize_tuple(length, visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.leaf(|value| value.deserialize_tuple_struct(name, length, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        if self.part().is_none() {
            return self.leaf(|value| value.deserialize_struct(name, fields, visitor));
        }
        let field = self.named(fields)?;
        visitor.visit_map(Entry { field: Some(field), value: self.next(Step::Field) })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        if self.part().is_none() {
            return self.leaf(|value| value.deserialize_enum(name, variants, visitor));
        }
        let variant = self.named(variants)?;
        visitor.visit_enum(Alternative { variant, value: self.next(Step::Variant) })
    }
}

/// A table with one entry.
struct Entry<'a> {
    field: Option<&'a str>,
    value: Follower<'a>,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Halt> {
        self.field.take().map(|field| seed.deserialize(field.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Halt> {
        seed.deserialize(self.value)
    }
}

/// A list with one item.
struct One<'a>(Option<Follower<'a>>);

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Halt;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Halt> {
        self.0.take().map(|item| seed.deserialize(item)).transpose()
    }
}

/// One of several alternatives.
struct Alternative<'a> {
    variant: &'a str,
    value: Follower<'a>,
}

impl<'a, 'de> EnumAccess<'de> for Alternative<'a> {
    type Error = Halt;
    type Variant = Follower<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Halt> {
        Ok((seed.deserialize(self.variant.into_deserializer())?, self.value))
    }
}

impl<'de> VariantAccess<'de> for Follower<'_> {
    type Error = Halt;

    fn unit_variant(self) -> Result<(), Halt> {
        self.refuse(Refusal::Deeper { at: self.at - 1 })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Halt> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Halt> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.deserialize_struct("", fields, visitor)
    }
}

/// The alternative that a followed key would take the place of, and which part of the key names the new one.
pub(crate) fn replaced(
    here: &toml::Value,
    parts: &[&str],
    steps: &[Step],
) -> Option<(usize, String)> {
    let mut here = here;
    for (at, (part, step)) in parts.iter().zip(steps).enumerate() {
        if *step == Step::Variant && here.get(part).is_none() {
            let old = here.as_str().or_else(|| here.as_table()?.keys().next().map(String::as_str));
            return old.map(|old| (at, old.to_owned()));
        }
        here = match step {
            Step::Item(index) => here.as_array()?.get(*index)?,
            Step::Field | Step::Variant => here.get(part)?,
        };
    }
    None
}

/// Puts a value at a followed key of a table: what is absent is made, and an alternative replaces the
/// one before. False where a list is shorter than the key says.
pub(crate) fn put(
    here: &mut toml::Value,
    parts: &[&str],
    steps: &[Step],
    value: toml::Value,
) -> bool {
    let (Some((part, parts)), Some((step, steps))) = (parts.split_first(), steps.split_first())
    else {
        *here = value;
        return true;
    };
    if let Step::Item(index) = step {
        let item = here.as_array_mut().and_then(|items| items.get_mut(*index));
        return item.is_some_and(|item| put(item, parts, steps, value));
    }
    let stays = match step {
        Step::Field => here.is_table(),
        Step::Variant | Step::Item(_) => here.get(part).is_some(),
    };
    if !stays {
        *here = toml::Value::Table(toml::Table::new());
    }
    let Some(table) = here.as_table_mut() else { return false };
    let entry = table.entry((*part).to_owned());
    put(entry.or_insert_with(|| toml::Value::Table(toml::Table::new())), parts, steps, value)
}

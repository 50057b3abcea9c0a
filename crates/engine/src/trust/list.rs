//! The list of `trust.endpoints` in a parsed profile, in each of the ways in which TOML writes one.

use toml_edit::{Array, ArrayOfTables, Decor, DocumentMut, InlineTable, Item, Table, Value};

/// Indentation of a list that is begun here.
const INDENT: &str = "    ";

/// The list.
pub(super) enum List<'d> {
    /// `endpoints = [ … ]`
    Array(&'d mut Array),
    /// `[[trust.endpoints]]`
    Tables(&'d mut ArrayOfTables),
}

impl<'d> List<'d> {
    /// The list, made where there is none; none when something else stands in its place.
    pub(super) fn of(document: &'d mut DocumentMut) -> Option<Self> {
        let is_first = document.is_empty();
        let trust = document.entry("trust").or_insert_with(|| {
            let mut table = Table::new();
            if !is_first {
                table.decor_mut().set_prefix("\n");
            }
            Item::Table(table)
        });
        let endpoints = trust.as_table_like_mut()?.entry("endpoints");
        Self::in_item(endpoints.or_insert_with(|| Item::Value(Value::Array(Array::new()))))
    }

    /// The list if there is one; the outer none when something else stands in its place.
    pub(super) fn existing(document: &'d mut DocumentMut) -> Option<Option<Self>> {
        let Some(trust) = document.get_mut("trust") else { return Some(None) };
        match trust.as_table_like_mut()?.get_mut("endpoints") {
            None => Some(None),
            Some(endpoints) => Self::in_item(endpoints).map(Some),
        }
    }

    fn in_item(item: &'d mut Item) -> Option<Self> {
        match item {
            Item::Value(Value::Array(array)) => Some(Self::Array(array)),
            Item::ArrayOfTables(tables) => Some(Self::Tables(tables)),
            Item::None | Item::Value(_) | Item::Table(_) => None,
        }
    }

    /// Each element as TOML text without what stands around it.
    pub(super) fn texts(&self) -> Vec<String> {
        let bare = |mut value: Value| {
            value.decor_mut().clear();
            value.to_string()
        };
        match self {
            Self::Array(array) => array.iter().cloned().map(bare).collect(),
            Self::Tables(tables) => {
                tables.iter().map(|table| bare(Value::InlineTable(table.clone().into_inline_table()))).collect()
            }
        }
    }

    /// Puts an element at the end, in the style of the others.
    pub(super) fn push(&mut self, value: Value) {
        match self {
            Self::Array(array) => push(array, value),
            Self::Tables(tables) => {
                let mut table = table_of(value);
                if !tables.is_empty() {
                    table.decor_mut().set_prefix("\n");
                }
                tables.push(table);
            }
        }
    }

    /// Puts an element in the place of another one; comments around it stay.
    pub(super) fn replace(&mut self, at: usize, value: Value) {
        match self {
            Self::Array(array) => {
                let _old = array.replace(at, value);
            }
            Self::Tables(tables) => {
                if let Some(old) = tables.get_mut(at) {
                    let mut table = table_of(value);
                    *table.decor_mut() = old.decor().clone();
                    table.set_position(old.position());
                    *old = table;
                }
            }
        }
    }

    /// Takes an element out. What stands on lines of its own before it stays; what stands behind it on its line goes with it.
    pub(super) fn remove(&mut self, at: usize) {
        match self {
            Self::Array(array) => remove(array, at),
            Self::Tables(tables) => {
                let _old = tables.remove(at);
            }
        }
    }
}

fn table_of(value: Value) -> Table {
    match value {
        Value::InlineTable(table) => table.into_table(),
        name @ (Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)) => InlineTable::from_iter([("endpoint", name)]).into_table(),
    }
}

fn push(array: &mut Array, mut value: Value) {
    let trailing = array.trailing().as_str().unwrap_or_default().to_owned();
    let indents = array.iter().filter_map(|value| Some(prefix(value.decor()).rsplit_once('\n')?.1.to_owned()));
    let indent = indents.last();
    let is_spread = array.is_empty() || indent.is_some() || trailing.contains('\n');
    let indent = indent.unwrap_or_else(|| INDENT.to_owned());
    if !is_spread {
        array.push(value);
        return;
    }
    // Without a comma behind the last element, what follows it belongs to the element.
    let mut behind = trailing;
    if !array.trailing_comma()
        && let Some(last) = array.len().checked_sub(1).and_then(|last| array.get_mut(last))
    {
        behind.insert_str(0, &suffix(last.decor()));
        last.decor_mut().set_suffix("");
    }
    let (kept, end) = behind.rsplit_once('\n').unwrap_or((behind.as_str(), ""));
    value.decor_mut().set_prefix(format!("{}\n{indent}", kept.trim_end()));
    array.push_formatted(value);
    array.set_trailing_comma(true);
    array.set_trailing(format!("\n{end}"));
}

fn remove(array: &mut Array, at: usize) {
    let removed = array.remove(at);
    // What stands before it on lines of its own.
    let before = prefix(removed.decor());
    let above = before.rsplit_once('\n').map_or("", |(above, _)| above).trim_end().to_owned();
    let joined = |behind: &str| match behind.split_once('\n') {
        Some((_, next_lines)) => format!("{above}\n{next_lines}"),
        None if at == 0 => before.clone(),
        None => format!("{above}{behind}"),
    };
    if let Some(next) = array.get_mut(at) {
        let prefix = joined(&prefix(next.decor()));
        next.decor_mut().set_prefix(prefix);
        return;
    }
    let trailing = array.trailing().as_str().unwrap_or_default().to_owned();
    let behind = format!("{}{trailing}", suffix(removed.decor()));
    let trailing =
        if array.is_empty() && !above.contains('#') && !behind.contains('#') { String::new() } else { joined(&behind) };
    array.set_trailing(trailing);
    if array.is_empty() {
        array.set_trailing_comma(false);
    }
}

fn prefix(decor: &Decor) -> String {
    decor.prefix().and_then(|raw| raw.as_str()).unwrap_or_default().to_owned()
}

fn suffix(decor: &Decor) -> String {
    decor.suffix().and_then(|raw| raw.as_str()).unwrap_or_default().to_owned()
}

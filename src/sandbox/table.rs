//! Rows by name that remember what a call changed, so that it can be saved or undone as a whole.

use std::collections::BTreeMap;

/// Rows of one kind.
pub(super) struct Table<T> {
    rows: BTreeMap<String, T>,
    /// What the rows that the current call touched were before it.
    before: BTreeMap<String, Option<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), before: BTreeMap::new() }
    }
}

impl<T: Clone> Table<T> {
    /// Takes rows that were saved.
    pub(super) fn loaded(rows: BTreeMap<String, T>) -> Self {
        Self { rows, before: BTreeMap::new() }
    }

    /// Returns a row.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.rows.get(name)
    }

    /// Returns a row that will be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        let row = self.rows.get_mut(name)?;
        self.before.entry(name.to_owned()).or_insert_with(|| Some(row.clone()));
        Some(row)
    }

    /// Adds or replaces a row.
    pub(super) fn insert(&mut self, name: String, row: T) {
        let old = self.rows.insert(name.clone(), row);
        self.before.entry(name).or_insert(old);
    }

    /// Removes a row, if it is there.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(old) = self.rows.remove(name) {
            self.before.entry(name.to_owned()).or_insert(Some(old));
        }
    }

    /// Returns all rows, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.rows.iter()
    }

    /// Returns the names of the rows that a rule picks.
    pub(super) fn names_where(&self, rule: impl Fn(&T) -> bool) -> Vec<String> {
        self.rows.iter().filter(|(_, row)| rule(row)).map(|(name, _)| name.clone()).collect()
    }

    /// Returns what was touched, with the row as it is now.
    pub(super) fn touched(&self) -> impl Iterator<Item = (&String, Option<&T>)> {
        self.before.keys().map(|name| (name, self.rows.get(name)))
    }

    /// Returns whether nothing was touched.
    pub(super) fn is_clean(&self) -> bool {
        self.before.is_empty()
    }

    /// Keeps what was touched.
    pub(super) fn keep(&mut self) {
        self.before.clear();
    }

    /// Puts everything back that was touched.
    pub(super) fn undo(&mut self) {
        for (name, row) in std::mem::take(&mut self.before) {
            match row {
                Some(row) => self.rows.insert(name, row),
                None => self.rows.remove(&name),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_restores_every_row() {
        let mut table = Table::loaded(BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
        *table.get_mut("a").unwrap() = 10;
        *table.get_mut("a").unwrap() = 11;
        table.remove("b");
        table.insert("c".to_owned(), 3);
        assert_eq!(table.touched().count(), 3);
        table.undo();
        assert!(table.is_clean());
        assert_eq!(table.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 2]);
    }
}

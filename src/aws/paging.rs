//! Follows pages to their end, and never takes a broken page for the end.

use crate::ports::{PortError, PortErrorKind, PortResult};

/// Where in a list the next page begins.
#[derive(Debug, Default)]
pub(super) struct Pages {
    marker: Option<String>,
}

/// Whether a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is another page.
    Page,
    /// That was the last.
    End,
}

impl Pages {
    /// Returns the marker to send.
    pub(super) fn marker(&self) -> Option<String> {
        self.marker.clone()
    }

    /// Takes note of a page's end: `Truncated` and its marker.
    pub(super) fn turn(&mut self, call: &str, truncated: bool, marker: Option<String>) -> PortResult<Next> {
        let broken = |message: &str| Err(PortError::new(PortErrorKind::Protocol, call, message));
        match (truncated, marker.filter(|marker| !marker.is_empty())) {
            (false, _) => Ok(Next::End),
            (true, None) => broken("the list goes on, but the answer does not say where"),
            (true, marker) if marker == self.marker => broken("the list goes on where it was already"),
            (true, marker) => {
                self.marker = marker;
                Ok(Next::Page)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_page_is_not_the_end() {
        let mut pages = Pages::default();
        assert_eq!(pages.turn("c", true, Some("a".into())), Ok(Next::Page));
        assert_eq!(pages.marker().as_deref(), Some("a"));
        assert_eq!(pages.turn("c", true, None).unwrap_err().kind, PortErrorKind::Protocol);
        assert_eq!(pages.turn("c", true, Some("a".into())).unwrap_err().kind, PortErrorKind::Protocol);
        assert_eq!(pages.turn("c", false, Some("b".into())), Ok(Next::End));
    }
}

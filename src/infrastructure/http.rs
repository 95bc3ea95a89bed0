//! The web, by poem.

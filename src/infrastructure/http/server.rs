//! The server beneath poem: connections, their deadlines and their number.

pub mod descriptors;

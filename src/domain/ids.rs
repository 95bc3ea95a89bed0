//! The ids of things: UUIDv7 for what happens, short words for keys.

use std::fmt;

use uuid::Uuid;

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID for this kind of id.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id's UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

uuid_newtype!(
    /// A customer on the roll.
    CustomerId
);
uuid_newtype!(
    /// One proof of one address; its bytes are the first part of the mailed token.
    VerificationId
);
uuid_newtype!(
    /// A message in the outbox; the local part of its `Message-ID`.
    MessageId
);

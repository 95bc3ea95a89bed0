-- The roll, the proofs of its addresses, the mail that asks for them, what happened, and who may call.
-- Times are microseconds since 1970 (UTC). A UUIDv7 is kept in two halves: its first 64 bits never repeat and rise with
-- time, so they are the key and newest first is the key descending; id_tail is the random rest. Words are checked one by
-- one: SQLite would put a list (IN) of three or more into a table of its own at every write.

CREATE TABLE customers (
    id                    INTEGER NOT NULL,
    id_tail               INTEGER NOT NULL,
    name                  TEXT    NOT NULL,
    email                 TEXT    NOT NULL,
    email_canonical       TEXT    NOT NULL,
    external_id           TEXT,
    locale                TEXT,
    metadata              TEXT    NOT NULL,
    verified_at           INTEGER,
    pending_email         TEXT,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    version               INTEGER NOT NULL,
    steps                 INTEGER NOT NULL,
    -- What the newest proof and its mail have come to: shown with every customer, so kept beside it.
    proof                 INTEGER NOT NULL,
    proof_state           TEXT    NOT NULL,
    proof_attempts        INTEGER NOT NULL,
    proof_last_error      TEXT,
    proof_next_attempt_at INTEGER,
    proof_sent_at         INTEGER,
    proof_expires_at      INTEGER,
    CONSTRAINT customers_key PRIMARY KEY (id),
    CONSTRAINT customers_proof_state_is_known
        CHECK (proof_state = 'none' OR proof_state = 'queued' OR proof_state = 'sent' OR proof_state = 'deferred'
            OR proof_state = 'failed' OR proof_state = 'confirmed'),
    CONSTRAINT customers_metadata_is_an_object CHECK (json_type(metadata) = 'object')
) STRICT;

CREATE UNIQUE INDEX customers_email_is_unique ON customers (email_canonical);
CREATE UNIQUE INDEX customers_external_id_is_unique ON customers (external_id) WHERE external_id IS NOT NULL;

-- For pages of those who are verified, or are not, in the order of the key.
CREATE INDEX customers_verified ON customers (id) WHERE verified_at IS NOT NULL;
CREATE INDEX customers_unverified ON customers (id) WHERE verified_at IS NULL;

-- The team's notes once more, to find customers by.
CREATE TABLE customers_metadata (
    key         TEXT    NOT NULL,
    value       TEXT    NOT NULL,
    customer_id INTEGER NOT NULL,
    CONSTRAINT customers_metadata_key PRIMARY KEY (key, value, customer_id)
) STRICT, WITHOUT ROWID;

-- Names and addresses in runs of three characters, without case and accents. It is filled behind the answers, in the
-- order of the keys, up to the mark; a search looks through the rows beyond the mark itself.
CREATE VIRTUAL TABLE customers_search USING fts5 (
    text, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1'
);

-- Parts of the index are merged by the writer, a little at a time, and not when a commit happens to bring one part too
-- many: unless that comes to hundreds of one size, since FTS5 takes no more than 2,000.
INSERT INTO customers_search (customers_search, rank) VALUES ('automerge', 0), ('crisismerge', 500);

CREATE TABLE customers_search_mark (
    only       INTEGER NOT NULL,
    indexed_to INTEGER NOT NULL,
    -- By which rules texts were indexed so far.
    rules      INTEGER NOT NULL,
    CONSTRAINT customers_search_mark_key PRIMARY KEY (only),
    CONSTRAINT customers_search_mark_is_one CHECK (only = 1)
) STRICT;

INSERT INTO customers_search_mark (only, indexed_to, rules) VALUES (1, 0, 0);

-- The proofs of one customer lie together, counted from 1.
CREATE TABLE verifications (
    customer_id     INTEGER NOT NULL,
    number          INTEGER NOT NULL,
    salt            INTEGER NOT NULL,
    email           TEXT    NOT NULL,
    email_canonical TEXT    NOT NULL,
    issued_at       INTEGER NOT NULL,
    asked_at        INTEGER NOT NULL,
    expires_at      INTEGER,
    confirmed_at    INTEGER,
    closed          INTEGER NOT NULL,
    CONSTRAINT verifications_key PRIMARY KEY (customer_id, number),
    CONSTRAINT verifications_closed_is_a_flag CHECK (closed IN (0, 1)),
    CONSTRAINT verifications_belong_to_a_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id          INTEGER NOT NULL,
    id_tail     INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    proof       INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    last_error  TEXT,
    -- When it is due, or, while claimed, when the claim lapses; none once it is over.
    due_at      INTEGER,
    claimed     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    sent_at     INTEGER,
    CONSTRAINT outbox_key PRIMARY KEY (id),
    CONSTRAINT outbox_kind_is_known CHECK (kind IN ('verification')),
    CONSTRAINT outbox_state_is_known
        CHECK (state = 'queued' OR state = 'sent' OR state = 'deferred' OR state = 'failed' OR state = 'cancelled'),
    CONSTRAINT outbox_claimed_is_a_flag CHECK (claimed IN (0, 1)),
    CONSTRAINT outbox_is_due_while_it_waits CHECK ((due_at IS NOT NULL) = (state IN ('queued', 'deferred'))),
    CONSTRAINT outbox_carries_a_proof FOREIGN KEY (customer_id, proof)
        REFERENCES verifications (customer_id, number) ON DELETE CASCADE
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_by_customer ON outbox (customer_id, id);

-- How many messages stand where, so that nobody has to count millions of rows to know. New ones are counted by the writer,
-- once for all that a commit brings, since a trigger would double what they cost; what becomes of them, by triggers.
CREATE TABLE outbox_counts (
    state    TEXT    NOT NULL,
    messages INTEGER NOT NULL,
    CONSTRAINT outbox_counts_key PRIMARY KEY (state)
) STRICT, WITHOUT ROWID;

INSERT INTO outbox_counts (state, messages)
VALUES ('queued', 0), ('sent', 0), ('deferred', 0), ('failed', 0), ('cancelled', 0);

CREATE TRIGGER outbox_counts_over AFTER UPDATE OF state ON outbox WHEN OLD.state <> NEW.state
BEGIN
    UPDATE outbox_counts SET messages = messages - 1 WHERE state = OLD.state;
    UPDATE outbox_counts SET messages = messages + 1 WHERE state = NEW.state;
END;

CREATE TRIGGER outbox_counts_out AFTER DELETE ON outbox
BEGIN
    UPDATE outbox_counts SET messages = messages - 1 WHERE state = OLD.state;
END;

-- No foreign key: what happened stays, whatever becomes of the customer.
CREATE TABLE history (
    customer_id INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    deed        TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    note        TEXT,
    CONSTRAINT history_key PRIMARY KEY (customer_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    digest       BLOB    NOT NULL,
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    CONSTRAINT api_keys_key PRIMARY KEY (id),
    CONSTRAINT api_keys_digest_is_sha256 CHECK (length(digest) = 32)
) STRICT, WITHOUT ROWID;

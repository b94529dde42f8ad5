-- What operators did: who, what, when, and how it ended. Rows are only ever added; each carries a
-- keyed digest over itself and the one before, so that a file changed by hand contradicts itself.
CREATE TABLE acts (
    number INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    operation TEXT NOT NULL,
    subject TEXT NOT NULL,
    status INTEGER NOT NULL,
    chain BLOB NOT NULL
);
CREATE TRIGGER acts_fixed BEFORE UPDATE ON acts BEGIN
    SELECT RAISE(ABORT, 'an act cannot be changed');
END;
CREATE TRIGGER acts_kept BEFORE DELETE ON acts BEGIN
    SELECT RAISE(ABORT, 'an act cannot be removed');
END;

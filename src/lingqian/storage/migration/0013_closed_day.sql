-- A closed day cannot be written over either: replacing a row is no update, and deletes in silence.

CREATE TRIGGER days_rewritten BEFORE INSERT ON days
WHEN EXISTS (
    SELECT 1 FROM days WHERE state = 3
    AND (day_id = NEW.day_id OR (account = NEW.account AND day = NEW.day))
)
BEGIN
    SELECT RAISE(ABORT, 'a closed day is never written over');
END;

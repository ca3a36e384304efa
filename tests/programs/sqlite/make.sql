-- SPDX-License-Identifier: LGPL-2.1-or-later
-- A database as it comes into being.
PRAGMA journal_mode;
CREATE TABLE numbers(number INTEGER PRIMARY KEY, text TEXT);
BEGIN;
INSERT INTO numbers SELECT value, hex(value * 7919) || ' number ' || value FROM generate_series(1, 30000);
COMMIT;
CREATE INDEX by_text ON numbers(text);
DELETE FROM numbers WHERE number > 20000;
UPDATE numbers SET text = text || '!' WHERE number % 2 = 0;
VACUUM;
SELECT count(*) FROM numbers;
PRAGMA integrity_check;

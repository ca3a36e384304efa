-- SPDX-License-Identifier: LGPL-2.1-or-later
-- A write-ahead log: this process has written to it and others, by .shell, read beside it.
PRAGMA journal_mode = wal;
CREATE TABLE numbers(number INTEGER PRIMARY KEY, text TEXT);
INSERT INTO numbers SELECT value, 'number ' || value FROM generate_series(1, 10000);
.shell sqlite3.exe X:\wal.db "SELECT count(*) FROM numbers"
BEGIN IMMEDIATE;
INSERT INTO numbers SELECT value, 'number ' || value FROM generate_series(10001, 20000);
.shell sqlite3.exe X:\wal.db "SELECT count(*) FROM numbers"
.shell sqlite3.exe X:\wal.db "INSERT INTO numbers VALUES(30002, 'refused')" 2>nul
COMMIT;
.shell sqlite3.exe X:\wal.db "SELECT count(*) FROM numbers"
.shell sqlite3.exe X:\wal.db "INSERT INTO numbers VALUES(30001, 'second')"
SELECT count(*) FROM numbers;
.shell sqlite3.exe X:\wal.db "PRAGMA wal_checkpoint" >nul
.shell sqlite3.exe X:\wal.db "SELECT count(*) FROM numbers"
PRAGMA integrity_check;

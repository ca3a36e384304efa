-- SPDX-License-Identifier: LGPL-2.1-or-later
-- This process and, by .shell, others. Who writes locks out other writers, and not readers.
BEGIN IMMEDIATE;
INSERT INTO numbers VALUES(30001, 'first');
.shell sqlite3.exe X:\test.db "SELECT count(*) FROM numbers"
.shell sqlite3.exe X:\test.db "INSERT INTO numbers VALUES(30002, 'refused')" 2>nul
.shell sqlite3.exe X:\test.db "SELECT count(*) FROM numbers"
COMMIT;
.shell sqlite3.exe X:\test.db "SELECT count(*) FROM numbers"
.shell sqlite3.exe X:\test.db "INSERT INTO numbers VALUES(30003, 'second')"
SELECT count(*) FROM numbers;

-- SPDX-License-Identifier: LGPL-2.1-or-later
-- One transaction is committed and one is not, and most of both is in the log, when the process is ended.
PRAGMA cache_size = 10;
INSERT INTO numbers VALUES(30004, 'committed');
SELECT count(*) FROM numbers;
BEGIN;
UPDATE numbers SET number = -number, text = 'lost';
.shell taskkill /f /im sqlite3.exe >nul
SELECT 'still there';

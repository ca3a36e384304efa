-- SPDX-License-Identifier: LGPL-2.1-or-later
-- With a cache of ten pages, most of what the transaction has changed is in the file already when the process is ended.
PRAGMA cache_size = 10;
BEGIN;
UPDATE numbers SET number = -number, text = 'lost';
.shell taskkill /f /im sqlite3.exe
SELECT 'still there';

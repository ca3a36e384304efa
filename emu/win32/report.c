/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "report.h"
#include "services.h"

void report(const char *format, ...)
{
    DWORD last_error = GetLastError();
    HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
    char line[512] = "rdrlabnp: ";
    IO_STATUS_BLOCK io;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = _vsnprintf(line + 10, sizeof(line) - 12, format, arguments);
    va_end(arguments);
    if (length < 0 || length > (int)sizeof(line) - 12)
        length = sizeof(line) - 12;
    line[10 + length] = '\n';
    /* Not WriteFile: that would ask our own hook whether standard error is a redirected file. */
    if (out && out != INVALID_HANDLE_VALUE)
        wine.NtWriteFile(out, NULL, NULL, NULL, &io, line, 11 + length, NULL, NULL);
    SetLastError(last_error);
}

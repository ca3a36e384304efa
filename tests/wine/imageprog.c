/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * imageprog.exe - a program that is started from a drive, and says what it was started as: its name, its working
 * directory, its arguments, a variable, its DLL's name and answer, a line of its standard input. Exit status 7.
 */
#include <stdio.h>
#include <windows.h>

__declspec(dllimport) int image_user(int number);
__declspec(dllimport) const WCHAR *image_user_name(void);

static int callbacks; /* how often the loader has called us for the process */

static void NTAPI on_tls(void *base, DWORD reason, void *reserved)
{
    callbacks += reason == DLL_PROCESS_ATTACH;
}

__attribute__((section(".CRT$XLF"), used)) static PIMAGE_TLS_CALLBACK tls_callback = on_tls;

static __thread int thread_number = 41;

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    WCHAR text[MAX_PATH];
    char line[64] = "";

    GetModuleFileNameW(NULL, text, MAX_PATH);
    printf("module %ls\n", text);
    GetCurrentDirectoryW(MAX_PATH, text);
    printf("directory %ls\n", text);
    for (int i = 0; i < argc; i++)
        printf("argument %ls\n", argv[i]);
    if (!GetEnvironmentVariableW(L"IMAGEPROG", text, MAX_PATH))
        text[0] = '\0';
    printf("variable %ls\n", text);
    printf("library %ls %d\n", image_user_name(), image_user(5));
    printf("resource %.8s\n",
           (const char *)LockResource(LoadResource(NULL, FindResourceW(NULL, L"#1", (WCHAR *)RT_RCDATA))));
    printf("tls %d %d\n", callbacks, ++thread_number);
    if (fgets(line, sizeof(line), stdin))
        printf("input %s", line);
    return 7;
}

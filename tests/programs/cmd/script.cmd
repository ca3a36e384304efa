@echo off
rem SPDX-License-Identifier: LGPL-2.1-or-later
rem What shell.py checks the results of.
cd /d X:\
md made made\inner
echo one> made\one.txt
echo two>> made\one.txt
type made\one.txt
copy made\one.txt made\copy.txt >nul
copy made\one.txt + made\copy.txt made\both.txt >nul
ren made\copy.txt renamed.txt
for %%f in (made\*.txt) do echo %%f>> list.txt
for /l %%i in (1,1,20) do echo %%i> made\inner\%%i.num
for /f %%w in (made\one.txt) do echo word %%w
if exist made\renamed.txt echo renamed is there
if not exist made\copy.txt echo copy is gone
pushd made\inner
cd
echo below> here.txt
popd
cd
call called.cmd %1
xcopy made copied /e /i /y >nul
xcopy made\*.txt flat\ /y >nul
move made\both.txt moved.txt >nul
del made\inner\1*.num
rd /s /q flat
dir /b /o:n copied > listing.txt
attrib +r moved.txt
del moved.txt 2>nul
if exist moved.txt echo read-only stays
attrib -r moved.txt
exit /b 3

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * There is no list of all objects, which every create would have to enter its file object in: those that are left are
 * found among the pool's live blocks, by their type.
 */
#include "leftovers.h"

#include <ntemu/ntifs.h>
#include <stdio.h>

#include "cm/cmp.h"
#include "io/iop.h"
#include "mm/mmp.h"
#include "ob/obp.h"
#include "ps/psp.h"

static POBJECT_TYPE const types[] = {&ObpDirectoryType, &ObpSymbolicLinkType, &ObpProcessType,
                                     &IopDeviceType,    &IopDriverType,       &IopFileType,
                                     &CmpKeyType,       &PspThreadType,       &MmpSectionType};

static void describe(PVOID object, char type[16], char *name, SIZE_T size)
{
    union {
        OBJECT_NAME_INFORMATION info;
        WCHAR room[256];
    } full;
    DWORD length = 0;
    ULONG bytes;

    snprintf(type, 16, "%s", ObpHeader(object)->Type->Name);
    if (NT_SUCCESS(ObQueryNameString(object, &full.info, sizeof full, &bytes)))
        RtlUnicodeToUTF8N(name, (DWORD)size - 1, &length, full.info.Name.Buffer, full.info.Name.Length);
    name[length] = 0;
}

static void note_handle(PEPROCESS process, HANDLE handle, PVOID object, ACCESS_MASK access, PVOID context)
{
    EMU_MACHINE_AUDIT *audit = context;
    ULONG i = audit->Handles++;

    if (i >= EMU_LEFT_MOST)
        return;
    audit->Left[i].ProcessId = process->Id;
    audit->Left[i].SessionId = process->SessionId;
    audit->Left[i].Handle = handle;
    audit->Left[i].GrantedAccess = access;
    describe(object, audit->Left[i].Type, audit->Left[i].Name, sizeof audit->Left[i].Name);
}

void EmupNoteHandles(EMU_MACHINE_AUDIT *Audit)
{
    ObpVisitHandles(note_handle, Audit);
}

static BOOLEAN is_object(const EMU_POOL_BLOCK *block)
{
    const OBJECT_HEADER *header = block->Address;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (block->Tag == types[i]->Tag && block->NumberOfBytes >= sizeof *header && header->Type == types[i])
            return TRUE;
    return FALSE;
}

static BOOLEAN note_object(PVOID context, const EMU_POOL_BLOCK *block)
{
    EMU_MACHINE_AUDIT *audit = context;
    EMU_LEFT_OBJECT *left;
    ULONG i = 0;

    if (!is_object(block))
        return TRUE;
    while (i < EMU_LEFT_MOST && audit->LeftObjects[i].References)
        i++;
    if (i == EMU_LEFT_MOST)
        return FALSE;
    left = &audit->LeftObjects[i];
    left->References = (ULONG)((POBJECT_HEADER)block->Address)->PointerCount;
    describe(ObpBody(block->Address), left->Type, left->Name, sizeof left->Name);
    return TRUE;
}

void EmupNoteObjects(EMU_MACHINE_AUDIT *Audit)
{
    LONG64 count = 0;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        count += ObpSum(&types[i]->Count);
    Audit->Objects = (ULONG)count;
    if (count)
        EmuPoolVisit(note_object, Audit);
}

void EmupForgetObjects(void)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        ObpResetCount(&types[i]->Count);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects: a header with two counts before a body. */
#include "obp.h"

#include <string.h>

NTSTATUS ObpCreateObject(POBJECT_TYPE Type, SIZE_T BodySize, PVOID *Object)
{
    POBJECT_HEADER header = ExAllocatePoolWithTag(Type->PoolType, sizeof *header + BodySize, Type->Tag);

    if (!header)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(header, 0, sizeof *header + BodySize);
    header->PointerCount = 1;
    header->Type = Type;
    __atomic_fetch_add(&Type->ObjectCount, 1, __ATOMIC_RELAXED);
    *Object = ObpBody(header);
    return STATUS_SUCCESS;
}

LONG_PTR NTAPI ObfReferenceObject(PVOID Object)
{
    return __atomic_add_fetch(&ObpHeader(Object)->PointerCount, 1, __ATOMIC_RELAXED);
}

LONG_PTR NTAPI ObfDereferenceObject(PVOID Object)
{
    POBJECT_HEADER header = ObpHeader(Object);
    POBJECT_TYPE type = header->Type;
    LONG left = __atomic_sub_fetch(&header->PointerCount, 1, __ATOMIC_ACQ_REL);

    if (left < 0)
        KeBugCheckEx(REFERENCE_BY_POINTER, (ULONG_PTR)type, (ULONG_PTR)Object, 0, (ULONG_PTR)left);
    if (left)
        return left;
    if (type->Delete)
        type->Delete(Object);
    ExFreePoolWithTag(header, type->Tag);
    __atomic_fetch_sub(&type->ObjectCount, 1, __ATOMIC_RELAXED);
    return 0;
}

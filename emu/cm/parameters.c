/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The documented parameters of the redirector and of what it stands on. Ranges are the documents' own; "Number of ..."
 * there is all that fits here. Meanings are in our words.
 */
#include <ntemu/registry.h>

#define SERVICES    "System\\CurrentControlSet\\Services\\"
#define WORKSTATION SERVICES "LanmanWorkstation\\Parameters"
#define STATIC      WORKSTATION "\\Static"
#define RDR         SERVICES "Rdr\\Parameters"
#define SESSION     "System\\CurrentControlSet\\Control\\Session Manager"
#define MEMORY      SESSION "\\Memory Management"
#define MOST        0xffffffffu

#define NUMBER(key, name, unit, value, least, most, source, meaning)                                                   \
    {                                                                                                                  \
        key, name, REG_DWORD, unit, value, least, most, FALSE, source, meaning                                         \
    }
#define GUESSED(key, name, unit, value, least, most, source, meaning)                                                  \
    {                                                                                                                  \
        key, name, REG_DWORD, unit, value, least, most, TRUE, source, meaning                                          \
    }
#define SWITCH(key, name, value, source, meaning) NUMBER(key, name, "bool", value, 0, 1, source, meaning)
#define STRING(key, name, source, meaning)                                                                             \
    {                                                                                                                  \
        key, name, REG_SZ, "text", 0, 0, 0, FALSE, source, meaning                                                     \
    }

static const EMU_REGISTRY_PARAMETER parameters[] = {
    NUMBER(SESSION, "GlobalFlag", "bits", 0, 0, MOST, "Q164933", "0x400: pool by tag; NT 4.0"),
    NUMBER(MEMORY, "EnableKStackPool", "", 2, 0, 2, "Q188831",
           "Terminal Server: pool for kernel stacks; 2: from 256 MB"),
    NUMBER(MEMORY, "PagedPoolSize", "bytes", 0, 0, MOST, "Q126401, Q304101", "0: by physical memory, up to 192 MB"),
    NUMBER(MEMORY, "PoolTag", "", 0, 0, MOST, "Q188831", "special pool: a tag mask or a size; 0: none"),
    GUESSED(MEMORY, "PoolTagOverruns", "bool", 1, 0, 1, "Q188831", "special pool: 1 finds overruns, 0 underruns"),
    NUMBER(MEMORY, "PoolUsageMaximum", "percent", 80, 1, 100, "Q304101", "paged pool in use from which it is trimmed"),
    SWITCH(WORKSTATION, "BufFilesDenyWrite", 1, "Q102981", "cache files opened with FILE_SHARE_READ only"),
    SWITCH(WORKSTATION, "BufNamedPipes", 1, "Q102981", "buffer character-mode pipes"),
    SWITCH(WORKSTATION, "BufReadOnlyFiles", 1, "Q102981", "cache read-only files"),
    NUMBER(WORKSTATION, "CacheFileTimeout", "seconds", 10, 0, MOST, "Q102981", "a closed file stays in the cache"),
    NUMBER(WORKSTATION, "CharWait", "ms", 3600, 0, 65535, "Q102981", "wait for an instance of a pipe to open"),
    NUMBER(WORKSTATION, "CollectionTime", "ms", 250, 0, 65535000, "Q102981", "written data stays in a pipe's buffer"),
    NUMBER(WORKSTATION, "DormantFileLimit", "files", 45, 0, MOST, "Q102981, Q228538",
           "closed files left open on a share"),
    NUMBER(WORKSTATION, "IllegalDatagramResetTime", "seconds", 60, 0, MOST, "Q102981",
           "span of NumIllegalDatagramEvents"),
    NUMBER(WORKSTATION, "KeepConn", "seconds", 600, 0, 65535, "Q102981; 0: Q258837", "a connection may be dormant"),
    NUMBER(WORKSTATION, "LockIncrement", "ms", 10, 0, MOST, "Q102981", "back-off of failing locks, by OS/2 programs"),
    NUMBER(WORKSTATION, "LockMaximum", "ms", 500, 0, MOST, "Q102981", "the most that locks back off"),
    NUMBER(WORKSTATION, "LockQuota", "bytes", 4096, 0, MOST, "Q102981", "read ahead under UseLockReadUnlock, a file"),
    SWITCH(WORKSTATION, "LogElectionPackets", 0, "Q102981", "events for the browser's election packets"),
    NUMBER(WORKSTATION, "MailslotBuffers", "buffers", 5, 0, MOST, "Q102981", "for mailslot messages"),
    NUMBER(WORKSTATION, "MaxCmds", "", 15, 0, 255, "Q102981", "work buffers: operations at a time"),
    NUMBER(WORKSTATION, "MaxCollectionCount", "bytes", 16, 0, 65535, "Q102981",
           "a smaller write to a pipe is buffered"),
    NUMBER(WORKSTATION, "NumIllegalDatagramEvents", "events", 5, 0, MOST, "Q102981",
           "the most that are logged in that span"),
    STRING(WORKSTATION, "OtherDomains", "Q102981", "LAN Manager domains to browse"),
    NUMBER(WORKSTATION, "PipeIncrement", "ms", 10, 0, MOST, "Q102981", "back-off of nonblocking reads of a pipe"),
    NUMBER(WORKSTATION, "PipeMaximum", "ms", 500, 0, MOST, "Q102981", "the most that they back off"),
    NUMBER(WORKSTATION, "ReadAheadThroughput", "KB/s", MOST, 0, MOST, "Q102981",
           "a connection's, from which is read ahead"),
    NUMBER(WORKSTATION, "SessTimeout", "seconds", 45, 10, 65535, "Q102981, Q102067",
           "added to the time an answer should take"),
    NUMBER(WORKSTATION, "SizCharBuf", "bytes", 512, 64, 4096, "Q102981", "the most written to a pipe's buffer"),
    SWITCH(WORKSTATION, "Use512ByteMaxTransfer", 0, "Q102981", "to MS-Net servers, whatever they negotiate"),
    SWITCH(WORKSTATION, "UseLockReadUnlock", 1, "Q102981", "lock-and-read, write-and-unlock"),
    SWITCH(WORKSTATION, "UseOpportunisticLocking", 1, "Q102981", "oplocks"),
    SWITCH(WORKSTATION, "UseRawRead", 1, "Q102981", "raw reads"),
    SWITCH(WORKSTATION, "UseRawWrite", 1, "Q102981", "raw writes"),
    SWITCH(WORKSTATION, "UseUnlockBehind", 1, "Q102981", "an unlock does not wait for its answer"),
    SWITCH(WORKSTATION, "UseWriteRawData", 1, "Q102981", "raw writes carry data"),
    SWITCH(WORKSTATION, "UtilizeNtCaching", 1, "Q102981", "the cache manager caches files"),
    NUMBER(STATIC, "ServerAnnounceBuffers", "buffers", 20, 0, MOST, "Q102981", "for servers' announcements"),
    NUMBER(RDR, "ConnectTimeout", "seconds", 300, 0, MOST, "Q103003", "the most a connect or disconnect may take"),
    GUESSED(RDR, "FailedConnectTimeout", "seconds", 45, 0, MOST, "Q242528",
            "a server that was not reached stays known"),
    NUMBER(RDR, "LowerSearchBufferSize", "KB", 16, 0, MOST, "Q103003", "asked of the server for a small search"),
    NUMBER(RDR, "LowerSearchThreshold", "KB", 16, 0, MOST, "Q103003", "below it a search is small"),
    NUMBER(RDR, "StackSize", "", 4, 0, MOST, "Q103003", "of the redirector's IRPs"),
    NUMBER(RDR, "UpperSearchBufferSize", "KB", 32, 0, MOST, "Q103003", "asked of the server for a large search"),
    SWITCH(RDR, "UseAsyncWriteBehind", 1, "Q103003", "write-behind does not wait"),
    SWITCH(RDR, "UseWriteBehind", 1, "Q103003, Q169742", "writes are done before they are at the server"),
    {.Name = NULL},
};

const EMU_REGISTRY_PARAMETER *EmuRegistryParameters(void)
{
    return parameters;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntclient_ntlm.c - NTLMv2 as MS-NLMP 3.3.2 has it, without key exchange, signing or a MIC: enough to log on, and to
 * have the session key.
 */
#include "ntclient_wire.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

#define FLAG_UNICODE          0x00000001u
#define FLAG_REQUEST_TARGET   0x00000004u
#define FLAG_NTLM             0x00000200u
#define FLAG_ALWAYS_SIGN      0x00008000u
#define FLAG_EXTENDED_SESSION 0x00080000u
#define FLAG_TARGET_INFO      0x00800000u
#define FLAG_128              0x20000000u
#define FLAGS                                                                                                          \
    (FLAG_UNICODE | FLAG_REQUEST_TARGET | FLAG_NTLM | FLAG_ALWAYS_SIGN | FLAG_EXTENDED_SESSION | FLAG_TARGET_INFO |    \
     FLAG_128)

/* ---- MD4 (RFC 1320), which no current library offers any more ---- */

static ULONG rotate(ULONG value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void md4_block(ULONG state[4], const UCHAR block[64])
{
    static const UCHAR order[3][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                       {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
                                       {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}};
    static const UCHAR shift[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
    static const ULONG constant[3] = {0, 0x5A827999, 0x6ED9EBA1};
    ULONG a = state[0], b = state[1], c = state[2], d = state[3];

    for (int round = 0; round < 3; round++) {
        for (int step = 0; step < 16; step++) {
            const UCHAR *p = block + 4 * order[round][step];
            const ULONG word = p[0] | (ULONG)p[1] << 8 | (ULONG)p[2] << 16 | (ULONG)p[3] << 24;
            const ULONG mix = round == 0 ? (b & c) | (~b & d) : round == 1 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
            const ULONG next = rotate(a + mix + word + constant[round], shift[round][step % 4]);

            a = d;
            d = c;
            c = b;
            b = next;
        }
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

static void md4(const UCHAR *data, size_t length, UCHAR digest[16])
{
    ULONG state[4] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
    const ULONGLONG bits = (ULONGLONG)length * 8;
    UCHAR last[128] = {0};
    size_t rest = length % 64, blocks = rest < 56 ? 1 : 2;

    for (size_t done = 0; done + 64 <= length; done += 64)
        md4_block(state, data + done);
    memcpy(last, data + length - rest, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        last[blocks * 64 - 8 + (size_t)i] = (UCHAR)(bits >> 8 * i);
    for (size_t i = 0; i < blocks; i++)
        md4_block(state, last + 64 * i);
    for (int i = 0; i < 16; i++)
        digest[i] = (UCHAR)(state[i / 4] >> 8 * (i % 4));
}

static void hmac_md5(const UCHAR key[16], const struct nt_message *message, UCHAR digest[16])
{
    gnutls_hmac_fast(GNUTLS_MAC_MD5, key, 16, message->data, message->length, digest);
}

/* ---- messages ---- */

void nt_ntlm_negotiate(struct nt_message *message)
{
    nt_put(message, "NTLMSSP", 8);
    nt_put32(message, 1);
    nt_put32(message, FLAGS);
    nt_put_zero(message, 16); /* neither domain nor workstation */
}

/* NTOWFv2: what the server keeps of the user and the password. The domain is empty: smbd has one. */
static void response_key(struct nt_message *scratch, const struct nt_client_target *target, UCHAR key[16])
{
    UCHAR hash[16];

    scratch->length = 0;
    nt_put_utf16(scratch, target->password, FALSE);
    md4(scratch->data, scratch->length, hash);
    scratch->length = 0;
    nt_put_utf16(scratch, target->user, TRUE);
    hmac_md5(hash, scratch, key);
}

static void put_field(struct nt_message *message, size_t length, size_t offset)
{
    nt_put16(message, (USHORT)length);
    nt_put16(message, (USHORT)length);
    nt_put32(message, (ULONG)offset);
}

/* The server's time, which its target information has as attribute 7; a stale one would not do. */
static ULONGLONG server_time(const struct nt_message *info)
{
    for (size_t at = 0; at + 4 <= info->length && nt_get16(info, at) != 0; at += 4u + nt_get16(info, at + 2)) {
        if (nt_get16(info, at) == 7)
            return nt_get64(info, at + 4);
    }
    return 0;
}

/* scratch becomes the NTLMv2 response: proof, then the blob that it proves. */
static void make_response(struct nt_message *scratch, struct nt_message *info, const UCHAR server[8],
                          const UCHAR key[16], UCHAR session_key[16])
{
    static const UCHAR random[8] = {'r', 'd', 'r', 'l', 'a', 'b', '!', '!'}; /* nothing here is worth a replay */
    UCHAR proof[16];

    scratch->length = 0;
    nt_put(scratch, server, 8);
    nt_put16(scratch, 0x0101);
    nt_put_zero(scratch, 6);
    nt_put64(scratch, server_time(info));
    nt_put(scratch, random, 8);
    nt_put_zero(scratch, 4);
    nt_put(scratch, info->data, info->length);
    nt_put_zero(scratch, 4);
    hmac_md5(key, scratch, proof);
    gnutls_hmac_fast(GNUTLS_MAC_MD5, key, 16, proof, 16, session_key);
    memmove(scratch->data + 16, scratch->data + 8, scratch->length - 8);
    memcpy(scratch->data, proof, 16);
    scratch->length += 8;
}

BOOLEAN nt_ntlm_authenticate(struct nt_message *message, const UCHAR *challenge, size_t length,
                             const struct nt_client_target *target, UCHAR session_key[16])
{
    struct nt_message *work = calloc(3, sizeof(*work));
    struct nt_message *in, *info, *scratch;
    size_t info_length, info_offset, user_length;
    UCHAR key[16];

    if (work == NULL)
        return FALSE;
    in = &work[0];
    info = &work[1];
    scratch = &work[2];
    nt_put(in, challenge, length);
    info_length = nt_get16(in, 40);
    info_offset = nt_get32(in, 44);
    if (memcmp(in->data, "NTLMSSP", 8) != 0 || nt_get32(in, 8) != 2 || in->length < 48 || info_length > in->length ||
        info_offset > in->length - info_length) {
        free(work);
        return FALSE;
    }
    nt_put(info, in->data + info_offset, info_length);
    response_key(scratch, target, key);
    make_response(scratch, info, in->data + 24, key, session_key);
    in->length = 0; /* from here on the user's name */
    user_length = nt_put_utf16(in, target->user, FALSE);

    nt_put(message, "NTLMSSP", 8);
    nt_put32(message, 3);
    put_field(message, 0, 64);                                 /* LM response */
    put_field(message, scratch->length, 64 + user_length);     /* NT response */
    put_field(message, 0, 64);                                 /* domain */
    put_field(message, user_length, 64);                       /* user */
    put_field(message, 0, 64);                                 /* workstation */
    put_field(message, 0, 64 + user_length + scratch->length); /* session key: not exchanged */
    nt_put32(message, FLAGS);
    nt_put(message, in->data, user_length);
    nt_put(message, scratch->data, scratch->length);
    free(work);
    return TRUE;
}

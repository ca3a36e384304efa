/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_handles_wine.c - handles that go from process to process, and how they end: handleprobe's claims, each on both
 * transports and through a relay.
 */
#include "claims.h"

static const char *const names[] = {
    "environment",           "taken",          "given",     "suspended",
    "closed-while-it-waits", "closed-at-once", "protected", "protected-section",
    "section-moves",         "ends-itself",    NULL,
};
static const struct claims claims = {"tests/wine/handleprobe.exe", names, {"X:", "\\\\mem\\lab"}, NULL, NULL};

int main(void)
{
    return claims_main(&claims, NULL, 0);
}

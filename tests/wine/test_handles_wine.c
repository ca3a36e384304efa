/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_handles_wine.c - handles that go from process to process, and how they end: handleprobe's claims, each on both
 * transports and through a relay.
 */
#include "claims.h"

static const char *const names[] = {
    "environment",       "taken",         "given",       "suspended", "closed-while-it-waits", "protected",
    "protected-section", "section-moves", "ends-itself", NULL,
};
static const struct claims claims = {"tests/wine/handleprobe.exe", names, {"X:", "\\\\mem\\lab"}, NULL, NULL};

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIMS_TEST(test_claims_hold_over_system_calls, &claims),
        CLAIMS_TEST(test_claims_hold_over_mapped_regions, &claims),
        CLAIMS_TEST(test_claims_hold_through_a_relay, &claims),
    };
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

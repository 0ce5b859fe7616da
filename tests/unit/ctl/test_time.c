/* SPDX-License-Identifier: ISC */
/* Times on the command line of s3backerctl. */
#include <errno.h>
#include <stdint.h>

#include "ctl/wait.h"

#include "tests/unit/tap.h"

static uint64_t
us(const char *text)
{
	uint64_t t = UINT64_MAX;

	return (wait_parse_time(text, &t) < 0 ? UINT64_MAX : t);
}

int
main(void)
{
	static const char *const bad[] = {"", "s", "1x", "-1", "1 s", "nan", "1e30", "5mm", "inf"};

	is_int(us("30"), 30000000, "a bare number is seconds");
	is_int(us("500ms"), 500000, "milliseconds");
	is_int(us("0.5"), 500000, "half a second");
	is_int(us("5m"), 300000000, "minutes");
	is_int(us("2h"), 7200000000, "hours");
	is_int(us("1d"), 86400000000, "days");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(us(bad[i]) == UINT64_MAX, "\"%s\" is no time", bad[i]);
	return (tap_done());
}

/* SPDX-License-Identifier: ISC */
/*
 * page.c -- what s3backerctl makes of any bytes that come as an answer.  The first byte chooses the
 * command; the rest is what the other side sends before it hangs up.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "common/timeutil.h"
#include "ctl/command.h"
#include "tests/fuzz/fuzz.h"

const unsigned fuzz_mutations = 300;

/* Of main.c, which is not linked: it has a main() of its own. */
void
put_json(json_t *data)
{
	(void)json_dumpf(data, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
}

int
wrong_usage(const char *what, const char *name)
{
	(void)what;
	(void)name;
	return (EXIT_USAGE);
}

static int (*const command[])(struct ask *, const struct options *, char **) = {
    cmd_status, cmd_metrics, cmd_set, cmd_flush, cmd_drain, cmd_resume, cmd_scrub};

static void
converse(const uint8_t *data, size_t len, int fd)
{
	struct options o = {0};
	struct ask a = {.deadline_us = deadline_in_us(2 * US_PER_S), .conn = {.fd = fd}};
	char key[] = "uploadLimit", value[] = "1m", *args[] = {key, value, NULL};

	a.json = (data[0] & 0x80) != 0;
	a.conn.buf = malloc(CTL_LINE_MAX);
	must(a.conn.buf != NULL && len > 0);
	(void)command[(data[0] & 0x7f) % (sizeof(command) / sizeof(command[0]))](&a, &o, args);
	ask_close(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static FILE *nowhere;
	FILE *out = stdout, *err = stderr;
	int pair[2];

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	if (len < 1)
		return (0);
	must(nowhere != NULL && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	(void)send(pair[1], data + 1, len - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(pair[1], SHUT_WR);
	/* What it prints is for people; the tests of the page look at it. */
	stdout = stderr = nowhere;
	converse(data, len, pair[0]);
	stdout = out;
	stderr = err;
	close(pair[1]);
	return (0);
}

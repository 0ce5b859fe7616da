/* SPDX-License-Identifier: ISC */
/*
 * cmd_upload.c -- getting the bucket up to date: `flush`, `drain`, `resume`, `wait`.
 *
 * The work is the disk's and goes on whatever becomes of the one who watches; Ctrl-C ends the
 * watching alone, and says so (ask.c).
 */
#include <stdio.h>

#include "ctl/command.h"
#include "ctl/wait.h"

#include "ctl/guard.h"

/* The answer is that it is done. */
static int
do_and_say(struct ask *a, const char *cmd, const char *said)
{
	json_t *data;
	int code = ask_simple(a, cmd, &data);

	if (code == EXIT_DONE && a->json)
		put_json(data);
	else if (code == EXIT_DONE)
		(void)puts(said);
	json_decref(data);
	return (code);
}

int
cmd_flush(struct ask *a, const struct options *o, char **args)
{
	(void)o;
	(void)args;
	a->goes_on = "the disk goes on uploading; `s3backerctl wait --clean` waits for the rest";
	return (do_and_say(a, "flush", "the bucket holds everything that was written before"));
}

int
cmd_drain(struct ask *a, const struct options *o, char **args)
{
	(void)o;
	(void)args;
	a->goes_on = "the disk goes on draining; `s3backerctl resume` takes that back";
	return (do_and_say(a, "drain",
	    "drained: the bucket holds everything, and every further write "
	    "before it is acknowledged"));
}

int
cmd_resume(struct ask *a, const struct options *o, char **args)
{
	(void)o;
	(void)args;
	return (do_and_say(a, "resume", "back to normal"));
}

int
cmd_wait(struct ask *a, const struct options *o, char **args)
{
	(void)args;
	if (o->clean == (o->age_us > 0))
		return (wrong_usage("wait: --clean or --age T", ""));
	a->goes_on = "the disk goes on uploading in its own time; nothing was changed by waiting";
	return (wait_run(a, o->age_us));
}

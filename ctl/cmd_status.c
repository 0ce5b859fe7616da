/* SPDX-License-Identifier: ISC */
/*
 * cmd_status.c -- what the disk says about itself: `status`, `metrics`, and `set`, which changes it.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/page.h"

#include "ctl/guard.h"

int
cmd_status(struct ask *a, const struct options *o, char **args)
{
	json_t *st;
	int code = ask_simple(a, "status", &st);

	(void)o;
	(void)args;
	if (code != EXIT_DONE)
		return (code);
	if (a->json)
		put_json(st);
	else
		page_print(st, stdout);
	json_decref(st);
	return (code);
}

int
cmd_metrics(struct ask *a, const struct options *o, char **args)
{
	json_t *data;
	const char *text;
	int code = ask_simple(a, "metrics", &data);

	(void)o;
	(void)args;
	text = json_string_value(json_object_get(data, "text"));
	if (code == EXIT_DONE && text != NULL)
		(void)fputs(text, stdout);
	json_decref(data);
	return (code);
}

int
cmd_set(struct ask *a, const struct options *o, char **args)
{
	json_t *data;
	const char *note;
	int code;

	(void)o;
	code = ask_run(
	    a, json_pack("{s:s, s:s, s:s}", "cmd", "set", "key", args[0], "value", args[1]), &data);
	note = json_string_value(json_object_get(data, "note"));
	if (code == EXIT_DONE && a->json)
		put_json(data);
	else if (code == EXIT_DONE)
		(void)printf("%s = %s%s%s\n", args[0], args[1],
		    note != NULL && *note != '\0' ? ": " : "", note != NULL ? note : "");
	json_decref(data);
	return (code);
}

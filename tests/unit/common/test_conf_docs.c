/* SPDX-License-Identifier: ISC */
/*
 * test_conf_docs.c -- the sample configuration and the manual page say what the table says.
 *
 * Run from the top of the tree.  The page's lists are generated (man/gen-conf-table); they are
 * checked here against the compiled table, which does not share a line with that script.
 */
#include <ctype.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/conf.h"
#include "common/conf_priv.h"
#include "tests/unit/tap.h"

static char *
slurp(const char *name)
{
	AUTO_FILE FILE *in = fopen(name, "re");
	char *text = calloc(1, 1 << 20);

	if (in == NULL || fread(text, 1, (1 << 20) - 1, in) == 0) {
		ok(0, "%s can be read (from the top of the tree)", name);
		exit(tap_done());
	}
	return (text);
}

/* The manual wraps lines: compare with each run of white space as one blank. */
static void
squeeze(char *text)
{
	char *out = text, *start = text;

	for (; *text != '\0'; text++) {
		if (!isspace((unsigned char)*text))
			*out++ = *text;
		else if (out > start && out[-1] != ' ')
			*out++ = ' ';
	}
	*out = '\0';
}

/* The entry of a key in the page, squeezed; NULL if there is not exactly one. */
static char *
page_entry(const char *page, const char *name)
{
	char head[128], *entry;
	const char *at, *end;

	snprintf(head, sizeof(head), "\n.It Cm %s No = Ar ", name);
	if ((at = strstr(page, head)) == NULL || strstr(at + 1, head) != NULL)
		return (NULL);
	end = strstr(at + 1, "\n.It ");
	if (end == NULL || (strstr(at, "\n.El") != NULL && strstr(at, "\n.El") < end))
		end = strstr(at, "\n.El");
	entry = strndup(at, (size_t)(end - at));
	squeeze(entry);
	return (entry);
}

static bool
entry_agrees(const struct conf_key *key, const char *entry)
{
	char want[600];

	if (entry == NULL ||
	    strstr(entry, key->help + 1) == NULL) /* the first letter is a capital there */
		return (false);
	if ((key->flags & KEY_GONE) != 0) {
		snprintf(want, sizeof(want), "Has no effect: %s.", key->arg);
		return (strstr(entry, want) != NULL);
	}
	snprintf(want, sizeof(want), "Default: .Ql %s .", key->def != NULL ? key->def : "");
	if ((strstr(entry, "Default:") != NULL) != (key->def != NULL) ||
	    (key->def != NULL && strstr(entry, want) == NULL))
		return (false);
	for (uint32_t i = 0; key->type == TYPE_ENUM; i++) {
		const char *word = conf_enum_word((enum conf_id)(key - conf_keys), i);

		if (*word == '?')
			break;
		if (*word != '(' && strstr(entry, word) == NULL)
			return (false);
	}
	return (
	    (strstr(entry, "Can change while running.") != NULL) == ((key->flags & KEY_LIVE) != 0));
}

static void
test_page(void)
{
	AUTO_FREE char *page = slurp("man/s3backer.conf.5");
	int entries = 0;

	for (int i = 0; i < CONF_NKEYS; i++) {
		AUTO_FREE char *entry = page_entry(page, conf_keys[i].name);

		ok(entry_agrees(&conf_keys[i], entry), "the page on %s", conf_keys[i].name);
	}
	for (const char *at = page; (at = strstr(at, "\n.It Cm ")) != NULL; at++)
		entries++;
	is_int(entries, CONF_NKEYS, "it has no other keys");
}

static void
test_sample(void)
{
	static const char *const bucket[] = {"bucket=abc", NULL};
	AUTO_FREE char *sample = slurp("etc/s3backer.conf"), *error = NULL;
	struct conf *conf = NULL, *defaults = conf_new();
	char *rest = sample, *line, *value, why[CONF_WHY];
	int seen[CONF_NKEYS] = {0};

	ok(conf_load("etc/s3backer.conf", bucket, &conf, &error) == 0, "the sample is accepted: %s",
	    error == NULL ? "yes" : error);
	for (int i = 0; conf != NULL && i < CONF_NKEYS; i++)
		if (i != CONF_bucket && conf_is_set(conf, (enum conf_id)i))
			ok(0, "the sample sets %s", conf_keys[i].name);
	conf_free(conf);

	conf = conf_new();
	while ((line = strsep(&rest, "\n")) != NULL) {
		int id;

		if (*line != '#' || (value = strstr(line, " = ")) == NULL ||
		    !isalnum((unsigned char)line[1]) ||
		    strcspn(line, " ") != (size_t)(value - line))
			continue;
		*value = '\0';
		value += 3;
		if ((id = conf_key_find(line + 1)) < 0) {
			ok(0, "the sample has a key %s", line + 1);
			continue;
		}
		seen[id]++;
		if (conf_value_parse(conf, (enum conf_id)id, value, "/", why) < 0) {
			ok(0, "the sample's %s: %s", line + 1, why);
		} else if (conf_keys[id].def != NULL) {
			AUTO_FREE char *shown = conf_value_text(conf, (enum conf_id)id);
			AUTO_FREE char *want = conf_value_text(defaults, (enum conf_id)id);

			is_str(shown, want, "the sample shows the default of %s", line + 1);
		}
	}
	for (int i = 0; i < CONF_NKEYS; i++)
		is_int(seen[i], 1, "the sample has %s once", conf_keys[i].name);
	conf_free(conf);
	conf_free(defaults);
}

int
main(void)
{
	test_page();
	test_sample();
	return (tap_done());
}

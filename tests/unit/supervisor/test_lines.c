/* SPDX-License-Identifier: ISC */
/* Lines that the supervisor takes apart: answers of the store tool, -o options, names of a disk. */
#include <errno.h>
#include <unistd.h>

#include "common/diskname.h"

#include "supervisor/options.h"
#include "supervisor/storetool.h"
#include "supervisor/words.h"

#include "tests/unit/tap.h"

static void
answers(void)
{
	static const char a[] = " present=1 token=0badcafe host=a%20b%25 since= xtoken=1 size=123";
	char buf[32], tiny[4];

	ok(storetool_value(a, "host", buf, sizeof(buf)), "a value is found");
	is_str(buf, "a b%", "and decoded");
	ok(storetool_value(a, "since", buf, sizeof(buf)) && buf[0] == '\0',
	    "an empty one is there");
	ok(!storetool_value(a, "sin", buf, sizeof(buf)), "the beginning of a key is not the key");
	ok(!storetool_value(a, "oken", buf, sizeof(buf)), "nor its end");
	ok(storetool_value(a, "xtoken", buf, sizeof(buf)) && strcmp(buf, "1") == 0,
	    "the whole one is");
	is_int(storetool_number(a, "token", 16), 0x0badcafe, "a number");
	is_int(storetool_number(a, "nothing", 10), 0, "a number that is not there");
	ok(storetool_value(a, "size", tiny, sizeof(tiny)) && strcmp(tiny, "123") == 0, "just fits");
	ok(storetool_value(a, "token", tiny, sizeof(tiny)) && strlen(tiny) == 3,
	    "is cut, not overrun");
	ok(storetool_value(" k=a%2", "k", buf, sizeof(buf)) && strcmp(buf, "a%2") == 0,
	    "half an escape is text");
}

static void
encoding(void)
{
	static const char text[] = "vm\n2026 =%\"x\xff";
	char enc[128], line[160], back[64], tiny[8];

	storetool_encode(text, enc, sizeof(enc));
	ok(strpbrk(enc, " \n=\"") == NULL, "an encoded value is one word");
	(void)snprintf(line, sizeof(line), " body=%s end=1", enc);
	ok(storetool_value(line, "body", back, sizeof(back)) && strcmp(back, text) == 0,
	    "and comes back");
	storetool_encode("aaaaaaaaaaaaaaaa", tiny, sizeof(tiny));
	ok(strlen(tiny) < sizeof(tiny), "cut at the end of the buffer");
}

static void
options(void)
{
	struct options o = {0};

	is_int(options_add(&o, "a=1,b,,c=x\\,y,"), 0, "options of one -o");
	is_int(o.noverrides, 3, "three of them");
	is_str(o.overrides[0], "a=1", "the first");
	is_str(o.overrides[1], "b", "a flag");
	is_str(o.overrides[2], "c=x,y", "a comma that was meant");
	is_int(options_add(&o, "d=\\z"), 0, "a second -o");
	is_str(o.overrides[3], "d=\\z", "other backslashes stay");
	ok(o.overrides[4] == NULL, "the end is marked");
	is_int(options_add(&o, ""), 0, "an empty one");
	is_int(o.noverrides, 4, "adds nothing");
}

static void
names(void)
{
	struct disk_paths p;
	char longname[200];

	is_int(
	    disk_paths_make("/etc/s3backer/mail.conf", "/run/x", NULL, &p), 0, "paths of a disk");
	is_str(p.name, "mail", "named after its configuration");
	is_str(p.sock, "/run/x/mail.sock", "socket");
	is_str(p.state, "/run/x/mail.state", "state in runDir");
	is_int(disk_paths_make("plain", "/run/x", "/var/c", &p), 0, "no suffix, no directory");
	is_str(p.name, "plain", "name");
	is_str(p.state, "/var/c.state", "state beside the cache file");
	memset(longname, 'n', sizeof(longname));
	longname[sizeof(longname) - 1] = '\0';
	is_int(disk_paths_make(longname, "/run/x", NULL, &p), -ENAMETOOLONG,
	    "a name that is too long");
	is_int(disk_paths_make("d", longname, NULL, &p), -ENAMETOOLONG, "a directory that is");
}

static void
words(void)
{
	struct words w = {.used = 0};
	int p[2];

	if (pipe(p) < 0)
		return;
	(void)!write(p[1], "prog: ", 6);
	is_int(words_read(&w, p[0], "role"), 0, "half a line");
	is_str(w.last, "", "is none yet");
	(void)!write(p[1], "it\033 broke\n\nsecond", 17);
	is_int(words_read(&w, p[0], "role"), 0, "the rest");
	is_str(w.last, "prog: it  broke", "makes it whole, without escapes");
	close(p[1]);
	is_int(words_read(&w, p[0], "role"), -EPIPE, "the end");
	is_str(w.last, "second", "ends the last line");
	close(p[0]);
}

int
main(void)
{
	answers();
	encoding();
	options();
	names();
	words();
	return (tap_done());
}

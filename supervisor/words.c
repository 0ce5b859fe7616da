/* SPDX-License-Identifier: ISC */
#include "supervisor/words.h"

#include <bsd/string.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"

#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/super.h"

#include "supervisor/guard.h"

static void
end_line(struct words *w, const char *name)
{
	w->line[w->used] = '\0';
	if (w->used > 0) {
		log_warn("%s wrote: %s", name, w->line);
		(void)strlcpy(w->last, w->line, sizeof(w->last));
	}
	w->used = 0;
}

int
words_read(struct words *w, int fd, const char *name)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return (errno == EAGAIN || errno == EINTR ? 0 : -errno);
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n' || w->used == sizeof(w->line) - 1)
			end_line(w, name);
		if (buf[i] != '\n')
			w->line[w->used++] = (unsigned char)buf[i] < ' ' ? ' ' : buf[i];
	}
	if (n == 0)
		end_line(w, name);
	return (n == 0 ? -EPIPE : 0);
}

void
words_copy(const struct super *s, uint32_t proc, char *buf, size_t len)
{
	const struct proc_slot *p = shm_proc(&s->shm, proc);
	size_t n = sizeof(p->words) < len ? sizeof(p->words) : len;

	memcpy(buf, p->words, n);
	buf[n - 1] = '\0';
	for (char *c = buf; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

void
words_of_the_dead(const struct super *s, const struct role *r, int wait_status, bool expected,
    char *buf, size_t len)
{
	char name[32], how[48], words[448];

	(void)proc_name(r->proc, name, sizeof(name));
	words_copy(s, r->proc, words, sizeof(words));
	if (words[0] == '\0')
		(void)strlcpy(words, r->fail[0] != '\0' ? r->fail : r->words.last, sizeof(words));
	if (WIFSIGNALED(wait_status)) {
		const char *sig = sigabbrev_np(WTERMSIG(wait_status));

		(void)snprintf(how, sizeof(how), "signal=%s", sig != NULL ? sig : "?");
	} else {
		(void)snprintf(how, sizeof(how), "exit=%d", WEXITSTATUS(wait_status));
	}
	(void)snprintf(buf, len, "%s %s: pid=%d %s lived_s=%llu%s%s", name,
	    expected ? "ended" : "died", (int)r->pid, how,
	    (unsigned long long)((now_us() - r->started_us) / US_PER_S),
	    words[0] != '\0' ? " words=" : "", words);
}

/* SPDX-License-Identifier: ISC */
#include "supervisor/notify.h"

#include <bsd/string.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/bar.h"
#include "common/blockmath.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/letter.h"
#include "supervisor/phase.h"
#include "supervisor/status.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define LINGER_US (30 * US_PER_S)
#define TELL_US	  (5 * US_PER_S)
#define EXTEND_US (30 * US_PER_S)

bool
notify_wanted(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return (path != NULL && (path[0] == '/' || path[0] == '@') && path[1] != '\0');
}

/* `fd` -1: none goes with it. */
static int
post(const char *text, int fd)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	char ctl[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr mh = {.msg_name = &sun, .msg_iov = &iov, .msg_iovlen = 1};
	AUTO_FD int sock = -1;
	struct cmsghdr *c;

	if (!notify_wanted())
		return (0);
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return (-ENAMETOOLONG);
	mh.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	if (fd >= 0) {
		mh.msg_control = ctl;
		mh.msg_controllen = sizeof(ctl);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return (-errno);
	return (0);
}

void
notify_ready(struct super *s)
{
	char text[512];

	(void)snprintf(
	    text, sizeof(text), "READY=1\nMAINPID=%d\nSTATUS=%.300s", (int)getpid(), s->file);
	(void)post(text, -1);
}

/* ---- the store ------------------------------------------------------------------------------ */

static int
keep(const char *name, int fd)
{
	char text[128];
	int r;

	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=" NOTIFY_FD_PREFIX "%s", name);
	if (fd < 0 || (r = post(text, fd)) == 0)
		return (0);
	log_warn("systemd does not take a descriptor: %s: %s", name, strerror(-r));
	return (r);
}

static void
drop(const char *name)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=" NOTIFY_FD_PREFIX "%s", name);
	(void)post(text, -1);
}

static int
keep_letter(const struct super *s)
{
	AUTO_FD int fd = memfd_create("s3backer-letter", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : letter_send(s, LETTER_STORE, fd);

	return (r < 0 ? r : keep("letter", fd));
}

void
notify_keep(struct super *s)
{
	const struct handed *h = &s->handed;
	char name[32];
	int r;

	if (!notify_wanted())
		return;
	drop("letter"); /* that of our predecessor; the others are still the same */
	r = keep("shm", h->shm);
	if (r == 0)
		r = keep("cache", h->cache);
	if (r == 0)
		r = keep("fuse", h->fuse);
	if (r == 0)
		r = keep("supbell", h->supbell);
	for (uint32_t u = 0; r == 0 && u < s->shm.geo.nuploaders; u++) {
		(void)snprintf(name, sizeof(name), "upbell.%u", u);
		r = keep(name, h->upbell[u]);
	}
	if (r == 0) /* last: who finds it finds the others */
		r = keep_letter(s);
	if (r == 0)
		atomic_store(&shm_state(&s->shm)->linger_us, LINGER_US);
}

void
notify_drop(struct super *s)
{
	char name[32];

	if (!notify_wanted())
		return;
	drop("letter");
	atomic_store(&shm_state(&s->shm)->linger_us, 0);
	drop("shm");
	drop("cache");
	drop("fuse");
	drop("supbell");
	for (uint32_t u = 0; u < s->shm.geo.nuploaders; u++) {
		(void)snprintf(name, sizeof(name), "upbell.%u", u);
		drop(name);
	}
}

/* ---- now and then --------------------------------------------------------------------------- */

static void
tell(struct super *s)
{
	uint64_t dirty = status_dirty_bytes(s);
	char text[256], bytes[24];

	if (s->phase == PHASE_RUNNING || s->phase == PHASE_DETACHED)
		(void)snprintf(text, sizeof(text), "STATUS=%s; %s not in the bucket yet",
		    phase_name(s), dirty > 0 ? bar_bytes(dirty, bytes) : "nothing");
	else if (s->phase < PHASE_RUNNING)
		(void)snprintf(text, sizeof(text), "STATUS=starting\nEXTEND_TIMEOUT_USEC=%llu",
		    (unsigned long long)EXTEND_US);
	else
		(void)snprintf(text, sizeof(text),
		    "STOPPING=1\nSTATUS=uploading what is left: %s\nEXTEND_TIMEOUT_USEC=%llu",
		    bar_bytes(dirty, bytes), (unsigned long long)EXTEND_US);
	(void)post(text, -1);
}

uint64_t
notify_timers(struct super *s, uint64_t now)
{
	const char *dog = getenv("WATCHDOG_USEC");
	uint64_t every = dog != NULL ? strtoull(dog, NULL, 10) / 2 : 0, next;

	if (!notify_wanted())
		return (TIME_NEVER);
	if (s->phase != s->told_phase || now >= s->tell_us) {
		s->told_phase = s->phase;
		s->tell_us = now + TELL_US;
		tell(s);
	}
	next = s->tell_us;
	if (every == 0)
		return (next);
	if (now >= s->watchdog_us) {
		s->watchdog_us = now + every;
		(void)post("WATCHDOG=1", -1);
	}
	return (min_u64(next, s->watchdog_us));
}

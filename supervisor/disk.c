/* SPDX-License-Identifier: ISC */
#include "supervisor/disk.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <fcntl.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/cachelayout.h"
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/bury.h"
#include "supervisor/command.h"
#include "supervisor/keys.h"
#include "supervisor/letter.h"
#include "supervisor/mount.h"
#include "supervisor/notify.h"
#include "supervisor/phase.h"
#include "supervisor/picks.h"
#include "supervisor/pidlock.h"
#include "supervisor/place.h"
#include "supervisor/resize.h"
#include "supervisor/set.h"
#include "supervisor/sizes.h"
#include "supervisor/start.h"
#include "supervisor/storetool.h"
#include "supervisor/super.h"
#include "supervisor/token.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

#define DETECT_LIMIT_US (90 * US_PER_S)

static int
open_signals(struct super *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return (-errno);
	s->sig_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->mountinfo_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	return (s->sig_fd < 0 || s->mountinfo_fd < 0 ? -errno : 0);
}

/* The uploaders' configuration goes where it can be kept, and out of everything else. */
int
disk_lock_up_secrets(struct super *s)
{
	size_t len = 0;
	char *text;
	int r;

	conf_forget_file_keys(s->conf);
	text = conf_serialize(s->conf, CONF_S3, &len);
	r = text == NULL ? -ENOMEM : vault_open(text, len, &s->vault);

	conf_wipe_text(&text, len);
	conf_forget(s->conf, CONF_CACHE | CONF_MOUNT);
	return (r);
}

/* One that is there keeps its size, and names its disk. */
static bool
has_cache_file(const struct conf *conf)
{
	struct stat st;

	return (conf->cache_file != NULL && stat(conf->cache_file, &st) == 0 && st.st_size > 0);
}

/* ---- what the store says -------------------------------------------------------------------- */

int
disk_keep_key(struct super *s, const char *answer)
{
	char line[620];

	if (!storetool_value(answer, "key", s->key_object, sizeof(s->key_object)))
		return (0);
	s->key_object[strcspn(s->key_object, "\n")] = '\0';
	(void)snprintf(line, sizeof(line), "keyObject=%s", s->key_object);
	return (vault_append(s->vault, line));
}

/* A new disk gets its key when it is sure whose it is. */
int
disk_make_key(struct super *s, struct storetool *t, char **ret_error)
{
	int r;

	if (!s->new_key)
		return (0);
	if ((r = storetool_ask(t, DETECT_LIMIT_US, ret_error, "key-make")) < 0)
		return (r);
	s->new_key = false;
	return (disk_keep_key(s, t->answer));
}

/* What the bucket says besides its sizes.  The first thing to know is who has the disk. */
static int
heed(struct super *s, const char *answer, struct held *ret_held, char **ret_error)
{
	char text[1024], line[64];
	int r;

	if ((r = token_look(s, answer, ret_held, ret_error)) < 0)
		return (r);
	if (storetool_value(answer, "problem", text, sizeof(text))) {
		*ret_error = strdup(text);
		return (-EINVAL);
	}
	if (storetool_value(answer, "note", text, sizeof(text)))
		start_report_note(s, text);
	s->new_key = storetool_number(answer, "newkey", 10) != 0;
	if ((r = disk_keep_key(s, answer)) < 0)
		return (r);
	if (!storetool_value(answer, "keylength", text, sizeof(text)))
		return (0);
	(void)snprintf(line, sizeof(line), "keyLength=%.8s", text);
	(void)snprintf(text, sizeof(text),
	    "keyLength = %s is what this disk was made with: it is taken, set it", line + 10);
	start_report_note(s, text);
	return (vault_append(s->vault, line));
}

static int
detect(struct super *s, struct storetool *t, struct sizes_in *in, struct held *ret_held,
    char **ret_error)
{
	uint64_t looked;
	char empty[8];
	int r;

	*in = (struct sizes_in){.conf_size = s->conf->size,
	    .conf_block = s->conf->block_size,
	    .force = s->conf->force,
	    .encrypt = s->conf->encrypt_arg != NULL};
	looked = boot_us();
	r = storetool_ask(
	    t, DETECT_LIMIT_US, ret_error, "detect%s", has_cache_file(s->conf) ? " known" : "");
	if (r < 0 || (r = heed(s, t->answer, ret_held, ret_error)) < 0)
		return (r);
	ret_held->looked_us = looked;
	place_note(s, t->answer);
	if (s->conf->no_auto_detect) {
		/* The user says that he knows: then the old program's default is meant. */
		in->conf_block = in->conf_block != 0 ? in->conf_block : CONF_BLOCK_SIZE_NEW;
		return (0);
	}
	if (storetool_number(t->answer, "found", 10) != 0) {
		in->found_size = storetool_number(t->answer, "size", 10);
		in->found_block = storetool_number(t->answer, "blocksize", 10);
	}
	if (storetool_value(t->answer, "empty", empty, sizeof(empty)))
		in->bucket = strcmp(empty, "1") == 0 ? BUCKET_EMPTY : BUCKET_USED;
	return (0);
}

int
disk_settle_sizes(struct super *s, struct storetool *t, struct held *ret_held, char **ret_error)
{
	struct sizes_out o;
	struct sizes_in in;
	char error[512];
	int r;

	if ((r = detect(s, t, &in, ret_held, ret_error)) < 0)
		return (r);
	if ((r = sizes_resolve(&in, &o, error, sizeof(error))) < 0) {
		*ret_error = strdup(error);
		return (r);
	}
	if (o.note[0] != '\0')
		start_report_note(s, o.note);
	s->size = o.size;
	s->shm.geo.block_size = o.block;
	return (place_tell_uploaders(s));
}

/* Keys that were found somewhere, and not configured: which, and where. */
static int
tell_keys(struct super *s, struct storetool *t, char **ret_error)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *note = NULL;
	int r = keys_ask(t, &text, ret_error);

	if (r == 0 && text != NULL && asprintf(&note, "credentials: %s", text) >= 0)
		start_report_note(s, note);
	return (r);
}

static int
ask_store(struct super *s)
{
	struct storetool t;
	struct held held = {0};
	char *error = NULL;
	int r;

	r = storetool_open(&t, s->vault, s->opt.foreground, &error);
	t.cancel_fd = s->sig_fd;
	t.parent_fd = s->parent_fd;
	if (r == 0 && (r = tell_keys(s, &t, &error)) == 0 &&
	    (r = disk_settle_sizes(s, &t, &held, &error)) == 0 &&
	    (r = token_acquire(s, &t, &held, &error)) == 0)
		r = disk_make_key(s, &t, &error);
	storetool_close(&t);
	if (r < 0)
		super_fail(s, "%s", error != NULL ? error : strerror(-r));
	free(error);
	return (r);
}

/* start --dirty=set-aside: nothing of it is lost, and nothing of it is used. */
static int
set_cache_aside(struct super *s)
{
	AUTO_FREE char *aside = NULL;
	AUTO_FREE char *note = NULL;
	char when[TIME_ISO_LEN];

	if (s->opt.dirty != DIRTY_SET_ASIDE || s->conf->cache_file == NULL)
		return (0);
	if (asprintf(&aside, "%s.aside-%s", s->conf->cache_file, time_iso_basic(wall_us(), when)) <
	    0)
		return (-ENOMEM);
	if (rename(s->conf->cache_file, aside) < 0) {
		if (errno == ENOENT)
			return (0);
		super_fail(s, "cannot set the cache file aside: %s: %s", aside, strerror(errno));
		return (-errno);
	}
	if (asprintf(&note, "the cache file was set aside, with its changes, as %s", aside) >= 0)
		start_report_note(s, note);
	return (0);
}

/* ---- the segment ---------------------------------------------------------------------------- */

static int
plan(struct super *s, struct shm_geometry *ret_geo)
{
	uint64_t block = s->shm.geo.block_size, nblocks = s->size / block, slots;
	int r;

	slots = conf_cache_slots(s->conf, block);
	/* Nobody asked for more slots than blocks; a few more let frozen ones be rewritten. */
	if (!conf_is_set(s->conf, CONF_blockCacheSize) && !has_cache_file(s->conf))
		slots = min_u64(slots, nblocks + conf_max_transfers(s->conf, block));
	r = shm_plan(ret_geo, nblocks, (uint32_t)block, (uint32_t)slots, conf_uploaders(s->conf),
	    conf_max_transfers(s->conf, block));
	if (r == 0 && s->conf->cache_file != NULL)
		ret_geo->data_off = cache_data_off((uint32_t)slots);
	return (r);
}

static void
fill_state(struct super *s)
{
	struct ipc_state *st = shm_state(&s->shm);
	struct proc_slot *me = shm_proc(&s->shm, PROC_SUPERVISOR);
	uint64_t now = now_us();

	atomic_store(&st->disk_state, DISK_STARTING);
	token_publish(s, st);
	atomic_store(&st->dirty_welcome, s->opt.dirty == DIRTY_UPLOAD);
	atomic_store(&st->read_only, s->conf->read_only);
	set_publish(s);
	atomic_store(&st->started_us, now);
	atomic_store(&me->pid, (uint32_t)getpid());
	atomic_store(&me->epoch, 1);
	atomic_store(&me->run, PROC_RUNNING);
	atomic_store(&me->started_us, now);
}

static int
make_bells(struct super *s)
{
	s->handed.supbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->handed.supbell < 0)
		return (-errno);
	for (uint32_t u = 0; u < s->shm.geo.nuploaders; u++) {
		s->handed.upbell[u] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (s->handed.upbell[u] < 0)
			return (-errno);
	}
	return (0);
}

static int
make_roles(struct super *s)
{
	s->handed.shm = s->shm.fd;
	s->nprocs = shm_nprocs(&s->shm);
	if ((s->role = calloc(s->nprocs, sizeof(*s->role))) == NULL)
		return (-ENOMEM);
	for (uint32_t p = 0; p < s->nprocs; p++)
		s->role[p] = (struct role){.proc = p, .sock = -1, .err_fd = -1};
	return (command_attach(s));
}

int
disk_attach(struct super *s, int shm_fd)
{
	struct proc_slot *me;
	int r = shm_attach(shm_fd, &s->shm);

	if (r < 0)
		return (r);
	me = shm_proc(&s->shm, PROC_SUPERVISOR);
	atomic_store(&me->pid, (uint32_t)getpid());
	atomic_store(&me->started_us, now_us());
	atomic_fetch_add(&me->epoch, 1);
	atomic_fetch_add(&me->restarts, 1);
	return (make_roles(s));
}

static int
make_segment(struct super *s)
{
	struct shm_geometry geo;
	int r;

	if ((r = plan(s, &geo)) < 0 || (r = shm_create(&geo, &s->shm)) < 0)
		return (r);
	fill_state(s);
	if ((r = make_bells(s)) < 0 || (r = make_roles(s)) < 0)
		return (r);
	log_info("geometry: size=%llu block=%u cache_slots=%u uploaders=%u transfers=%u",
	    (unsigned long long)s->size, geo.block_size, geo.nslots, geo.nuploaders,
	    conf_max_transfers(s->conf, geo.block_size));
	picks_log(s, &geo, has_cache_file(s->conf));
	return (0);
}

/* Without this request a dead frontend ends the mount: FUSE_NOTIFY_RESEND is of Linux 6.9. */
static void
warn_about_old_kernel(struct super *s)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	    (major < 6 || (major == 6 && minor < 9)))
		start_report_note(s,
		    "this kernel is older than 6.9: a death of the frontend would end "
		    "the mount; nothing that was flushed would be lost");
}

int
disk_run(struct super *s)
{
	int r;

	if ((r = open_signals(s)) < 0 || (r = disk_lock_up_secrets(s)) < 0) {
		super_fail(s, "%s", strerror(-r));
		return (r);
	}
	(void)notify_timers(s, now_us()); /* the questions to the store may take their time */
	warn_about_old_kernel(s);
	if ((r = ask_store(s)) < 0 || (r = set_cache_aside(s)) < 0)
		return (r);
	if ((r = make_segment(s)) < 0) {
		super_fail(s, "cannot make the shared segment: %s", strerror(-r));
		return (r);
	}
	return (super_run(s));
}

int
disk_go_on(struct super *s, bool by_exec)
{
	int r;

	if ((r = open_signals(s)) < 0 || (r = disk_lock_up_secrets(s)) < 0 ||
	    (r = place_tell_uploaders(s)) < 0) {
		super_fail(s, "cannot go on: %s", strerror(-r));
		return (r);
	}
	phase_go_on(s, by_exec);
	return (super_run(s));
}

int
disk_go_on_cold(struct super *s)
{
	struct proc_slot *fe;
	int r;

	s->token.taken_over = true; /* if it fails, changes in the cache file keep it */
	if ((r = open_signals(s)) < 0 || (r = disk_lock_up_secrets(s)) < 0 ||
	    (r = place_tell_uploaders(s)) < 0 || (resize_grow(s), r = make_segment(s)) < 0 ||
	    (r = letter_read_init(s->letter, s)) < 0) {
		super_fail(s, "cannot go on: %s", strerror(-r));
		return (r);
	}
	/* The frontend is to take over a mount, not to begin one; nobody has to be buried for it. */
	fe = shm_proc(&s->shm, PROC_FRONTEND);
	atomic_store(&fe->epoch, 1);
	atomic_store(&fe->buried_by, 1);
	log_info("going on with a new segment: version=%s file=%s", S3B_VERSION, s->file);
	return (super_run(s));
}

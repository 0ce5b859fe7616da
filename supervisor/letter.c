/* SPDX-License-Identifier: ISC */
#include "supervisor/letter.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/msg.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/durable.h"

#include "supervisor/command.h"
#include "supervisor/control.h"
#include "supervisor/mount.h"
#include "supervisor/options.h"
#include "supervisor/set.h"
#include "supervisor/super.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

#define LETTER_MAX (1u << 20)

/* ---- bytes as text -------------------------------------------------------------------------- */

static json_t *
to_hex(const void *bytes, size_t len)
{
	const unsigned char *b = bytes;
	AUTO_FREE char *text = malloc(2 * len + 1);

	if (text == NULL)
		return (NULL);
	text[0] = '\0';
	for (size_t i = 0; i < len; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", b[i]);
	return (json_string(text));
}

static int
from_hex(const json_t *o, void *ret_bytes, size_t len)
{
	const char *text = json_string_value(o);
	unsigned byte;

	if (text == NULL || strlen(text) != 2 * len)
		return (-EPROTO);
	for (size_t i = 0; i < len; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return (-EPROTO);
		((unsigned char *)ret_bytes)[i] = (unsigned char)byte;
	}
	return (0);
}

static uint64_t
number(const json_t *o, const char *key)
{
	return ((uint64_t)json_integer_value(json_object_get(o, key)));
}

static void
put_number(json_t *o, const char *key, uint64_t value)
{
	(void)json_object_set_new(o, key, json_integer((json_int_t)value));
}

static void
get_text(const json_t *o, const char *key, char *buf, size_t len)
{
	const char *text = json_string_value(json_object_get(o, key));

	(void)strlcpy(buf, text != NULL ? text : "", len);
}

/* ---- writing -------------------------------------------------------------------------------- */

static uint64_t
init_room(const struct super *s)
{
	return (s->shm.off[SHM_FUSE_INIT + 1] - s->shm.off[SHM_FUSE_INIT]);
}

static json_t *
init_letter(const struct super *s)
{
	uint64_t len = atomic_load(&shm_state(&s->shm)->fuse_init_len);

	return (to_hex(shm_area(&s->shm, SHM_FUSE_INIT), min_u64(len, init_room(s))));
}

static json_t *
token_letter(const struct token *t)
{
	json_t *o = json_pack("{s:s, s:s, s:b}", "instance", t->instance, "body", t->body,
	    "takenOver", t->taken_over);

	put_number(o, "value", t->value);
	put_number(o, "fence", t->fence);
	put_number(o, "settled", t->settled_us);
	return (o);
}

static json_t *
options_letter(const struct options *opt)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < opt->noverrides; i++)
		(void)json_array_append_new(list, json_string(opt->overrides[i]));
	return (json_pack("{s:s, s:b, s:o}", "config", opt->config_real, "foreground",
	    opt->foreground, "overrides", list));
}

static json_t *
changes_letter(const struct super *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->nlive; i++)
		(void)json_array_append_new(list, json_string(s->live[i]));
	return (list);
}

static json_t *
fds_letter(const struct super *s)
{
	const struct handed *h = &s->handed;
	json_t *o = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "shm", h->shm, "cache", h->cache,
	    "fuse", h->fuse, "supbell", h->supbell, "pid", s->pid_fd, "control",
	    control_fd(s->control));
	char name[32];

	for (uint32_t u = 0; u < s->shm.geo.nuploaders; u++) {
		(void)snprintf(name, sizeof(name), "upbell.%u", u);
		(void)json_object_set_new(o, name, json_integer(h->upbell[u]));
	}
	return (o);
}

static json_t *
role_letter(const struct role *r)
{
	json_t *o = json_pack("{s:i, s:i, s:i, s:b, s:b}", "pid", (int)r->pid, "sock", r->sock,
	    "err", r->err_fd, "buried", r->buried, "restarting", r->restarting);

	put_number(o, "proc", r->proc);
	put_number(o, "state", r->state);
	put_number(o, "startedUs", r->started_us);
	put_number(o, "readyByUs", r->ready_by_us);
	put_number(o, "respawnUs", r->respawn_us);
	put_number(o, "deaths", r->deaths);
	put_number(o, "buryEpoch", r->bury_epoch);
	return (o);
}

static json_t *
pending_letter(const struct pending *p, bool cold)
{
	return (json_pack("{s:o, s:b, s:i}", "msg", to_hex(&p->msg, sizeof(p->msg)), "sent",
	    p->sent && !cold, "client", p->arg != NULL ? control_client_fd(p->arg) : -1));
}

static void
add_people(const struct super *s, json_t *o, bool cold)
{
	json_t *roles = json_array(), *pending = json_array();
	struct pending *p;

	for (uint32_t i = PROC_FRONTEND; i < s->nprocs && !cold; i++)
		(void)json_array_append_new(roles, role_letter(&s->role[i]));
	TAILQ_FOREACH (p, &s->pending, link)
		if (!cold || p->msg.type != IPC_DEAD) /* of a segment that will be gone */
			(void)json_array_append_new(pending, pending_letter(p, cold));
	(void)json_object_set_new(o, "cold", json_boolean(cold));
	if (cold)
		(void)json_object_set_new(o, "fuseInit", init_letter(s));
	(void)json_object_set_new(o, "fds", fds_letter(s));
	(void)json_object_set_new(o, "roles", roles);
	(void)json_object_set_new(o, "pending", pending);
	(void)json_object_set_new(o, "clients", control_letter(s->control));
	(void)json_object_set_new(o, "scrub", scrub_letter(s));
}

static json_t *
letter_write(const struct super *s, enum letter_for whom)
{
	json_t *o = json_pack("{s:i, s:i, s:o, s:o, s:s, s:s}", "letter", LETTER_VERSION, "ipc",
	    IPC_VERSION, "options", options_letter(&s->opt), "token", token_letter(&s->token),
	    "mountPoint", s->conf->mount_point, "file", s->file);

	if (o == NULL)
		return (NULL);
	put_number(o, "size", s->size);
	(void)json_object_set_new(o, "region", json_string(s->region));
	(void)json_object_set_new(o, "style", json_string(s->style));
	(void)json_object_set_new(o, "keyObject", json_string(s->key_object));
	put_number(o, "resizeTo", s->resize_to);
	put_number(o, "nextReq", s->next_req);
	put_number(o, "fuseMinor", s->fuse_minor);
	(void)json_object_set_new(o, "live", changes_letter(s));
	put_number(o, "blockSize", s->shm.geo.block_size);
	(void)json_object_set_new(o, "stopWanted", json_boolean(s->stop_wanted));
	if (whom != LETTER_STORE)
		add_people(s, o, whom == LETTER_COLD);
	return (o);
}

/* ---- the way -------------------------------------------------------------------------------- */

/* Keys and all: what is not the uploaders', then what they have.  A later line wins. */
static int
send_conf(const struct super *s, int fd)
{
	size_t len, more = 0;
	const char *theirs = vault_text(s->vault, &len);
	char *rest = conf_serialize(s->conf, CONF_CACHE | CONF_MOUNT, &more);
	int r = rest == NULL ? -ENOMEM : write_full(fd, "", 1);

	if (r == 0 && (r = write_full(fd, rest, more)) == 0)
		r = write_full(fd, theirs, len);
	conf_wipe_text(&rest, more);
	return (r);
}

int
letter_send(const struct super *s, enum letter_for whom, int fd)
{
	json_t *letter = letter_write(s, whom);
	char *text = letter != NULL ? json_dumps(letter, JSON_COMPACT) : NULL;
	int r = text == NULL ? -ENOMEM : write_full(fd, text, strlen(text));

	if (r == 0 && whom != LETTER_STORE)
		r = send_conf(s, fd);
	json_decref(letter);
	free(text);
	return (r);
}

static ssize_t
read_all(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n = 1;

	(void)lseek(fd, 0, SEEK_SET); /* a memfd was written to its end; a pipe does not mind */
	while (n != 0 && used < size) {
		n = read(fd, buf + used, size - used);
		if (n < 0 && errno != EINTR)
			return (-errno);
		used += n > 0 ? (size_t)n : 0;
	}
	return (n == 0 ? (ssize_t)used : -EMSGSIZE);
}

int
letter_receive(int fd, struct letter *ret)
{
	char *text = malloc(LETTER_MAX + 1);
	ssize_t n = text != NULL ? read_all(fd, text, LETTER_MAX) : -ENOMEM;
	size_t len;
	int r = n < 0 ? (int)n : -EPROTO;

	*ret = (struct letter){.json = NULL};
	if (n >= 0) {
		text[n] = '\0';
		len = strlen(text);
		ret->json = json_loadb(text, len, 0, NULL);
		if ((size_t)n > len) {
			/* It is text; behind a NUL in it there would be no memory to be wiped. */
			ret->conf_len = strnlen(text + len + 1, (size_t)n - len - 1);
			ret->conf = strndup(text + len + 1, ret->conf_len);
		}
		if (number(ret->json, "letter") == LETTER_VERSION)
			r = 0;
	}
	conf_wipe_text(&text, LETTER_MAX);
	if (r < 0)
		letter_free(ret);
	return (r);
}

void
letter_free(struct letter *l)
{
	json_decref(l->json);
	conf_wipe_text(&l->conf, l->conf_len);
	l->json = NULL;
}

bool
letter_fits(const struct letter *l)
{
	uint64_t ours = IPC_VERSION;

#ifdef S3B_INJECT
	const char *pretended = getenv("S3BACKERD_TEST_IPC");

	if (pretended != NULL)
		ours = strtoull(pretended, NULL, 10);
#endif
	return (number(l->json, "ipc") == ours);
}

bool
letter_is_cold(const struct letter *l)
{
	return (json_is_true(json_object_get(l->json, "cold")));
}

int
letter_read_init(const struct letter *l, struct super *s)
{
	json_t *o = json_object_get(l->json, "fuseInit");
	size_t len = json_string_length(o) / 2;
	int r = len > init_room(s) ? -EPROTO : 0;

	if (r == 0)
		r = from_hex(o, shm_area(&s->shm, SHM_FUSE_INIT), len);
	if (r == 0)
		atomic_store(&shm_state(&s->shm)->fuse_init_len, len);
	return (r);
}

bool
letter_is_about(const struct letter *l, const char *config)
{
	const char *theirs =
	    json_string_value(json_object_get(json_object_get(l->json, "options"), "config"));

	return (theirs != NULL && strcmp(theirs, config) == 0);
}

void
letter_forget_mount(const struct letter *l, const char *config)
{
	const char *dir = json_string_value(json_object_get(l->json, "mountPoint"));
	struct mount_entry e;

	if (dir != NULL && mount_find(dir, &e) == 0 && strcmp(e.type, MOUNT_TYPE) == 0 &&
	    strcmp(e.source, config) == 0)
		mount_detach(dir);
}

/* ---- reading -------------------------------------------------------------------------------- */

int
letter_fd(const struct letter *l, const char *name)
{
	json_t *fd = json_object_get(json_object_get(l->json, "fds"), name);

	return (json_is_integer(fd) ? (int)json_integer_value(fd) : -1);
}

int
letter_read_options(const struct letter *l, struct super *s)
{
	json_t *o = json_object_get(l->json, "options"), *one;
	size_t i;
	int r = 0;

	s->opt.foreground = json_is_true(json_object_get(o, "foreground"));
	s->opt.noverrides = 0;
	json_array_foreach(json_object_get(o, "overrides"), i, one)
	{
		/* As those of a command line it lives as long as the program. */
		const char *text = json_string_value(one);
		char *copy = text != NULL ? strdup(text) : NULL;

		if (r == 0)
			r = copy == NULL ? -ENOMEM : options_add_one(&s->opt, copy);
	}
	return (r);
}

int
letter_read_changes(const struct letter *l, struct super *s)
{
	json_t *one;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(l->json, "live"), i, one) if (r == 0) r =
	    set_again(s, json_string_value(one));
	return (r);
}

uint64_t
letter_resize(const struct letter *l)
{
	return (number(l->json, "resizeTo"));
}

bool
letter_place_found(const struct letter *l)
{
	char region[sizeof(((struct super *)0)->region)] = "";

	get_text(l->json, "region", region, sizeof(region));
	return (region[0] != '\0');
}

int
letter_read_disk(const struct letter *l, struct super *s)
{
	json_t *letter = l->json, *t = json_object_get(letter, "token");
	const char *dir = json_string_value(json_object_get(letter, "mountPoint"));
	const char *file = json_string_value(json_object_get(letter, "file"));

	if (dir == NULL || file == NULL || t == NULL)
		return (-EPROTO);
	free(s->conf->mount_point);
	s->conf->mount_point = strdup(dir);
	s->file = strdup(file);
	if (s->conf->mount_point == NULL || s->file == NULL)
		return (-ENOMEM);
	s->size = number(letter, "size");
	get_text(letter, "region", s->region, sizeof(s->region));
	get_text(letter, "style", s->style, sizeof(s->style));
	get_text(letter, "keyObject", s->key_object, sizeof(s->key_object));
	s->resize_to = number(letter, "resizeTo");
	s->next_req = number(letter, "nextReq");
	s->fuse_minor = (unsigned)number(letter, "fuseMinor");
	s->shm.geo.block_size = (uint32_t)number(letter, "blockSize"); /* until it is attached */
	s->stop_wanted = json_is_true(json_object_get(letter, "stopWanted"));
	s->mounted = true; /* from here on, whatever happens */
	s->token.value = (uint32_t)number(t, "value");
	s->token.fence = (unsigned)number(t, "fence");
	s->token.settled_us = number(t, "settled");
	s->token.taken_over = json_is_true(json_object_get(t, "takenOver"));
	get_text(t, "instance", s->token.instance, sizeof(s->token.instance));
	get_text(t, "body", s->token.body, sizeof(s->token.body));
	return (0);
}

static void
read_role(json_t *o, struct role *r)
{
	r->state = (enum role_state)number(o, "state");
	r->pid = (pid_t)number(o, "pid");
	r->sock = (int)number(o, "sock");
	r->err_fd = (int)number(o, "err");
	r->started_us = number(o, "startedUs");
	r->ready_by_us = number(o, "readyByUs");
	r->respawn_us = number(o, "respawnUs");
	r->deaths = (unsigned)number(o, "deaths");
	r->bury_epoch = (uint32_t)number(o, "buryEpoch");
	r->buried = json_is_true(json_object_get(o, "buried"));
	r->restarting = json_is_true(json_object_get(o, "restarting"));
}

int
letter_read_people(const struct letter *l, struct super *s)
{
	json_t *letter = l->json, *o;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(letter, "roles"), i, o)
	{
		uint64_t proc = number(o, "proc");

		if (proc < PROC_FRONTEND || proc >= s->nprocs)
			return (-EPROTO);
		read_role(o, &s->role[proc]);
	}
	scrub_read_letter(s, json_object_get(letter, "scrub"));
	if ((r = control_read_letter(s, json_object_get(letter, "clients"))) < 0)
		return (r);
	json_array_foreach(json_object_get(letter, "pending"), i, o)
	{
		struct ipc_msg m;

		if ((r = from_hex(json_object_get(o, "msg"), &m, sizeof(m))) == 0)
			r = command_adopt(s, m, json_is_true(json_object_get(o, "sent")),
			    control_find_client(
				s, (int)json_integer_value(json_object_get(o, "client"))));
		if (r < 0)
			return (r);
	}
	return (0);
}

/* SPDX-License-Identifier: ISC */
/*
 * test_ways.c -- the same round trip by every way to a store: TLS, signature versions, anonymous,
 * virtual host, another region, a wrong clock, hashed names, odd prefixes, a directory.
 */
#include <dirent.h>

#include <zlib.h>

#include "tests/unit/tap.h"
#include "tests/unit/uploader/pool.h"

#define BLOCK 16384u

static struct server server;
static char tmp[64], ca[128];

struct way {
	const char *what;
	const char *server[6];
	const char *conf[8];
	bool tls;
	const char *object; /* the name that block 5 gets; a substring */
};

static const struct way ways[] = {
    {"plain", {NULL}, {NULL}, false, "00000005"},
    {"TLS", {"--tls", tmp, NULL}, {ca, NULL}, true, "00000005"},
    {"TLS without verification", {"--tls", tmp, NULL}, {"insecure", NULL}, true, "00000005"},
    {"signature version 2", {NULL}, {"authVersion=aws2", NULL}, false, "00000005"},
    {"anonymous", {"--anonymous", NULL}, {"accessId=", NULL}, false, "00000005"},
    {"another region, found out from a 400", {"--region", "eu-west-1", NULL},
	{"region=us-east-1", "no-vhost", NULL}, false, "00000005"},
    {"another region, found out from a 301", {"--region", "eu-west-1", "--redirect-region", NULL},
	{"region=us-east-1", "no-vhost", NULL}, false, "00000005"},
    {"a clock that is an hour off", {"--fault", "any:skew=3600s", NULL}, {NULL}, false, "00000005"},
    {"hashed names", {NULL}, {"blockHashPrefix", NULL}, false, "6a03ab82-00000005"},
    {"a prefix", {NULL}, {"prefix=disks/a-", NULL}, false, "disks/a-00000005"},
    {"a prefix that needs encoding", {NULL}, {"prefix=a b%c#&<d>+~/", NULL}, false, "d"},
    {"storage class and server-side encryption", {NULL},
	{"storageClass=STANDARD_IA", "sse=AES256", "accessType=public-read", NULL}, false,
	"00000005"},
    {"no kept connections", {NULL}, {"noCurlCache", NULL}, false, "00000005"},
    {"a store that only lists version 2", {"--fault", "list:nth=1:501", NULL}, {NULL}, false,
	"00000005"},
    {"an upload limit", {NULL}, {"uploadLimit=8m", "downloadLimit=8m", NULL}, false, "00000005"},
    {"deflate", {NULL}, {"compress", NULL}, false, "00000005"},
    {"zstd", {NULL}, {"compress=zstd", "compress-level=1", NULL}, false, "00000005"},
    {"encryption", {NULL}, {"encrypt=AES-256-CBC", "password=test", NULL}, false, "00000005"},
    {"encryption, signature version 2", {NULL},
	{"encrypt", "password=test", "authVersion=aws2", NULL}, false, "00000005"},
    {"virtual host", {NULL}, {"vhost", NULL}, false, "00000005"},
};

static uint64_t
call(struct pool *p, uint16_t type, uint64_t block, uint64_t arg, uint32_t slot)
{
	struct ipc_msg m = {.type = type,
	    .block = block,
	    .arg = arg,
	    .slot = type == IPC_GET || type == IPC_PUT ? slot : IPC_NO_SLOT,
	    .len = type == IPC_GET ? BLOCK : 0};
	struct ipc_msg done;
	uint64_t n = 0;

	if (!pool_call(p, &m, &done) || done.status != 0) {
		printf("# %s: status %d\n", ipc_type_name(type), done.status);
		return (UINT64_MAX);
	}
	for (unsigned i = 0; i < p->nlisted; i++)
		n += p->listed[i].arg;
	return (type == IPC_LIST ? n : done.flags);
}

/* A range of a block: that and nothing else. */
static bool
part(struct pool *p)
{
	struct ipc_msg m = {.type = IPC_GET, .block = 3, .slot = 9, .off = 4096, .len = 8192}, done;

	pool_clear(p, 9);
	return (pool_call(p, &m, &done) && done.status == 0 && pool_holds(p, 9, 3, 3, 4096, 8192) &&
		!pool_holds(p, 9, 3, 3, 0, 4096) && !pool_holds(p, 9, 3, 3, 12288, 4096));
}

/* What the answers say of a block: one ETag, whoever is asked, and the CRC of its bytes. */
static unsigned
identities(struct pool *p)
{
	static const uint8_t none[16];
	struct ipc_msg m = {.type = IPC_PUT, .block = 7, .slot = 0}, up, down, list;
	unsigned char buf[BLOCK];
	unsigned bad = 0;

	pool_fill(p, 0, 7, 4);
	pool_pattern(buf, BLOCK, 7, 4);
	bad += !pool_call(p, &m, &up) || up.status != 0 || memcmp(up.etag, none, 16) == 0;
	bad += up.flags != IPC_F_HASCRC || up.arg != crc32(0, buf, BLOCK);
	m.type = IPC_GET, m.len = BLOCK, m.slot = 1;
	bad += !pool_call(p, &m, &down) || down.status != 0 || memcmp(up.etag, down.etag, 16) != 0;
	bad += down.flags != IPC_F_HASCRC || down.arg != up.arg;
	/* Its neighbour, so that without the flag there would be a run of two. */
	m.type = IPC_PUT, m.len = 0, m.block = 8, m.slot = 0;
	bad += !pool_call(p, &m, &down) || memcmp(down.etag, none, 16) == 0;
	list = (struct ipc_msg){
	    .type = IPC_LIST, .flags = IPC_F_ETAG, .block = 6, .arg = 3, .slot = IPC_NO_SLOT};
	bad += !pool_call(p, &list, &m) || m.status != 0 || p->nlisted != 2;
	for (unsigned i = 0; i < p->nlisted; i++)
		bad += p->listed[i].arg != 1 || p->listed[i].flags != IPC_F_ETAG ||
		       memcmp(p->listed[i].etag, p->listed[i].block == 7 ? up.etag : down.etag,
			   16) != 0;
	list.flags = 0;
	bad += !pool_call(p, &list, &m) || p->nlisted > 2;
	m = (struct ipc_msg){.type = IPC_DELETE, .block = 7, .arg = 2, .slot = IPC_NO_SLOT};
	bad += !pool_call(p, &m, &down) || down.status != 0;
	return (bad);
}

static unsigned
round_trip(struct pool *p)
{
	unsigned bad = 0;

	for (uint32_t b = 0; b < 6; b++) {
		pool_fill(p, b, b, 3);
		bad += call(p, IPC_PUT, b, 0, b) == UINT64_MAX;
	}
	for (uint32_t b = 0; b < 6; b++) {
		bad += call(p, IPC_GET, b, 0, 10 + b) != IPC_F_HASCRC;
		bad += !pool_holds(p, 10 + b, b, 3, 0, BLOCK);
	}
	bad += !part(p);
	bad += (call(p, IPC_GET, 9, 0, 0) & IPC_F_ZERO) == 0;
	bad += call(p, IPC_LIST, 0, 1000, 0) != 6;
	bad += call(p, IPC_LIST, 2, 2, 0) != 2;
	bad += call(p, IPC_DELETE, 1, 4, 0) == UINT64_MAX;
	bad += call(p, IPC_DELETE, 0, 1, 0) == UINT64_MAX;
	bad += call(p, IPC_LIST, 0, 1000, 0) != 1;
	return (bad);
}

static void
by_way(const struct way *w)
{
	const char *conf[20] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "timeout=2s", "initialRetryPause=20", "maxRetryPause=3000", "mountPoint=/mnt",
	    "size=16m", "blockSize=16k", "user=root"};
	char want[64];
	struct pool p;
	unsigned n = 11;

	if (!server_start(&server, w->tls, w->server)) {
		ok(false, "%s: no server", w->what);
		return;
	}
	if (strcmp(w->what, "virtual host") == 0)
		(void)snprintf(
		    server.url, sizeof(server.url), "baseURL=http://localhost:%d/", server.port);
	if (strcmp(w->what, "anonymous") == 0)
		conf[3] = "quiet";
	for (unsigned i = 0; w->conf[i] != NULL; i++)
		conf[n++] = w->conf[i];
	conf[n] = NULL;
	ok(pool_start(&p, 1, 1024, BLOCK, 16, conf), "%s: ready", w->what);
	is_int(round_trip(&p), 0, "%s: round trip", w->what);
	is_int(identities(&p), 0, "%s: ETags and CRCs", w->what);
	(void)snprintf(want, sizeof(want), "%s", w->object);
	ok(strstr(server_admin(&server, "GET", "keys/bkt", ""), want) != NULL, "%s: the name",
	    w->what);
	if (strstr(w->what, "version 2") != NULL && strstr(w->what, "lists") != NULL)
		ok(strstr(server_admin(&server, "GET", "log", ""), "list-type=2") != NULL,
		    "%s: was asked so", w->what);
	is_int(pool_stop(&p), 0, "%s: ends well", w->what);
	server_stop(&server);
}

static int
get_status(struct pool *p, uint64_t block)
{
	struct ipc_msg m = {.type = IPC_GET, .block = block, .slot = 0, .len = BLOCK}, done;

	return (pool_call(p, &m, &done) ? done.status : -ETIME);
}

static bool
with(struct pool *p, const char *a, const char *b)
{
	const char *conf[] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "timeout=2s", "initialRetryPause=20", "maxRetryPause=3000", "mountPoint=/mnt",
	    "size=16m", "blockSize=16k", "user=root", a, b, NULL};

	return (pool_start(p, 1, 1024, BLOCK, 16, conf));
}

/* One bucket, several configurations: what may be read, and what must never be. */
static void
mixed(void)
{
	struct pool p;

	if (!server_start(&server, false, NULL) || !with(&p, "compress", "quiet")) {
		ok(false, "mixed: no server");
		return;
	}
	pool_fill(&p, 0, 1, 3);
	is_int(call(&p, IPC_PUT, 1, 0, 0), IPC_F_HASCRC, "mixed: a deflated block");
	(void)pool_stop(&p);
	(void)with(&p, "encrypt", "password=one");
	pool_fill(&p, 0, 2, 3);
	is_int(call(&p, IPC_PUT, 2, 0, 0), IPC_F_HASCRC, "mixed: an encrypted block");
	is_int(get_status(&p, 1), -EIO, "mixed: what should be encrypted and is not: EIO");
	(void)pool_stop(&p);
	(void)with(&p, "encrypt", "password=two");
	is_int(get_status(&p, 2), -EIO, "mixed: another password: EIO");
	(void)pool_stop(&p);
	(void)with(&p, "quiet", "quiet");
	is_int(get_status(&p, 2), -EIO, "mixed: no password: EIO");
	is_int(get_status(&p, 1), 0, "mixed: deflate needs no configuration");
	ok(pool_holds(&p, 0, 1, 3, 0, BLOCK), "mixed: and is right");
	(void)pool_stop(&p);
	server_stop(&server);
}

static void
by_directory(const char *prefix, const char *object)
{
	char bucket[128], path[192], extra[64];
	const char *conf[] = {
	    bucket, "mountPoint=/mnt", "size=16m", "blockSize=16k", "user=root", extra, NULL};
	struct pool p;
	struct stat st;

	(void)snprintf(bucket, sizeof(bucket), "bucket=file://%s/store", tmp);
	(void)snprintf(path, sizeof(path), "%s/store", tmp);
	(void)snprintf(extra, sizeof(extra), "%s", prefix);
	(void)mkdir(path, 0700);
	ok(pool_start(&p, 1, 1024, BLOCK, 16, conf), "directory, %s: ready", prefix);
	is_int(round_trip(&p), 0, "directory, %s: round trip", prefix);
	is_int(identities(&p), 0, "directory, %s: ETags and CRCs", prefix);
	(void)snprintf(path, sizeof(path), "%s/store/%s", tmp, object);
	ok(stat(path, &st) == 0 && st.st_size == BLOCK, "directory, %s: %s", prefix, object);
	is_int(pool_stop(&p), 0, "directory, %s: ends well", prefix);
}

int
main(void)
{
	char command[128];

	if (access(pool_bin("s3testd"), X_OK) != 0 ||
	    access(pool_bin("s3backer-uploader"), X_OK) != 0) {
		printf("1..0 # SKIP s3testd and s3backer-uploader are not built\n");
		return (0);
	}
	(void)snprintf(tmp, sizeof(tmp), "/tmp/ways.XXXXXX");
	if (mkdtemp(tmp) == NULL)
		abort();
	(void)snprintf(ca, sizeof(ca), "cacert=%s/cert.pem", tmp);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		by_way(&ways[i]);
	mixed();
	by_directory("prefix=", "00000005");
	by_directory("prefix=a/b/c-", "a/b/c-00000005");
	by_directory("blockHashPrefix", "6a03ab82-00000005");
	(void)snprintf(command, sizeof(command), "rm -r %s", tmp);
	return (tap_done() | (system(command) != 0));
}

/* SPDX-License-Identifier: ISC */
/*
 * test_lease.c -- the mount token is renewed while it is ours, on stores of every kind; lost when it
 * is not; and nothing changes the bucket without a lease.
 */
#include "ipc/state.h"
#include "tests/unit/tap.h"
#include "tests/unit/uploader/pool.h"
#include "uploader/etag.h"

#define BLOCK 16384u
#define ME    "vm\n20250101T000000Z\nboot: b\npid: 77\ninstance: i1\n"
#define MINE  "vm%0A20250101T000000Z%0Aboot:%20b%0Apid:%2077%0Ainstance:%20i1%0A"

static struct server server;
static struct pool pool;
static struct ipc_state *st;
static struct ipc_msg done;
static pid_t tool_pid;
static int tool;
static char text[4096], dir[64];

static const char *
ask(const char *command)
{
	enum role_packet type = 0;
	ssize_t n;

	(void)role_send(tool, ROLE_TEXT, command, strlen(command) + 1, NULL, 0);
	n = role_recv(tool, &type, text, sizeof(text) - 1, NULL, NULL);
	text[n > 0 ? n : 0] = '\0';
	return (text);
}

/* What the segment says of the token's ETag, from the answer of the tool. */
static void
note_etag(void)
{
	const char *p = strstr(text, "etag=%22");
	uint8_t bytes[16] = {0};
	uint64_t w[2];

	(void)etag_bytes(p != NULL ? p + 8 : "", bytes);
	memcpy(w, bytes, sizeof(w));
	atomic_store(&st->token_etag[0], w[0]);
	atomic_store(&st->token_etag[1], w[1]);
}

static void
take(unsigned fence)
{
	(void)ask("token-take token=0badcafe body=" MINE);
	note_etag();
	atomic_store(&st->token, 0x0badcafe);
	atomic_store(&st->fence, fence);
	atomic_store(&st->token_until, boot_us() + 60 * US_PER_S);
	(void)snprintf(st->token_body, sizeof(st->token_body), "%s", ME);
}

static int
renew(void)
{
	struct ipc_msg m = {.type = IPC_TOKEN, .slot = IPC_NO_SLOT};
	uint64_t w[2];

	if (!pool_call(&pool, &m, &done))
		return (-ETIME);
	memcpy(w, done.etag, sizeof(w));
	if (done.status == 0) {
		atomic_store(&st->token_etag[0], w[0]);
		atomic_store(&st->token_etag[1], w[1]);
	}
	return (done.status);
}

/* Does the tool see ours, with today's time, under the ETag that DONE named? */
static bool
is_renewed(void)
{
	char hex[40];

	etag_text(done.etag, hex);
	hex[33] = '\0';
	(void)ask("token-get");
	return (strstr(text, "token=0badcafe") != NULL && strstr(text, "instance=i1") != NULL &&
		strstr(text, "since=20250101") == NULL && strstr(text, hex + 1) != NULL);
}

static int
put(uint64_t block, uint64_t version)
{
	struct ipc_msg m = {.type = IPC_PUT, .block = block, .slot = 0};

	pool_fill(&pool, 0, block, version);
	return (pool_call(&pool, &m, &done) ? done.status : -ETIME);
}

static int delete (uint64_t block, uint64_t n)
{
	struct ipc_msg m = {.type = IPC_DELETE, .block = block, .arg = n, .slot = IPC_NO_SLOT};

	return (pool_call(&pool, &m, &done) ? done.status : -ETIME);
}

static bool
start(const char *const *conf)
{
	if (!pool_start(&pool, 1, 1024, BLOCK, 16, conf))
		return (false);
	st = shm_state(&pool.shm);
	tool = pool_role(&pool, -1, pool_bin("s3backer-uploader"), &tool_pid);
	return (pool_ready(tool, text, sizeof(text)));
}

static void
stop(const char *what)
{
	close(tool);
	(void)pool_end(tool_pid, 0);
	is_int(pool_stop(&pool), 0, "%s: ends well", what);
}

/* ---- the token ------------------------------------------------------------------------------ */
static void
renewals(const char *what, unsigned fence)
{
	struct counters *c = shm_counters(&pool.shm, PROC_UPLOADER0);
	uint64_t before = ctr_get(c, token_ok);
	bool same = true;

	take(fence);
	for (unsigned i = 0; i < 3; i++)
		same = renew() == 0 && same;
	ok(same && is_renewed(), "%s: renewed three times", what);
	is_int(ctr_get(c, token_ok) - before, 3, "%s: counted", what);
	atomic_store(&st->token_etag[0], 4711);
	ok(renew() == 0 && is_renewed(), "%s: an earlier attempt of ours had landed", what);
	atomic_store(&st->token_etag[0], 0);
	atomic_store(&st->token_etag[1], 0);
	ok(renew() == 0 && is_renewed(), "%s: renewed without knowing the ETag", what);
	/* The same number, but another start of the program. */
	(void)snprintf(st->token_body, sizeof(st->token_body), "vm\nx\ninstance: i2\n");
	atomic_store(&st->token_etag[0], 4711);
	is_int(renew(), -ESTALE, "%s: another instance with our number", what);
	(void)snprintf(st->token_body, sizeof(st->token_body), "%s", ME);
	(void)ask("token-drop token=0badcafe");
	is_int(renew(), -ESTALE, "%s: the token is gone", what);
	(void)ask("token-take token=00000007 body=other%0Anow%0A");
	is_int(renew(), -ESTALE, "%s: another has it", what);
	ok(strstr(ask("token-get"), "token=00000007") != NULL, "%s: and keeps it", what);
	(void)ask("token-drop token=00000007");
}

static void
network(void)
{
	uint64_t began;

	take(2);
	server_fault(&server, "any:503");
	began = now_us();
	is_int(renew(), -EIO, "503 for long: an error, not ESTALE");
	ok(now_us() - began < 12 * US_PER_S, "within seconds: %llu ms",
	    (unsigned long long)(now_us() - began) / 1000);
	server_fault(&server, "any:stall=60s");
	began = now_us();
	is_int(renew(), -ETIMEDOUT, "silence: an error, not ESTALE");
	ok(now_us() - began < 12 * US_PER_S, "within seconds: %llu ms",
	    (unsigned long long)(now_us() - began) / 1000);
	server_fault(&server, "put:reset=after:nth=1");
	ok(renew() == 0 && is_renewed(), "written, but not answered: renewed");
	server_fault(&server, "put:nth=1:409=ConditionalRequestConflict");
	ok(renew() == 0 && is_renewed(), "409: read, found ours, renewed");
	server_fault(&server, "get:404=NoSuchBucket");
	atomic_store(&st->token_etag[0], 4711);
	ok(renew() != -ESTALE, "no bucket is not a lost token");
	server_fault(&server, "");
	(void)ask("token-drop token=0badcafe");
}

/* ---- the fence ------------------------------------------------------------------------------ */
static void
lease(const char *what)
{
	uint64_t n;

	is_int(put(1, 1), 0, "%s: with a lease: PUT", what);
	is_int(put(2, 1), 0, "%s: and another", what);
	for (unsigned kind = 0; kind < 2; kind++) {
		const char *why = kind == 0 ? "lease over" : "fenced";

		atomic_store(&st->token_until, kind == 0 ? boot_us() - 1 : 0);
		atomic_store(&st->fenced, kind);
		is_int(put(1, 2), -EAGAIN, "%s, %s: PUT", what, why);
		is_int(delete (1, 1), -EAGAIN, "%s, %s: DELETE", what, why);
		is_int(delete (1, 900), -EAGAIN, "%s, %s: DELETE of many", what, why);
	}
	is_int(renew(), -ESTALE, "%s: a fenced disk stays so", what);
	atomic_store(&st->fenced, 0);
	{
		struct ipc_msg m = {.type = IPC_GET, .block = 1, .slot = 1, .len = BLOCK};

		n = pool_call(&pool, &m, &done) && done.status == 0;
		ok(n && pool_holds(&pool, 1, 1, 1, 0, BLOCK), "%s: nothing was changed", what);
	}
	atomic_store(&st->token_until, boot_us() + 60 * US_PER_S);
	is_int(put(1, 3), 0, "%s: a lease again: PUT", what);
	is_int(delete (1, 2), 0, "%s: and DELETE", what);
}

/* The lease ends while a PUT waits for its retry. */
static void
lease_ends_before_retry(void)
{
	server_fault(&server, "put:503");
	atomic_store(&st->token_until, boot_us() + US_PER_S);
	is_int(put(5, 1), -EAGAIN, "the lease ends between two attempts");
	server_fault(&server, "");
	ok(strstr(server_admin(&server, "GET", "keys/bkt", ""), "00000005") == NULL,
	    "no attempt was made after it");
	atomic_store(&st->token_until, boot_us() + 60 * US_PER_S);
}

static void
on_s3(const char *what, const char *option, unsigned fence)
{
	const char *conf[] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "timeout=4s", "initialRetryPause=20", "mountPoint=/mnt", "size=16m", "blockSize=16k",
	    "user=root", NULL};
	const char *extra[] = {option, NULL};

	if (!server_start(&server, false, extra) || !start(conf)) {
		ok(false, "%s: no server", what);
		return;
	}
	renewals(what, fence);
	if (option == NULL) {
		network();
		lease(what);
		lease_ends_before_retry();
	}
	stop(what);
	server_stop(&server);
}

static void
on_dir(void)
{
	char bucket[96], command[96];
	const char *conf[] = {
	    bucket, "mountPoint=/mnt", "size=16m", "blockSize=16k", "user=root", NULL};

	(void)snprintf(dir, sizeof(dir), "/tmp/lease.XXXXXX");
	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(bucket, sizeof(bucket), "bucket=file://%s", dir);
	ok(start(conf), "directory: ready");
	renewals("directory", 2);
	lease("directory");
	stop("directory");
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	ok(system(command) == 0, "directory: removed");
}

int
main(void)
{
	if (access(pool_bin("s3testd"), X_OK) != 0 ||
	    access(pool_bin("s3backer-uploader"), X_OK) != 0) {
		printf("1..0 # SKIP s3testd and s3backer-uploader are not built\n");
		return (0);
	}
	on_s3("strong", NULL, 2);
	on_s3("bare If-Match", "--conditional-put=bare", 2);
	on_s3("weak", "--no-conditional-put", 1);
	on_s3("conditions refused", "--conditional-put=501", 2);
	on_dir();
	return (tap_done());
}

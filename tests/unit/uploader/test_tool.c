/* SPDX-License-Identifier: ISC */
/*
 * test_tool.c -- the store tool: sizes, the mount token and its fence, and one clear line for
 * everything that can be wrong with a configuration.
 */
#include "tests/unit/tap.h"
#include "tests/unit/uploader/pool.h"

static struct server server;
static struct pool pool; /* only its configuration is used */
static char text[4096], tmp[64];

static const char *
ask(int ctl, const char *command)
{
	enum role_packet type = 0;
	ssize_t n;

	(void)role_send(ctl, ROLE_TEXT, command, strlen(command) + 1, NULL, 0);
	n = role_recv(ctl, &type, text, sizeof(text) - 1, NULL, NULL);
	text[n > 0 ? n : 0] = '\0';
	return (text);
}

static bool
answers(int ctl, const char *command, const char *want)
{
	const char *got = ask(ctl, command);
	bool same = strstr(got, want) != NULL;

	if (!same)
		printf("# %s: got \"%s\", want \"...%s...\"\n", command, got, want);
	return (same);
}

static int
start(const char *const *conf, pid_t *ret_pid)
{
	int ctl;

	pool.conf = pool_conf(conf);
	ctl = pool_role(&pool, -1, pool_bin("s3backer-uploader"), ret_pid);
	conf_free(pool.conf);
	return (ctl);
}

static int
stop(int ctl, pid_t pid)
{
	int status;

	close(ctl);
	status = pool_end(pid, 0); /* it ends by itself when the socket closes */
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

#define TAKE(t) "token-take token=" t " body=vm%0A20261123T092928Z%0Aboot:%201234%0Apid:%2077%0A"

static void
tokens(int ctl, const char *what, const char *fence)
{
	char want[64], etag[128], command[512], *p;

	ok(answers(ctl, "token-get", "ok present=0"), "%s: no token at first", what);
	(void)snprintf(want, sizeof(want), "ok fence=%s etag=", fence);
	ok(answers(ctl, TAKE("0badcafe"), want), "%s: taken, fence %s", what, fence);
	ok(answers(ctl, "token-get", "present=1 token=0badcafe"), "%s: it is there", what);
	ok(strstr(text, "host=vm since=20261123T092928Z boot=1234 pid=77") != NULL,
	    "%s: who, since when", what);
	p = strstr(text, "etag=");
	(void)snprintf(etag, sizeof(etag), "%.*s", (int)strcspn(p, " "), p);
	ok(answers(ctl, TAKE("00000002"), "held token=0badcafe"), "%s: a second one is refused",
	    what);
	ok(answers(ctl, "token-drop token=00000002", "ok dropped=0"), "%s: nor dropped by others",
	    what);
	(void)snprintf(
	    command, sizeof(command), "token-replace token=0badcaff body=vm2%%0A %s", etag);
	(void)snprintf(want, sizeof(want), "ok fence=%s etag=", fence);
	ok(answers(ctl, command, want), "%s: replaced by who knows its ETag", what);
	if (strcmp(fence, "strong") == 0) {
		(void)snprintf(
		    command, sizeof(command), "token-replace token=00000009 body=x %s", etag);
		ok(answers(ctl, command, "held token=0badcaff"), "%s: not by who knows an old one",
		    what);
	}
	ok(answers(ctl, "token-drop token=0badcaff", "ok dropped=1"), "%s: dropped by its owner",
	    what);
	ok(answers(ctl, "token-get", "ok present=0"), "%s: gone", what);
}

static void
on_s3(const char *const *extra, const char *what, const char *fence)
{
	const char *conf[] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "mountPoint=/mnt", "user=root", NULL};
	pid_t pid;
	int ctl;

	if (!server_start(&server, false, extra)) {
		ok(false, "%s: no server", what);
		return;
	}
	ctl = start(conf, &pid);
	ok(pool_ready(ctl, text, sizeof(text)), "%s: ready", what);
	ok(answers(ctl, "detect", "ok found=0 size=0 blocksize=0"), "%s: an empty bucket", what);
	tokens(ctl, what, fence);
	(void)server_admin(&server, "PUT", "object/bkt/s3backer-mounted", "old\n");
	ok(answers(ctl, "token-get", "present=1 token=00000001 "), "%s: a token of the oldest kind",
	    what);
	ok(answers(ctl, "nonsense", "error 22 "), "%s: an unknown command", what);
	is_int(stop(ctl, pid), 0, "%s: ends well", what);
	server_stop(&server);
}

static void
detects(void)
{
	const char *conf[] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "mountPoint=/mnt", "user=root", "size=16m", "blockSize=16k", NULL};
	struct pool p;
	struct ipc_msg m = {.type = IPC_PUT, .block = 0, .slot = 0}, done;
	pid_t pid;
	int ctl;

	if (!server_start(&server, false, NULL) || !pool_start(&p, 1, 1024, 16384, 4, conf)) {
		ok(false, "no server");
		return;
	}
	pool_fill(&p, 0, 0, 1);
	ok(pool_call(&p, &m, &done) && done.status == 0, "block 0 is written");
	(void)pool_stop(&p);
	ctl = start(conf, &pid);
	(void)pool_ready(ctl, text, sizeof(text));
	ok(answers(ctl, "detect", "ok found=1 size=16777216 blocksize=16384"),
	    "the sizes are found");
	server_fault(&server, "any:503:count=2");
	ok(answers(ctl, "detect", "ok found=1"), "also after two failures");
	server_fault(&server, "any:503");
	ok(answers(ctl, "detect", "error 5 "), "an outage ends in an error: %s", text);
	(void)stop(ctl, pid);
	server_stop(&server);
}

/* Everything a user can get wrong: the answer comes in time and names what to change. */
static void
wrong(const char *what, const char *const *conf, const char *want)
{
	uint64_t began = now_us(), took;
	pid_t pid;
	int ctl = start(conf, &pid);

	if (pool_ready(ctl, text, sizeof(text)))
		(void)ask(ctl, "detect");
	took = now_us() - began;
	ok(strstr(text, want) != NULL && strchr(text, '\n') == NULL, "%s: %s", what, text);
	ok(took < 10 * US_PER_S, "%s: in %.1f s", what, (double)took / 1e6);
	(void)stop(ctl, pid);
}

static void
all_wrong(void)
{
	const char *ok_url = server.url, *id = "accessId=AKID", *key = "accessKey=SECRET",
		   *m = "mountPoint=/mnt", *u = "user=root";
	const char *bucket[] = {"bucket=nobucket", ok_url, id, key, m, u, NULL};
	const char *who[] = {"bucket=bkt", ok_url, "accessId=NOBODY", key, m, u, NULL};
	const char *secret[] = {"bucket=bkt", ok_url, id, "accessKey=WRONG", m, u, NULL};
	const char *port[] = {"bucket=bkt", "baseURL=http://127.0.0.1:1/", id, key, m, u, NULL};
	const char *dns[] = {"bucket=bkt", "baseURL=http://nowhere.invalid/", id, key, m, u, NULL};
	const char *dir[] = {"bucket=file:///nonexistent/dir", m, u, NULL};
	const char *anon[] = {"bucket=bkt", ok_url, m, u, "accessId=", NULL};
	char https[80];
	const char *tls[] = {"bucket=bkt", https, id, key, m, u, NULL};

	if (!server_start(&server, false, NULL))
		return;
	wrong("no bucket", bucket, "no bucket nobucket at 127.0.0.1");
	wrong("unknown key", who, "does not know the access key NOBODY");
	wrong("wrong secret", secret, "secret key is wrong");
	wrong("anonymous where that is not allowed", anon, "403");
	wrong("nobody listens", port, "connection refused by 127.0.0.1:1");
	wrong("no such host", dns, "nowhere.invalid cannot be resolved");
	wrong("no such directory", dir, "directory /nonexistent/dir: No such file");
	(void)snprintf(https, sizeof(https), "baseURL=https://127.0.0.1:%d/", server.port);
	wrong("TLS to a server without", tls, "TLS with 127.0.0.1");
	server_fault(&server, "any:stall=30s");
	wrong("a server that says nothing", bucket, "no answer from 127.0.0.1");
	server_stop(&server);
}

static void
untrusted(void)
{
	const char *extra[] = {"--tls", tmp, NULL};
	const char *conf[] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "mountPoint=/mnt", "user=root", NULL};

	if (!server_start(&server, true, extra))
		return;
	wrong("a certificate that nobody trusts", conf, "the certificate of 127.0.0.1");
	server_stop(&server);
}

static void
touch(const char *name)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", tmp, name);
	if ((f = fopen(path, "w")) == NULL)
		abort();
	(void)fclose(f);
}

static bool
there(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", tmp, name);
	return (access(path, F_OK) == 0);
}

static void
on_directory(void)
{
	char bucket[128];
	const char *conf[] = {bucket, "mountPoint=/mnt", "user=root", NULL};
	const char *sized[] = {
	    bucket, "mountPoint=/mnt", "user=root", "size=16m", "blockSize=16k", NULL};
	struct pool p;
	struct ipc_msg m = {.type = IPC_PUT, .block = 0, .slot = 0}, done;
	pid_t pid;
	int ctl;

	(void)snprintf(bucket, sizeof(bucket), "bucket=file://%s", tmp);
	touch("00000001.~abcDE1");
	touch("s3backer-mounted.~A23456");
	touch("00000001.backup");
	touch("letter.~abcdef");
	ctl = start(conf, &pid);
	ok(pool_ready(ctl, text, sizeof(text)), "directory: ready");
	ok(answers(ctl, "detect", "ok found=0 size=0 blocksize=0"), "directory: empty");
	tokens(ctl, "directory", "strong");
	ok(!there("00000001.~abcDE1") && !there("s3backer-mounted.~A23456") &&
		there("00000001.backup") && there("letter.~abcdef"),
	    "directory: what a crash left behind is gone, nothing else");
	if (pool_start(&p, 1, 1024, 16384, 4, sized)) {
		pool_fill(&p, 0, 0, 1);
		ok(pool_call(&p, &m, &done) && done.status == 0, "directory: block 0 is written");
		(void)pool_stop(&p);
	}
	ok(answers(ctl, "detect", "ok found=1 size=16777216 blocksize=16384"), "directory: sizes");
	is_int(stop(ctl, pid), 0, "directory: ends well");
}

int
main(void)
{
	const char *ignored[] = {"--no-conditional-put", NULL};
	const char *refused[] = {"--conditional-put=501", NULL};
	char command[128];

	if (access(pool_bin("s3testd"), X_OK) != 0 ||
	    access(pool_bin("s3backer-uploader"), X_OK) != 0) {
		printf("1..0 # SKIP s3testd and s3backer-uploader are not built\n");
		return (0);
	}
	(void)snprintf(tmp, sizeof(tmp), "/tmp/tool.XXXXXX");
	if (mkdtemp(tmp) == NULL)
		abort();
	on_s3(NULL, "store with conditional PUT", "strong");
	on_s3(ignored, "store that ignores conditions", "weak");
	on_s3(refused, "store that refuses conditions", "weak");
	detects();
	all_wrong();
	on_directory();
	untrusted();
	(void)snprintf(command, sizeof(command), "rm -r %s", tmp);
	return (tap_done() | (system(command) != 0));
}

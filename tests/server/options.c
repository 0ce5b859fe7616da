/* SPDX-License-Identifier: ISC */
/*
 * options.c -- the command line (see options.h).
 */
#include "tests/server/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/creds.h"
#include "tests/server/fault.h"
#include "tests/server/help.h"
#include "tests/server/store.h"
#include "tests/server/synthetic.h"
#include "tests/server/text.h"

struct options opt = {.admin_port = -1,
    .threads = 4,
    .region = "us-east-1",
    .payload_check = true,
    .max_skew_s = 900,
    .seed = 1};
struct settings settings;

enum {
	O_PORT = 256,
	O_PORT_FILE,
	O_ADMIN_PORT,
	O_ADMIN_PORT_FILE,
	O_ACCESS_KEY,
	O_ANONYMOUS,
	O_BUCKET,
	O_DIR,
	O_LATENCY,
	O_JITTER,
	O_BANDWIDTH,
	O_THREADS,
	O_LOG,
	O_FAULT,
	O_REGION,
	O_REDIRECT,
	O_NO_COND,
	O_COND,
	O_ETAG,
	O_NO_PAYLOAD,
	O_SEED,
	O_TLS,
	O_TLS_CERT,
	O_TLS_KEY,
	O_MAX_SKEW,
	O_DIE,
	O_SYNTHETIC,
	O_HELP,
};

static const struct option table[] = {
    {"port", required_argument, NULL, O_PORT},
    {"port-file", required_argument, NULL, O_PORT_FILE},
    {"admin-port", required_argument, NULL, O_ADMIN_PORT},
    {"admin-port-file", required_argument, NULL, O_ADMIN_PORT_FILE},
    {"access-key", required_argument, NULL, O_ACCESS_KEY},
    {"anonymous", no_argument, NULL, O_ANONYMOUS},
    {"bucket", required_argument, NULL, O_BUCKET},
    {"dir", required_argument, NULL, O_DIR},
    {"latency", required_argument, NULL, O_LATENCY},
    {"latency-jitter", required_argument, NULL, O_JITTER},
    {"bandwidth", required_argument, NULL, O_BANDWIDTH},
    {"threads", required_argument, NULL, O_THREADS},
    {"log", required_argument, NULL, O_LOG},
    {"fault", required_argument, NULL, O_FAULT},
    {"region", required_argument, NULL, O_REGION},
    {"redirect-region", no_argument, NULL, O_REDIRECT},
    {"no-conditional-put", no_argument, NULL, O_NO_COND},
    {"conditional-put", required_argument, NULL, O_COND},
    {"etag", required_argument, NULL, O_ETAG},
    {"no-payload-check", no_argument, NULL, O_NO_PAYLOAD},
    {"seed", required_argument, NULL, O_SEED},
    {"tls", required_argument, NULL, O_TLS},
    {"tls-cert", required_argument, NULL, O_TLS_CERT},
    {"tls-key", required_argument, NULL, O_TLS_KEY},
    {"max-skew", required_argument, NULL, O_MAX_SKEW},
    {"die-with-parent", no_argument, NULL, O_DIE},
    {"synthetic-blocks", required_argument, NULL, O_SYNTHETIC},
    {"help", no_argument, NULL, O_HELP},
    {NULL, 0, NULL, 0},
};

/* Done after everything is parsed: they need --dir and --seed. */
struct later {
	const char *text[256];
	int n;
};

static void
usage(const char *option, const char *why)
{
	fprintf(stderr, "s3testd: %s: %s\ns3testd: --help explains the options\n", option, why);
	exit(2);
}

int
options_rate(const char *s, uint64_t *ret_rate)
{
	char *end;
	double v = strtod(s, &end);
	static const char unit[] = "kMG";
	const char *u;

	if (end == s || !(v >= 0) || v > 1e15)
		return (-EINVAL);
	if (*end != '\0' && (u = strchr(unit, *end == 'K' ? 'k' : *end)) != NULL) {
		for (v *= 1024; u > unit; u--)
			v *= 1024;
		end++;
	}
	if (*end != '\0')
		return (-EINVAL);
	*ret_rate = (uint64_t)v;
	return (0);
}

static uint64_t
number(const char *option, const char *s, uint64_t max)
{
	char *end;
	unsigned long long v = strtoull(s, &end, 10);

	if (end == s || *end != '\0' || *s == '-' || v > max)
		usage(option, "not a number in range");
	return (v);
}

static void
later(struct later *l, const char *option)
{
	if (l->n == (int)(sizeof(l->text) / sizeof(l->text[0])))
		usage(option, "too many");
	l->text[l->n++] = optarg;
}

/* BOTH or UP,DOWN. */
static void
bandwidth(void)
{
	char *up = xstrdup(optarg), *down = strchr(up, ',');
	uint64_t u = 0, d = 0;

	if (down != NULL)
		*down++ = '\0';
	if (options_rate(up, &u) < 0 || options_rate(down ? down : up, &d) < 0)
		usage("--bandwidth", "not BYTES, or UP,DOWN");
	settings.up.rate = u;
	settings.down.rate = d;
	free(up);
}

static void
choose(int c)
{
	if (c == O_COND && strcmp(optarg, "501") == 0)
		opt.cond_put = COND_PUT_501;
	else if (c == O_COND && strcmp(optarg, "bare") == 0)
		opt.cond_put = COND_PUT_BARE;
	else if (c == O_COND && strcmp(optarg, "on") == 0)
		opt.cond_put = COND_PUT_ON;
	else if (c == O_COND)
		usage("--conditional-put", "on, 501 or bare");
	else if (c == O_ETAG && strcmp(optarg, "fast") == 0)
		opt.etag_fast = true;
	else if (c == O_ETAG && strcmp(optarg, "md5") != 0)
		usage("--etag", "md5 or fast");
}

static bool
parse_network(int c)
{
	switch (c) {
	case O_PORT:
		opt.port = (int)number("--port", optarg, 65535);
		return (true);
	case O_ADMIN_PORT:
		opt.admin_port = (int)number("--admin-port", optarg, 65535);
		return (true);
	case O_PORT_FILE:
		opt.port_file = optarg;
		return (true);
	case O_ADMIN_PORT_FILE:
		opt.admin_port_file = optarg;
		return (true);
	case O_LATENCY:
		settings.latency_us = (uint64_t)(atof(optarg) * 1000);
		return (true);
	case O_JITTER:
		settings.jitter_us = (uint64_t)(atof(optarg) * 1000);
		return (true);
	case O_BANDWIDTH:
		bandwidth();
		return (true);
	case O_THREADS:
		opt.threads = (int)number("--threads", optarg, 256);
		return (true);
	case O_TLS:
		opt.tls_dir = optarg;
		return (true);
	case O_TLS_CERT:
		opt.tls_cert = optarg;
		return (true);
	case O_TLS_KEY:
		opt.tls_key = optarg;
		return (true);
	}
	return (false);
}

static void
parse_store(int c, struct later *buckets, struct later *faults)
{
	switch (c) {
	case O_ACCESS_KEY:
		if (creds_add(optarg) < 0)
			usage("--access-key", "not ID:SECRET[:TOKEN]");
		break;
	case O_ANONYMOUS:
		opt.anonymous = true;
		break;
	case O_BUCKET:
		later(buckets, "--bucket");
		break;
	case O_FAULT:
		later(faults, "--fault");
		break;
	case O_DIR:
		opt.dir = optarg;
		break;
	case O_LOG:
		opt.log = optarg;
		break;
	case O_REGION:
		opt.region = optarg;
		break;
	case O_REDIRECT:
		opt.redirect_region = true;
		break;
	case O_NO_COND:
		opt.cond_put = COND_PUT_IGNORED;
		break;
	case O_NO_PAYLOAD:
		opt.payload_check = false;
		break;
	case O_SEED:
		opt.seed = number("--seed", optarg, UINT64_MAX);
		break;
	case O_MAX_SKEW:
		opt.max_skew_s = (int)number("--max-skew", optarg, 1000000000);
		break;
	case O_SYNTHETIC:
		if (synthetic_set(optarg) < 0)
			usage("--synthetic-blocks", "not N[:STEP[:BYTES[:PREFIX]]]");
		break;
	case O_DIE:
		opt.die_with_parent = true;
		break;
	default:
		choose(c);
	}
}

void
options_parse(int argc, char **argv)
{
	struct later buckets = {.n = 0}, faults = {.n = 0};
	const char *why;
	int c, r;

	while ((c = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		if (c == '?')
			exit(2);
		if (c == 'h' || c == O_HELP) {
			fputs(help_text, stdout);
			exit(0);
		}
		if (!parse_network(c))
			parse_store(c, &buckets, &faults);
	}
	if (optind < argc)
		usage(argv[optind], "not an option");
	if (!opt.anonymous && creds_count() == 0)
		usage("--access-key", "give one, or --anonymous");
	if ((opt.tls_cert == NULL) != (opt.tls_key == NULL))
		usage("--tls-cert", "needs --tls-key, and the other way round");
	if ((r = store_open(opt.dir)) < 0)
		usage(opt.dir, strerror(-r));
	for (int i = 0; i < buckets.n; i++) {
		r = store_bucket_new(buckets.text[i]);
		if (r < 0 && r != -EEXIST)
			usage(buckets.text[i], r == -EINVAL ? "not a bucket name" : strerror(-r));
	}
	for (int i = 0; i < faults.n; i++) {
		if (fault_add(faults.text[i], opt.seed, &why) < 0)
			usage(faults.text[i], why);
	}
}

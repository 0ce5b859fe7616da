/* SPDX-License-Identifier: ISC */
/*
 * options.h -- the command line, and the settings the admin interface changes while running.
 *
 * Process:  s3testd.  Filled before the threads start; read-only after, but the atomics in
 *           struct settings.
 */
#ifndef S3TESTD_OPTIONS_H
#define S3TESTD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/server/timer.h"

enum cond_put {
	COND_PUT_ON,
	COND_PUT_IGNORED,
	COND_PUT_501,
	COND_PUT_BARE, /* as Ceph RGW: If-Match is compared without quotes */
};

struct options {
	int port, admin_port; /* admin_port -1: none of its own */
	int threads;
	const char *port_file, *admin_port_file, *dir, *log, *region;
	const char *tls_dir, *tls_cert, *tls_key;
	bool anonymous, redirect_region, payload_check, etag_fast, die_with_parent;
	enum cond_put cond_put;
	int max_skew_s;
	uint64_t seed;
};

struct settings {
	_Atomic uint64_t latency_us, jitter_us;
	struct pace up, down;
};

extern struct options opt;
extern struct settings settings;

/* Exits on --help (0) and on nonsense (2).  Adds credentials, buckets and faults as it goes. */
void options_parse(int argc, char **argv);
/* Bytes per second with k, M, G; 0 is no limit. */
int options_rate(const char *, uint64_t *ret_rate);

#endif

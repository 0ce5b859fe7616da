/* SPDX-License-Identifier: ISC */
/*
 * tool_probe.h -- what the parts of the probe share: tool_probe.c (life, features, latency) and
 * tool_probe_rate.c.
 */
#ifndef S3B_UPLOADER_TOOL_PROBE_H
#define S3B_UPLOADER_TOOL_PROBE_H

#include "common/conf.h"
#include "uploader/payload.h"
#include "uploader/tool.h"

#define PROBE_ANY_FD	0 /* the bytes are in memory; -1 would mean that nobody wants them */
#define PROBE_NAME	"s3backer-probe-"
#define PROBE_AT_ONCE	64u

struct flight { /* one request of many at once */
	struct tool *t;
	struct store_op op;
	struct payload payload;
	uint8_t *mem; /* GET: where it arrives */
};

struct tool_probe {
	struct conf conf; /* a copy, of which only the values of this file's own are ours */
	char prefix[NAME_PREFIX_MAX + sizeof(PROBE_NAME)];
	struct codec *codec;
	struct store *store;
	uint32_t block_size; /* that the store was opened with */
	uint32_t written;    /* blocks 1 .. written may exist */
	bool token;
	uint8_t *data; /* random bytes */
	size_t data_len;

	struct flight flight[PROBE_AT_ONCE];
	unsigned flying;
	bool put;
	uint32_t size;
	uint64_t bytes, until;
	char why[320];
};

int	probe_perform(struct tool *);	/* tool_perform(), with the probe's own store */
void	probe_op_clear(struct tool *, enum store_kind, uint32_t block);
void	probe_payload_of(struct tool *, struct payload *, uint32_t block, uint8_t *data, uint32_t len);
/* Is the probe begun, and its store open for objects of this size?  False: it has been answered. */
bool	probe_usable(struct tool *, uint32_t block_size);
void	probe_say_why(struct tool *, const char *why, int error);

#endif

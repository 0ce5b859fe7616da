/* SPDX-License-Identifier: ISC */
/* Size and block size: rules S1 to S3 of supervisor/sizes.h. */
#include <errno.h>

#include "common/blockmath.h"

#include "supervisor/sizes.h"

#include "tests/unit/tap.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)
#define TIB (KIB * GIB)

static struct sizes_out out;
static char error[512];

static int
resolve(struct sizes_in in)
{
	memset(&out, 0, sizeof(out));
	error[0] = '\0';
	return (sizes_resolve(&in, &out, error, sizeof(error)));
}

static int
says(const char *text)
{
	return (strstr(error, text) != NULL);
}

static void
recorded(void)
{
	struct sizes_in found = {.found_size = GIB, .found_block = 4096, .bucket = BUCKET_USED};
	struct sizes_in in = found;

	is_int(resolve(in), 0, "the bucket says all");
	ok(out.size == GIB && out.block == 4096 && out.note[0] == '\0', "and that is taken");
	in.conf_size = GIB;
	in.conf_block = 4096;
	is_int(resolve(in), 0, "the configuration says the same");
	in.conf_size = 2 * GIB;
	is_int(resolve(in), -EINVAL, "another size is refused");
	ok(says("size = 2g") && says("size = 1g") && says("force"), "with both, and the way out");
	in.force = true;
	is_int(resolve(in), 0, "force");
	ok(out.size == 2 * GIB && out.block == 4096 && out.note[0] != '\0',
	    "overrides, and says so");
	in = found;
	in.conf_block = 8192;
	is_int(resolve(in), -EINVAL, "another block size is refused");
	ok(says("blockSize = 8k") && says("blockSize = 4k"), "with both");
	in = found;
	in.found_size = GIB + 1;
	is_int(resolve(in), -EINVAL, "a recorded size that cannot be");
}

static void
unrecorded(void)
{
	struct sizes_in in = {.conf_size = GIB, .conf_block = 65536, .bucket = BUCKET_USED};

	is_int(resolve(in), 0, "the configuration says all");
	ok(out.size == GIB && out.block == 65536, "and that is taken");
	in.conf_size = 0;
	is_int(resolve(in), -EINVAL, "nobody says how large the disk is");
	ok(says("set size"), "the key to set is named");
	in.conf_size = GIB;
	in.conf_block = 0;
	is_int(resolve(in), -EINVAL, "blocks, but nobody says how large they are");
	ok(says("set blockSize"), "the key to set is named");
	in.bucket = BUCKET_UNKNOWN;
	is_int(resolve(in), -EINVAL, "nobody knows whether there are blocks");
	ok(says("set blockSize"), "is no reason to guess");
	in.bucket = BUCKET_EMPTY;
	is_int(resolve(in), 0, "an empty bucket is a new disk");
	ok(out.block == sizes_new_block(GIB) && strstr(out.note, "chosen") != NULL,
	    "whose block size is chosen, and said");
}

static void
ranges(void)
{
	struct sizes_in in = {.conf_size = 100 * KIB, .conf_block = 65536, .bucket = BUCKET_EMPTY};

	is_int(resolve(in), -EINVAL, "a size that is no multiple of the block size");
	in = (struct sizes_in){.conf_size = 64 * TIB, .conf_block = 4096};
	is_int(resolve(in), -EINVAL, "more than 2^32 - 1 blocks");
	in.conf_size = 4096 * (uint64_t)UINT32_MAX;
	is_int(resolve(in), 0, "2^32 - 1 blocks");
	in = (struct sizes_in){.found_size = 8 * GIB, .found_block = UINT64_C(1) << 32};
	is_int(resolve(in), -EINVAL, "a recorded block size beyond 32 bits");
	in = (struct sizes_in){.found_size = 8 * GIB, .found_block = 3000};
	is_int(resolve(in), -EINVAL, "a recorded block size that is no power of two");
}

static void
new_block(void)
{
	static const uint64_t sizes[] = {512, 4096, 100 * KIB, MIB, 64 * MIB, 65 * MIB, GIB,
	    10 * GIB + 512, TIB, 64 * TIB, 1000 * TIB, 8192 * TIB};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t b = sizes_new_block(sizes[i]);

		ok(is_pow2(b) && b >= 512 && sizes[i] % b == 0 && sizes[i] / b <= UINT32_MAX,
		    "block of a new disk of %llu bytes: %u", (unsigned long long)sizes[i], b);
	}
	is_int(sizes_new_block(100 * GIB), MIB, "1 MiB for a disk of common size");
}

int
main(void)
{
	recorded();
	unrecorded();
	ranges();
	new_block();
	return (tap_done());
}

/* SPDX-License-Identifier: ISC */
/*
 * cache.c -- single changes of a used cache file; the real recovery opens each, and every block is read.
 *
 *	cache.t [-n MUTATIONS] [-s SEED] [-i NUMBER]	see mutate.h
 *
 * A file is used by the simulation for a while, and left clean, stopped with changes in it, or not ended at
 * all.  Each mutation gets a copy.  After the recovery every sub-block is read, everything is uploaded, and
 * the bucket is looked at as well: each sector must be what the model of the simulation allows, that is the
 * last flushed value or one written since.  README.md says what counts as a limit.
 */
#define HIST 1024
#include "tests/hostile/cache_image.h"
#include "tests/hostile/mutate.h"

#define EACH 400 /* mutations of one file */

/* Where the bytes of the file are, and what they are for. */
struct extent {
	const char *name;
	uint64_t from, to;
	uint32_t unit; /* what is replayed in one piece */
};
#define EXTENTS 64
static struct extent extent[EXTENTS];
static unsigned nextents;
static enum image_end how_it_ended;

/* ---- the file ------------------------------------------------------------------------------- */

static void
add_extent(const char *name, uint64_t from, uint64_t to, uint32_t unit)
{
	if (from >= to)
		return;
	if (nextents == EXTENTS)
		abort();
	extent[nextents++] = (struct extent){name, from, to, unit};
}

static uint32_t
get32(const uint8_t *p)
{
	return (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

static uint64_t
get64(const uint8_t *p)
{
	return (get32(p) | (uint64_t)get32(p + 4) << 32);
}

/* Batches of a half from its beginning; the generation, 0 if there is none. */
static uint64_t
walk_half(uint64_t at, uint64_t *ret_last, uint64_t *ret_end)
{
	uint64_t generation = 0, sequence = 0, end = at + cache_journal_bytes(SLOTS);
	uint8_t h[64];

	*ret_last = *ret_end = at;
	while (at + 512 <= end && pread(image_fd, h, sizeof(h), (off_t)at) == sizeof(h) &&
	       memcmp(h, "S3BJRNL2", 8) == 0 &&
	       (generation == 0 || (get64(h + 8) == generation && get64(h + 16) == sequence + 1))) {
		generation = get64(h + 8);
		sequence = get64(h + 16);
		*ret_last = at;
		at += get32(h + 24);
		*ret_end = at;
	}
	return (generation);
}

static void
find_journal(void)
{
	uint64_t half = cache_journal_bytes(SLOTS), last[2], end[2], g[2];
	unsigned now;

	for (unsigned h = 0; h < 2; h++)
		g[h] = walk_half(CACHE_SUPER_BYTES + h * half, &last[h], &end[h]);
	now = g[1] > g[0];
	add_extent("journal", CACHE_SUPER_BYTES + now * half, last[now], 512);
	add_extent(how_it_ended == END_NOT ? "last batch, not ended" : "last batch, ended well",
	    last[now], end[now], 512);
	if (g[!now] != 0)
		add_extent(
		    "old half of the journal", CACHE_SUPER_BYTES + !now * half, end[!now], 512);
}

/* After a recovery from the file as it is. */
static void
find_slots(void)
{
	for (uint32_t s = 0; s < SLOTS; s++) {
		uint64_t h = cm_head(cm, s), at = shm_slot_off(&shm, s);
		bool dirty = head_linked(h) && slot_dirty(&tab.slot[s]);

		add_extent(dirty	      ? "bytes of a dirty slot"
			   : cm->side_used[s] ? "bytes of a clean slot"
					      : "bytes of a free slot",
		    at, at + BSIZE, SUB);
	}
}

/* The sector: all of one value?  Else UINT32_MAX. */
static uint32_t
value_of(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	for (unsigned i = 4; i < 512; i += 4)
		if (memcmp(p + i, &v, 4) != 0)
			return (UINT32_MAX);
	return (v);
}

static bool
is_allowed(uint32_t block, uint32_t sub, uint32_t v)
{
	const struct sub *m = &model[block][sub];

	for (uint32_t i = m->n; i-- > 0;)
		if (m->h[i] == v)
			return (true);
	return (false);
}

static const char *
look_at(uint32_t block, uint32_t sub, const uint8_t *bytes)
{
	const char *what = NULL;

	for (unsigned k = 0; k < SUB; k += 512) {
		uint32_t v = value_of(bytes + k);

		if (v != UINT32_MAX && is_allowed(block, sub, v))
			continue;
		what = v == 0 || (v < SIM_OWNERS && sim_owner[v] == block * NSUB + sub + 1) ? "old"
		       : v < SIM_OWNERS && sim_owner[v] != 0 ? "another block's"
							     : "changed";
		if (aloud)
			printf("# block %u sub %u sector %u: %s, value %u\n", block, sub, k / 512,
			    what, v);
	}
	return (what);
}

/* GOOD, FAILED, or WRONG with *ret_what. */
static enum outcome
read_all(const char **ret_what)
{
	static uint8_t bytes[SUB];
	enum outcome o = GOOD;
	const char *bad;

	for (uint32_t b = 0; b < BLOCKS; b++)
		for (uint32_t s = 0; s < NSUB; s++) {
			int error = image_read(b, s, bytes);

			if (error == -ETIMEDOUT)
				*ret_what = "no answer";
			else if (error < 0)
				o = FAILED;
			else if ((bad = look_at(b, s, bytes)) != NULL)
				*ret_what = bad;
		}
	if (!image_upload())
		o = FAILED;
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (uint32_t s = 0; s < NSUB; s++) {
			memset(bytes, 0, SUB);
			if (exists[b])
				memcpy(bytes, bucket[b] + s * SUB, SUB);
			if ((bad = look_at(b, s, bytes)) != NULL)
				*ret_what = bad;
		}
	return (*ret_what != NULL ? WRONG : o);
}

/* REFUSED as well. */
static enum outcome
recover_and_read(const char **ret_what)
{
	static enum outcome o;

	*ret_what = NULL;
	o = REFUSED;
	if (image_open() != 0)
		return (o);
	ledger_catches = true;
	if (setjmp(ledger_fail) == 0)
		o = read_all(ret_what);
	ledger_catches = false;
	return (o);
}

static void
new_file(uint64_t number)
{
	const char *what;

	how_it_ended = (enum image_end)(number % IMAGE_ENDS);
	image_use(seed * 100000 + number, how_it_ended);
	nextents = 0;
	add_extent("superblock", 0, 512, 512);
	find_journal();
	add_extent("side table", cache_side_off(SLOTS), cache_side_off(SLOTS) + SLOTS * 64, 64);
	if (image_open() != 0) {
		printf(
		    "Bail out! file %llu is refused: %s\n", (unsigned long long)number, ledger_why);
		exit(1);
	}
	find_slots();
	image_close();
	image_put(&base);
	if (recover_and_read(&what) != GOOD) {
		printf("Bail out! file %llu as it is: %s\n", (unsigned long long)number,
		    what != NULL ? what : "refused");
		exit(1);
	}
	image_close();
}

/* ---- a change ------------------------------------------------------------------------------- */

static void
old_bytes(uint64_t at, uint8_t *out, uint32_t n)
{
	memset(out, 0, n);
	for (uint32_t i = 0; i < old.npages; i++)
		if (old.page[i] == at / PAGE) {
			memcpy(out, old.bytes + (size_t)i * PAGE + at % PAGE, n);
			return;
		}
}

static const struct extent *
choose(void)
{
	/* Each kind of place as often as another, however large it is. */
	const char *name = extent[roll(nextents)].name;
	unsigned n = 0, pick, left;

	for (unsigned i = 0; i < nextents; i++)
		n += extent[i].name == name;
	pick = roll(n);
	if (strncmp(name, "bytes", 5) == 0 && roll(2) == 0)
		return (&extent[roll(nextents)]);
	left = pick;
	for (unsigned i = 0; i < nextents; i++)
		if (extent[i].name == name && left-- == 0)
			return (&extent[i]);
	return (&extent[0]);
}

static const char *second; /* where the other half of a swap lies */

/* False: nothing has changed by it. */
static bool
change(const struct extent *e, enum kind k)
{
	static uint8_t a[2 * PAGE], b[2 * PAGE];
	uint32_t n = 512;
	uint64_t at = e->from + roll((uint32_t)(e->to - e->from)), to;

	switch (k) {
	case FLIP:
		(void)!pread(image_fd, a, 1, (off_t)at);
		a[0] ^= (uint8_t)(1u << roll(8));
		(void)!pwrite(image_fd, a, 1, (off_t)at);
		break;
	case ZERO:
		n = 1 + roll(roll(2) == 0 ? 64 : 4096);
		if (n > e->to - at)
			n = (uint32_t)(e->to - at);
		(void)!pread(image_fd, a, n, (off_t)at);
		memset(b, 0, n);
		if (memcmp(a, b, n) == 0)
			return (false);
		(void)!pwrite(image_fd, b, n, (off_t)at);
		break;
	case SWAP:
		n = e->unit < 512 ? e->unit : 512;
		at -= (at - e->from) % n;
		e = choose();
		second = e->name;
		to = e->from + roll((uint32_t)(e->to - e->from));
		to -= (to - e->from) % n;
		(void)!pread(image_fd, a, n, (off_t)at);
		(void)!pread(image_fd, b, n, (off_t)to);
		if (memcmp(a, b, n) == 0)
			return (false);
		(void)!pwrite(image_fd, b, n, (off_t)at);
		(void)!pwrite(image_fd, a, n, (off_t)to);
		break;
	case CUT:
		at += at == 0; /* an empty file is a new one */
		return (ftruncate(image_fd, (off_t)at) == 0);
	default:
		n = e->unit;
		at -= (at - e->from) % n;
		(void)!pread(image_fd, a, n, (off_t)at);
		old_bytes(at, b, n);
		if (memcmp(a, b, n) == 0)
			return (false);
		(void)!pwrite(image_fd, b, n, (off_t)at);
	}
	if (aloud)
		printf("# %s at %llu, %u bytes\n", kind_name[k], (unsigned long long)at, n);
	return (true);
}

/* README.md, "What cannot be told". */
static bool
is_limit(const char *place, enum kind k, const char *touched)
{
	if (strcmp(touched, "bytes of a dirty slot") == 0 ||
	    strcmp(place, "bytes of a dirty slot") == 0)
		return (true);
	if (strcmp(place, "last batch, not ended") == 0 ||
	    strcmp(touched, "last batch, not ended") == 0)
		return (true);
	return (strcmp(place, "side table") == 0 && k == REPLAY);
}

static void
one(uint64_t i)
{
	static uint64_t file = UINT64_MAX;
	const struct extent *e;
	const char *what = NULL;
	enum outcome o;
	enum kind k;

	if (i / EACH != file) {
		file = i / EACH;
		new_file(file);
	}
	dice_for(i);
	(void)snprintf(trying, sizeof(trying), "not ok - crashed: cache.t -s %llu -i %llu\n",
	    (unsigned long long)seed, (unsigned long long)i);
	do {
		image_put(&base);
		e = choose();
		k = (enum kind)roll(KINDS);
		second = "";
	} while (!change(e, k));
	o = recover_and_read(&what);
	image_close();
	if (o == WRONG && is_limit(e->name, k, second))
		o = LIMIT;
	if (o == WRONG || aloud)
		printf("# %s: %s of %s, %s file: %s%s%s\n", outcome_name[o], kind_name[k], e->name,
		    how_it_ended == END_NOT	? "unended"
		    : how_it_ended == END_DIRTY ? "dirty"
						: "clean",
		    what != NULL ? what : "", o == REFUSED ? ledger_why : "",
		    aloud ? "" : ", again:");
	if (o == WRONG && !aloud)
		printf("#\tcache.t -s %llu -i %llu\n", (unsigned long long)seed,
		    (unsigned long long)i);
	tally(e->name, k, o);
}

int
main(int argc, char **argv)
{
	options(argc, argv, 1000);
	catch_crashes();
	run_and_judge(one, "a cache file");
	return (tap_done());
}

/* SPDX-License-Identifier: ISC */
#include "supervisor/marks.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/durable.h"

#include "supervisor/guard.h"

#define HEAD_BYTES  4096
#define CHUNK_MARKS 8192 /* read at once */

void *
marks_table(uint64_t nblocks, size_t each)
{
	void *p = mmap(NULL, nblocks * each, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return (p == MAP_FAILED ? NULL : p);
}

void
marks_table_free(void *p, uint64_t nblocks, size_t each)
{
	if (p != NULL)
		(void)munmap(p, nblocks * each);
}

static int
write_head(const struct marks *m, const char *what)
{
	char head[HEAD_BYTES] = "";

	(void)strlcpy(head, what, sizeof(head));
	if (ftruncate(m->fd, 0) < 0)
		return (-errno);
	return (pwrite_full(m->fd, head, sizeof(head), 0));
}

/* Only where the file has data: a disk of terabytes with little in it is read at once. */
static int
read_marks(struct marks *m)
{
	off_t at = HEAD_BYTES, end = HEAD_BYTES + (off_t)(m->nblocks * sizeof(struct mark));
	struct stat st;

	if (fstat(m->fd, &st) < 0)
		return (-errno);
	end = (off_t)min_u64((uint64_t)end, (uint64_t)st.st_size);
	while (at < end && (at = lseek(m->fd, at, SEEK_DATA)) >= 0) {
		uint64_t i;
		size_t n;
		int r;

		if (at < HEAD_BYTES)
			at = HEAD_BYTES;
		at -= (at - HEAD_BYTES) % (off_t)sizeof(struct mark);
		i = (uint64_t)(at - HEAD_BYTES) / sizeof(struct mark);
		n = (size_t)min_u64(CHUNK_MARKS, (uint64_t)(end - at) / sizeof(struct mark));
		if (n == 0)
			break;
		if ((r = pread_full(m->fd, &m->mark[i], n * sizeof(struct mark), at)) < 0)
			return (r);
		at += (off_t)(n * sizeof(struct mark));
	}
	return (at < 0 && errno != ENXIO ? -errno : 0);
}

int
marks_open(struct marks *m, const char *path, const char *what, uint64_t nblocks, bool *ret_resumed)
{
	char head[HEAD_BYTES] = "", want[HEAD_BYTES] = "";
	struct stat st;
	int r;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	*ret_resumed = false;
	if (strlcpy(m->path, path, sizeof(m->path)) >= sizeof(m->path))
		return (-ENAMETOOLONG);
	m->nblocks = nblocks;
	if ((m->mark = marks_table(nblocks, sizeof(struct mark))) == NULL)
		return (-ENOMEM);
	m->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->fd < 0 || fstat(m->fd, &st) < 0)
		return (-errno);
	if (!S_ISREG(st.st_mode))
		return (-EINVAL);
	(void)strlcpy(want, what, sizeof(want));
	if (st.st_size < HEAD_BYTES || pread_full(m->fd, head, sizeof(head), 0) < 0 ||
	    memcmp(head, want, sizeof(head)) != 0)
		return (write_head(m, what));
	if ((r = read_marks(m)) < 0)
		return (r);
	*ret_resumed = true;
	return (0);
}

int
marks_set(struct marks *m, uint32_t block, const uint8_t from[16], const uint8_t to[16])
{
	if (m->nchanged == m->room) {
		size_t room = m->room != 0 ? 2 * m->room : 1024;
		uint32_t *more = reallocarray(m->changed, room, sizeof(*more));

		if (more == NULL)
			return (-ENOMEM);
		m->changed = more;
		m->room = room;
	}
	m->changed[m->nchanged++] = block;
	memcpy(m->mark[block].from, from, 16);
	memcpy(m->mark[block].to, to, 16);
	return (0);
}

int
marks_save(struct marks *m)
{
	int r;

	for (size_t i = 0; i < m->nchanged; i++) {
		uint32_t b = m->changed[i];

		r = pwrite_full(m->fd, &m->mark[b], sizeof(m->mark[b]),
		    HEAD_BYTES + (off_t)((uint64_t)b * sizeof(m->mark[b])));
		if (r < 0)
			return (r);
	}
	m->nchanged = 0;
	return (0);
}

void
marks_close(struct marks *m, bool done)
{
	if (m->fd >= 0) {
		close(m->fd);
		if (done)
			(void)unlink(m->path);
	}
	m->fd = -1;
	marks_table_free(m->mark, m->nblocks, sizeof(struct mark));
	m->mark = NULL;
	free(m->changed);
	m->changed = NULL;
}

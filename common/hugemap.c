/* SPDX-License-Identifier: ISC */
#include "common/hugemap.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

int
hugemap(int fd, size_t len, int prot, void **ret_map)
{
	char *area = mmap(
	    NULL, len + HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t skip;
	int error;

	if (area == MAP_FAILED)
		return (-errno);
	skip = -(uintptr_t)area & (HUGE_BYTES - 1);
	if (mmap(area + skip, len, prot, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0) ==
	    MAP_FAILED) {
		error = -errno;
		(void)munmap(area, len + HUGE_BYTES);
		return (error);
	}
	/* What is left of the reservation in front and behind; pages, as the area was of pages. */
	if (skip > 0)
		(void)munmap(area, skip);
	len = (len + 4095) & ~(size_t)4095;
	(void)munmap(area + skip + len, HUGE_BYTES - skip);
	*ret_map = area + skip;
	return (0);
}

/* SPDX-License-Identifier: ISC */
/*
 * letter.c -- what an earlier s3backerd left for this one: any bytes are either read or refused.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf.h"
#include "supervisor/letter.h"
#include "supervisor/super.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const option[] = {"bucket=bkt", "mountPoint=/mnt", "size=1m", NULL};
	int fd = memfd_create("letter", 0);
	struct super s = {.shm = {.base = NULL}};
	char *error = NULL;
	struct letter l;

	must(fd >= 0 && write(fd, data, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
	must(conf_load(NULL, option, &s.conf, &error) == 0);
	if (letter_receive(fd, &l) == 0) {
		(void)letter_fits(&l);
		(void)letter_is_cold(&l);
		(void)letter_is_about(&l, "/etc/s3backer.conf");
		(void)letter_read_disk(&l, &s);
		(void)letter_fd(&l, "shm");
		letter_free(&l);
	}
	free(s.file);
	conf_free(s.conf);
	(void)close(fd);
	return (0);
}

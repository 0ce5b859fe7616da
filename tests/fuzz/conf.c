/* SPDX-License-Identifier: ISC */
/*
 * conf.c -- a configuration file of any bytes: either a configuration that serializes to one that
 * reads back equal, or one line of error that names the file.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf *conf = NULL, *copy = NULL;
	char path[64], *error = NULL, *text;
	int fd = memfd_create("conf", 0), r;
	size_t text_len;

	must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = conf_load(path, NULL, &conf, &error);
	if (r < 0) {
		must(error != NULL && strchr(error, '\n') == NULL);
		must(conf == NULL);
	} else {
		text = conf_serialize(conf, CONF_ALL, &text_len);
		must(text != NULL && conf_deserialize(text, text_len, &copy, &error) == 0);
		must(copy->size == conf->size && copy->block_size == conf->block_size);
		conf_free(copy);
		conf_wipe_text(&text, text_len);
	}
	free(error);
	conf_free(conf);
	(void)close(fd);
	return (0);
}

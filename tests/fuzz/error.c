/* SPDX-License-Identifier: ISC */
/*
 * error.c -- the body of a reply that is an error, or that says what a bulk delete did.
 */
#include "tests/fuzz/fuzz.h"
#include "uploader/xml.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = fuzz_string(data, len);
	struct xml_error error;
	struct xml_deleted deleted;

	memset(&error, 0x5a, sizeof(error));
	if (xml_error_parse(text, len, &error) < 0)
		must(error.code[0] == '\0' && error.message[0] == '\0' && error.region[0] == '\0');
	must(memchr(error.code, 0, sizeof(error.code)) &&
	     memchr(error.message, 0, sizeof(error.message)));
	must(memchr(error.endpoint, 0, sizeof(error.endpoint)));
	memset(&deleted, 0x5a, sizeof(deleted));
	if (xml_deleted_parse(text, len, &deleted) == 0)
		must(memchr(deleted.code, 0, sizeof(deleted.code)) != NULL);
	free(text);
	return (0);
}

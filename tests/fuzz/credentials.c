/* SPDX-License-Identifier: ISC */
/*
 * credentials.c -- documents with keys: JSON of containers, EC2 and credential_process; XML of STS; the
 * files of the AWS tools.  Keys are complete, or there are none and a reason is given.
 */
#include "tests/fuzz/fuzz.h"
#include "uploader/cred_ini.h"
#include "uploader/cred_priv.h"

static void
look(int r, const struct cred_keys *k, const char *why)
{
	must(memchr(why, 0, CRED_WHY_MAX) != NULL);
	if (r < 0) {
		must(why[0] != '\0');
		return;
	}
	must(memchr(k->id, 0, sizeof(k->id)) != NULL && k->id[0] != '\0');
	must(memchr(k->secret, 0, sizeof(k->secret)) != NULL && k->secret[0] != '\0');
	must(memchr(k->token, 0, sizeof(k->token)) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const section[] = {"default", "profile backup", "backup", ""};
	char *text = fuzz_string(data, len), why[CRED_WHY_MAX];
	struct cred_keys keys;
	struct ini *ini = NULL;

	memset(&keys, 0, sizeof(keys));
	why[0] = '\0';
	look(cred_json(text, &keys, why), &keys, why);
	memset(&keys, 0, sizeof(keys));
	why[0] = '\0';
	look(cred_sts_xml(text, len, &keys, why), &keys, why);
	(void)cred_time(text);
	if (ini_parse(text, &ini) == 0)
		for (size_t i = 0; i < sizeof(section) / sizeof(section[0]); i++) {
			const char *v = ini_get(ini, section[i], "aws_secret_access_key");

			must(v == NULL || ini_has(ini, section[i]));
			must(v == NULL || strlen(v) <= len);
		}
	ini_free(&ini);
	free(text);
	return (0);
}

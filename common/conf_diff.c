/* SPDX-License-Identifier: ISC */
#include "common/conf_diff.h"

#include <string.h>

#include "common/conf_priv.h"

bool
conf_key_same(const struct conf *a, const struct conf *b, enum conf_id id)
{
	const void *x = conf_member_const(a, id), *y = conf_member_const(b, id);
	const char *s, *t;

	if (!conf_type_is_text(conf_keys[id].type))
		return (memcmp(x, y, conf_member_size(conf_keys[id].type)) == 0);
	memcpy(&s, x, sizeof(s));
	memcpy(&t, y, sizeof(t));
	return (s == t || (s != NULL && t != NULL && strcmp(s, t) == 0));
}

bool
conf_key_may_change(enum conf_id id)
{
	switch (id) {
	case CONF_accessId:
	case CONF_accessKey:
	case CONF_accessToken:
	case CONF_accessKeyEnv:
	case CONF_accessFile:
	case CONF_accessEC2IAM:
	case CONF_accessEC2IAM_IMDSv2:
	case CONF_profile:
	case CONF_authVersion:
	case CONF_cacert:
	case CONF_insecure:
	case CONF_ipTOS:
	case CONF_noCurlCache:
	case CONF_accessType:
	case CONF_storageClass:
	case CONF_force:
	case CONF_user:
	case CONF_logTo:
	case CONF_debug:
	case CONF_quiet:
	case CONF_metricsListen:
	case CONF_usageFile:
	case CONF_pricePut:
	case CONF_priceGet:
	case CONF_priceOut:
	case CONF_priceStored:
	case CONF_statsFileMirror:
	case CONF_statsFileMirrorInterval:
		return (true);
	default:
		return ((conf_keys[id].flags & (KEY_LIVE | KEY_GONE)) != 0);
	}
}

/* SPDX-License-Identifier: ISC */
/*
 * s3_place.c -- where the bucket is: its region, and whether its name goes into the host name or the path.
 *
 * Process:  uploader.  Threads: main.
 * Rule:     data and keys go to nobody whom the user did not name.  A region is signed for; only within
 *           Amazon's own names another host follows from it.  An addressing style is changed between the
 *           host of baseURL and the bucket's name in front of that host, and what the user said with
 *           vhost or no-vhost stays.  Transport and certificates are checked as before.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "common/log.h"
#include "uploader/s3_priv.h"

#include "uploader/guard.h"

static bool
region_name_ok(const char *s)
{
	return (*s != '\0' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s));
}

bool
s3_place_region(struct s3 *s3, const struct http_reply *r, const struct xml_error *x)
{
	const char *region = x->region[0] != '\0' ? x->region : r->region;
	struct s3_endpoint *e = &s3->endpoint;
	char url[512], name[64];

	if (!region_name_ok(region) || strcmp(region, e->region) == 0)
		return (false);
	(void)strlcpy(name, region, sizeof(name));
	if (s3->on_aws)
		(void)snprintf(url, sizeof(url), "%s://s3.%s.amazonaws.com/", e->scheme, name);
	else
		(void)snprintf(
		    url, sizeof(url), "%s://%s%s", e->scheme, e->plain_host, e->base_path);
	log_info("bucket is in another region, set region = %s to spare the detour: configured=%s",
	    name, e->region);
	if (s3_endpoint_set(e, url, s3->env.conf->bucket_name, e->vhost, name) < 0)
		return (false);
	s3->place_found = true;
	return (true);
}

static bool
change_style(struct s3 *s3, bool vhost, const char *why)
{
	struct s3_endpoint *e = &s3->endpoint;
	char url[512], region[64];

	(void)snprintf(url, sizeof(url), "%s://%s%s", e->scheme, e->plain_host, e->base_path);
	(void)strlcpy(region, e->region, sizeof(region));
	log_info("%s: %s, set %s to spare the detour", why,
	    vhost ? "the bucket's name goes into the host name"
		  : "the bucket's name goes into the path",
	    vhost ? "vhost" : "no-vhost");
	if (s3_endpoint_set(e, url, s3->env.conf->bucket_name, vhost, region) < 0)
		return (false);
	s3->style_generation = s3->generation + 1;
	s3->place_found = true;
	return (true);
}

/* Codes of stores that take nothing but the one or the other; and a redirect from one to the other. */
static bool
wants_vhost(const struct s3_endpoint *e, const struct http_reply *r, const struct xml_error *x)
{
	static const char *const codes[] = {"SecondLevelDomainForbidden",
	    "PathStyleDomainForbidden", "InvalidPathAccess", "VirtualHostDomainRequired"};
	char host[512];
	const char *at;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(x->code, codes[i]) == 0)
			return (true);
	if (r->status < 300 || r->status > 399)
		return (false);
	(void)snprintf(host, sizeof(host), "%s.%s", e->bucket, e->plain_host);
	at = strstr(r->location, "://");
	return (strcasecmp(x->endpoint, host) == 0 ||
		(at != NULL && strncasecmp(at + 3, host, strlen(host)) == 0 &&
		    strchr("/?", at[3 + strlen(host)]) != NULL));
}

bool
s3_place_style(struct s3 *s3, const struct http_reply *r, const struct xml_error *x)
{
	const struct conf *conf = s3->env.conf;
	struct s3_endpoint *e = &s3->endpoint;

	/* Once anything has worked, the place is right, and what fails now fails for another reason. */
	if (s3->place_proven || s3->style_tried)
		return (false);
	if (!e->vhost) {
		if (conf->no_vhost || !wants_vhost(e, r, x))
			return (false);
		s3->style_tried = true;
		return (change_style(s3, true, x->code[0] != '\0' ? x->code : "a redirect"));
	}
	/* Implied by region: on other stores than Amazon's that is no more than a guess. */
	if (conf->vhost || s3->on_aws ||
	    (r->error != -EADDRNOTAVAIL && r->error != -EKEYREJECTED &&
		strcmp(x->code, "NoSuchBucket") != 0))
		return (false);
	s3->style_tried = true;
	return (change_style(s3, false,
	    r->error == -EADDRNOTAVAIL	? "the bucket's host name cannot be resolved"
	    : r->error == -EKEYREJECTED ? "the certificate is not for the bucket's host name"
					: "there is no such bucket by its host name"));
}

/* SPDX-License-Identifier: ISC */
/*
 * cred_http.c -- one small request, waited for.
 *
 * Unlike the transfers (s3_http.c) these are few, one after the other, and in a thread that has
 * nothing else to do: curl's blocking interface says it in a tenth of the lines.
 */
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "uploader/cred_priv.h"

#include "uploader/guard.h"

struct sink {
	char *text;
	size_t used;
	int stop_fd;
};

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct sink *s = arg;

	n *= size;
	if (n >= CRED_TEXT_MAX - s->used)
		return (0);
	memcpy(s->text + s->used, data, n);
	s->used += n;
	s->text[s->used] = '\0';
	return (n);
}

/* Called about once a second while nothing moves. */
static int
on_progress(void *arg, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
	struct sink *s = arg;
	struct pollfd p = {.fd = s->stop_fd, .events = POLLIN};

	(void)dt, (void)dn, (void)ut, (void)un;
	return (poll(&p, 1, 0) > 0);
}

static int
set_options(CURL *c, const struct cred_http *r, struct sink *s, char *errbuf)
{
	(void)curl_easy_setopt(c, CURLOPT_URL, r->url);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, errbuf);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, r->connect_ms);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, r->total_ms);
	(void)curl_easy_setopt(c, CURLOPT_USERAGENT, "s3backer/" S3B_VERSION);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	(void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
	if (r->no_proxy)
		(void)curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	if (r->body != NULL) {
		(void)curl_easy_setopt(c, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body);
	} else if (strcmp(r->method, "GET") != 0) {
		(void)curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
	}
	return (0);
}

static struct curl_slist *
headers(const struct cred_http *r)
{
	struct curl_slist *list = NULL, *more;

	for (unsigned i = 0; i < r->nheaders; i++) {
		if ((more = curl_slist_append(list, r->header[i])) == NULL)
			break;
		list = more;
	}
	return (list);
}

static int
errno_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return (-ETIMEDOUT);
	case CURLE_ABORTED_BY_CALLBACK:
		return (-ECANCELED);
	case CURLE_OUT_OF_MEMORY:
		return (-ENOMEM);
	default:
		return (-EHOSTUNREACH);
	}
}

int
cred_http(const struct cred_http *r, int stop_fd, char *text, char *why)
{
	struct sink sink = {.text = text, .stop_fd = stop_fd};
	char errbuf[CURL_ERROR_SIZE] = "";
	struct curl_slist *list = headers(r);
	CURL *c = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long status = 0;

	text[0] = '\0';
	if (c != NULL) {
		(void)set_options(c, r, &sink, errbuf);
		(void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
		code = curl_easy_perform(c);
		(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_cleanup(c);
	}
	curl_slist_free_all(list);
	if (code == CURLE_OK)
		return ((int)status);
	(void)strlcpy(why, errbuf[0] != '\0' ? errbuf : curl_easy_strerror(code), CRED_WHY_MAX);
	return (errno_of(code));
}

/* SPDX-License-Identifier: ISC */
#include "uploader/http_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/blockmath.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "uploader/guard.h"

static int
on_new_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	const struct http *h = arg;

	(void)purpose;
	if (h->conf.ip_tos >= 0) {
		(void)setsockopt(fd, IPPROTO_IP, IP_TOS, &h->conf.ip_tos, sizeof(int));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &h->conf.ip_tos, sizeof(int));
	}
	return (CURL_SOCKOPT_OK);
}

/* debug-http: header lines, never credentials, never bodies. */
static int
on_debug(CURL *easy, curl_infotype type, char *data, size_t len, void *arg)
{
	char line[1024], *next = line, *p;
	const char *mark = type == CURLINFO_HEADER_OUT	? ">"
			   : type == CURLINFO_HEADER_IN ? "<"
							: "*";

	(void)arg;
	if (type != CURLINFO_HEADER_OUT && type != CURLINFO_HEADER_IN && type != CURLINFO_TEXT)
		return (0);
	len = min_u64(len, sizeof(line) - 1);
	memcpy(line, data, len);
	line[len] = '\0';
	while ((p = strsep(&next, "\r\n")) != NULL) {
		if (*p == '\0')
			continue;
		if (strncasecmp(p, "Authorization:", 14) == 0 ||
		    strncasecmp(p, "x-amz-security-token:", 21) == 0)
			p[strcspn(p, ":") + 1] = '\0';
		log_debug("http: conn=%p %s %s", (void *)easy, mark, p);
	}
	return (0);
}

int
http_header(struct http_request *r, const char *name, const char *value)
{
	size_t room = sizeof(r->head) - r->head_len;
	int n = snprintf(r->head + r->head_len, room, "%s: %s", name, value);

	if (n < 0 || (size_t)n >= room)
		return (-ENOSPC);
	r->head_len += (size_t)n + 1;
	return (0);
}

static int
set_headers(struct http_request *r, CURL *c)
{
	struct curl_slist *list = NULL, *more;

	for (size_t at = 0; at < r->head_len; at += strlen(r->head + at) + 1) {
		if ((more = curl_slist_append(list, r->head + at)) == NULL)
			goto fail;
		list = more;
	}
	if (r->body_len <= CONTINUE_ABOVE) {
		if ((more = curl_slist_append(list, "Expect:")) == NULL)
			goto fail;
		list = more;
	}
	r->slist = list;
	(void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	return (0);
fail:
	curl_slist_free_all(list);
	return (-ENOMEM);
}

static void
set_method(struct http *h, struct http_request *r, CURL *c)
{
	switch (r->method) {
	case HTTP_GET:
		(void)curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
		break;
	case HTTP_HEAD:
		(void)curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
		break;
	case HTTP_DELETE:
		(void)curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
		(void)curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "DELETE");
		break;
	case HTTP_PUT:
		(void)curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_len);
		break;
	case HTTP_POST:
		(void)curl_easy_setopt(c, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		break;
	}
	if (r->body_read != NULL)
		(void)curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)h->up_buffer);
	/* A reply to an upload is a few lines: the large buffer is for one direction only. */
	(void)curl_easy_setopt(
	    c, CURLOPT_BUFFERSIZE, (long)(r->method == HTTP_GET ? h->down_buffer : BUFFER_MIN));
}

static void
set_transport(struct http *h, CURL *c)
{
	const struct http_conf *conf = &h->conf;

	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	(void)curl_easy_setopt(
	    c, CURLOPT_CONNECTTIMEOUT_MS, (long)(conf->connect_timeout_us / US_PER_MS));
	(void)curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	/* A name that moves is found where it is now. */
	(void)curl_easy_setopt(c, CURLOPT_DNS_CACHE_TIMEOUT, conf->fresh_connections ? 0L : 2L);
	(void)curl_easy_setopt(c, CURLOPT_USERAGENT, h->user_agent);
	if (h->cacert != NULL)
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, h->cacert);
	if (conf->insecure) {
		(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (conf->fresh_connections) {
		(void)curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
		(void)curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	}
	if (conf->ip_tos >= 0) {
		(void)curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
		(void)curl_easy_setopt(c, CURLOPT_SOCKOPTDATA, h);
	}
	if (conf->verbose) {
		(void)curl_easy_setopt(c, CURLOPT_VERBOSE, 1L);
		(void)curl_easy_setopt(c, CURLOPT_DEBUGFUNCTION, on_debug);
	}
}

int
http_setup(struct http *h, struct http_request *r)
{
	CURL *c = r->easy;

	(void)curl_easy_setopt(c, CURLOPT_URL, r->url);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->reply.transport);
	set_transport(h, c);
	set_method(h, r, c);
	return (set_headers(r, c));
}

int
http_errno(int code, const struct http_request *r)
{
	long os = 0;

	switch (code) {
	case CURLE_OK:
		return (0);
	case CURLE_WRITE_ERROR:
	case CURLE_ABORTED_BY_CALLBACK:
		return (r->callback_error < 0 ? r->callback_error : -EIO);
	case CURLE_OPERATION_TIMEDOUT:
		return (-ETIMEDOUT);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return (-EADDRNOTAVAIL);
	case CURLE_COULDNT_CONNECT:
		(void)curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os);
		return (os != 0 ? -(int)os : -ECONNREFUSED);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return (-EKEYREJECTED);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
		return (-EPROTO);
	case CURLE_PARTIAL_FILE:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return (-EILSEQ);
	case CURLE_OUT_OF_MEMORY:
		return (-ENOMEM);
	default:
		return (-ECONNRESET);
	}
}

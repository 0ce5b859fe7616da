/* SPDX-License-Identifier: ISC */
/*
 * aws.c -- see aws.h.
 */
#include "tests/server/aws.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/server/cond.h"
#include "tests/server/creds.h"
#include "tests/server/digest.h"
#include "tests/server/request.h"
#include "tests/server/sign.h"
#include "tests/server/text.h"
#include "tests/server/uri.h"

#define SESSION	 "the-token-of-a-metadata-session"
#define STALL_US 20000000

enum imds {
	IMDS_BOTH,
	IMDS_1,
	IMDS_2,
	IMDS_HOP
};

static struct {
	pthread_mutex_t lock;
	int lifetime, fail;
	enum imds imds;
	char role[64], auth[128], web[128], external[64];
	unsigned issued;
	char last[512];
} aws = {.lock = PTHREAD_MUTEX_INITIALIZER, .lifetime = 3600, .role = "s3backer-role"};

/* ---- what tests say and see ------------------------------------------------------------------ */
static void
set_text(const struct request *rq, const char *name, char *buf, size_t size)
{
	const char *value = request_param(rq, name);

	if (value != NULL)
		snprintf(buf, size, "%s", value);
}

int
aws_set(const struct request *rq)
{
	static const char *const modes[] = {"both", "1", "2", "hop"};
	const char *lifetime = request_param(rq, "lifetime"), *imds = request_param(rq, "imds");
	const char *fail = request_param(rq, "fail");
	int mode = 0;

	while (imds != NULL && mode < 4 && strcmp(modes[mode], imds) != 0)
		mode++;
	if (mode == 4)
		return (-EINVAL);
	pthread_mutex_lock(&aws.lock);
	if (imds != NULL)
		aws.imds = (enum imds)mode;
	if (lifetime != NULL)
		aws.lifetime = atoi(lifetime);
	if (fail != NULL)
		aws.fail = atoi(fail);
	set_text(rq, "role", aws.role, sizeof(aws.role));
	set_text(rq, "auth", aws.auth, sizeof(aws.auth));
	set_text(rq, "web", aws.web, sizeof(aws.web));
	set_text(rq, "external", aws.external, sizeof(aws.external));
	pthread_mutex_unlock(&aws.lock);
	return (0);
}

void
aws_show(struct text *t)
{
	pthread_mutex_lock(&aws.lock);
	text_printf(t, "issued=%u%s\n", aws.issued, aws.last);
	pthread_mutex_unlock(&aws.lock);
}

/* ---- keys ------------------------------------------------------------------------------------ */
struct issued {
	char id[32], secret[48], token[64], expires[32];
};

static struct issued
issue(const char *what)
{
	struct issued k;
	char spec[256];
	struct tm tm;
	time_t end;

	pthread_mutex_lock(&aws.lock);
	aws.issued++;
	end = time(NULL) + aws.lifetime;
	snprintf(k.id, sizeof(k.id), "ASIATEST%08u", aws.issued);
	snprintf(k.secret, sizeof(k.secret), "secret+of/%08u/%08lx", aws.issued, random());
	snprintf(k.token, sizeof(k.token), "session//token+%08u==%08lx", aws.issued, random());
	snprintf(aws.last, sizeof(aws.last), " id=%s %s", k.id, what);
	pthread_mutex_unlock(&aws.lock);
	strftime(k.expires, sizeof(k.expires), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &tm));
	snprintf(spec, sizeof(spec), "%s:%s:%s", k.id, k.secret, k.token);
	creds_add_until(spec, end);
	return (k);
}

static void
say(struct request *rq, int status, const char *type, const char *text)
{
	struct text t = TEXT_EMPTY;

	text_puts(&t, text);
	reply_text(rq, status, type, &t);
}

static void
say_json(struct request *rq, const struct issued *k)
{
	struct text t = TEXT_EMPTY;

	text_printf(&t,
	    "{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"2026-01-01T00:00:00Z\",\n"
	    "  \"Type\" : \"AWS-HMAC\",\n  \"AccessKeyId\" : \"%s\",\n"
	    "  \"SecretAccessKey\" : \"%s\",\n  \"Token\" : \"%s\",\n  \"Expiration\" : \"%s\"\n}",
	    k->id, k->secret, k->token, k->expires);
	reply_text(rq, 200, "application/json", &t);
}

/* ---- EC2 ------------------------------------------------------------------------------------- */
#define EC2_TOKEN AWS_PREFIX "ec2/latest/api/token"
#define EC2_ROLES AWS_PREFIX "ec2/latest/meta-data/iam/security-credentials/"

static bool
is_session_request(const struct request *rq)
{
	return (strcmp(rq->raw_path, EC2_TOKEN) == 0);
}

uint64_t
aws_stall_us(const struct request *rq)
{
	return (is_session_request(rq) && aws.imds == IMDS_HOP ? STALL_US : 0);
}

static void
ec2_session(struct request *rq)
{
	if (aws.imds == IMDS_1)
		say(rq, 404, "text/html", "<html>404 - Not Found</html>");
	else if (strcmp(rq->method, "PUT") != 0)
		say(rq, 405, "text/html", "<html>405</html>");
	else if (request_header(rq, "X-aws-ec2-metadata-token-ttl-seconds") == NULL)
		say(rq, 400, "text/html", "<html>400 - Bad Request</html>");
	else
		say(rq, 200, "text/plain", SESSION);
}

static void
ec2_roles(struct request *rq)
{
	const char *session = request_header(rq, "X-aws-ec2-metadata-token");
	const char *role = rq->raw_path + strlen(EC2_ROLES);
	struct issued k;

	if ((session != NULL && strcmp(session, SESSION) != 0) ||
	    (session == NULL && aws.imds == IMDS_2)) {
		say(rq, 401, "text/html", "<html>401 - Unauthorized</html>");
	} else if (*role == '\0' && aws.role[0] != '\0') {
		say(rq, 200, "text/plain", aws.role);
	} else if (*role != '\0' && strcmp(role, aws.role) == 0) {
		k = issue(session != NULL ? "via=ec2-2" : "via=ec2-1");
		say_json(rq, &k);
	} else {
		say(rq, 404, "text/html", "<html>404 - Not Found</html>");
	}
}

/* ---- containers ------------------------------------------------------------------------------ */
static void
container(struct request *rq)
{
	const char *auth = request_header(rq, "Authorization");
	struct issued k;

	if (aws.auth[0] != '\0' && (auth == NULL || strcmp(auth, aws.auth) != 0)) {
		say(rq, 401, "application/json", "{\"message\": \"Unauthorized\"}");
		return;
	}
	k = issue("via=container");
	say_json(rq, &k);
}

/* ---- STS ------------------------------------------------------------------------------------- */
static void
sts_error(struct request *rq, int status, const char *code, const char *message)
{
	struct text t = TEXT_EMPTY;

	text_printf(&t,
	    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n"
	    "    <Type>Sender</Type>\n    <Code>%s</Code>\n    <Message>%s</Message>\n  </Error>\n"
	    "  <RequestId>0</RequestId>\n</ErrorResponse>\n",
	    code, message);
	reply_text(rq, status, "text/xml", &t);
}

static void
sts_keys(struct request *rq, const char *action, const struct issued *k)
{
	struct text t = TEXT_EMPTY;

	text_printf(&t,
	    "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <%sResult>\n"
	    "    <Credentials>\n      <AccessKeyId>%s</AccessKeyId>\n"
	    "      <SecretAccessKey>%s</SecretAccessKey>\n      <SessionToken>%s</SessionToken>\n"
	    "      <Expiration>%s</Expiration>\n    </Credentials>\n  </%sResult>\n"
	    "  <ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>\n</%sResponse>\n",
	    action, action, k->id, k->secret, k->token, k->expires, action, action);
	reply_text(rq, 200, "text/xml", &t);
}

/* As auth.c does for S3, but the hash of the body is not in a header here. */
static bool
signature_good(struct request *rq, const char *body)
{
	const char *authorization = request_header(rq, "Authorization");
	const char *date = request_header(rq, "X-Amz-Date");
	const char *token = request_header(rq, "X-Amz-Security-Token");
	struct sign_input in = {rq->method, rq->raw_path, rq->raw_query, rq->hdr, rq->nhdr};
	struct text canonical = TEXT_EMPTY, string = TEXT_EMPTY;
	struct creds c = {0};
	char sha[65], hex[65];
	struct sigv4 a;
	bool good = false;

	if (authorization == NULL || date == NULL || sigv4_parse(authorization, &a) < 0)
		return (false);
	digest_hex(DIGEST_SHA256, body, strlen(body), sha);
	if (strcmp(a.service, "sts") == 0 && creds_find(a.id, &c) == 0 &&
	    (c.token == NULL ? token == NULL : token != NULL && strcmp(token, c.token) == 0) &&
	    (c.expires == 0 || c.expires > time(NULL)) &&
	    sigv4_canonical(&in, a.signed_headers, sha, &canonical) == 0) {
		sigv4_string(&a, date, canonical.s, &string);
		sigv4_sign(&a, c.secret, string.s, hex);
		good = strcmp(hex, a.signature) == 0;
	}
	text_free(&canonical);
	text_free(&string);
	creds_free(&c);
	sigv4_free(&a);
	return (good);
}

static const char *
form_get(const struct query *q, const char *name)
{
	const char *value = query_get(q, name);

	return (value != NULL ? value : "");
}

static void
sts_assume(struct request *rq, const struct query *q, const char *body)
{
	const char *action = form_get(q, "Action"), *role = form_get(q, "RoleArn");
	bool web = strcmp(action, "AssumeRoleWithWebIdentity") == 0;
	char what[384];
	struct issued k;

	if (!web && strcmp(action, "AssumeRole") != 0) {
		sts_error(rq, 400, "InvalidAction", "No such action.");
	} else if (!web && !signature_good(rq, body)) {
		sts_error(rq, 403, "SignatureDoesNotMatch", "The signature does not match.");
	} else if (web && strcmp(form_get(q, "WebIdentityToken"), aws.web) != 0) {
		sts_error(rq, 400, "InvalidIdentityToken", "The token is not the right one.");
	} else if (strncmp(role, "arn:aws:iam::", 13) != 0 || strstr(role, "denied") != NULL ||
		   *form_get(q, "RoleSessionName") == '\0' ||
		   strcmp(form_get(q, "ExternalId"), aws.external) != 0) {
		sts_error(rq, 403, "AccessDenied", "You are not authorized to take this role.");
	} else {
		snprintf(what, sizeof(what), "via=%s role=%s session=%s duration=%s",
		    web ? "web" : "sts", role, form_get(q, "RoleSessionName"),
		    form_get(q, "DurationSeconds"));
		k = issue(what);
		sts_keys(rq, action, &k);
	}
}

static void
sts(struct request *rq)
{
	char *body = rq->body ? xstrndup(rq->body->data, rq->body->len) : xstrdup("");
	struct query q;

	if (strcmp(rq->method, "POST") != 0 || query_parse(body, &q) < 0) {
		sts_error(rq, 400, "MalformedQueryString", "Not a form.");
	} else {
		sts_assume(rq, &q, body);
		query_free(&q);
	}
	free(body);
}

void
aws_execute(struct request *rq)
{
	const char *path = rq->raw_path;

	if (aws.fail != 0)
		say(rq, aws.fail, "text/plain", "This error was asked for.");
	else if (is_session_request(rq))
		ec2_session(rq);
	else if (strncmp(path, EC2_ROLES, strlen(EC2_ROLES)) == 0)
		ec2_roles(rq);
	else if (strncmp(path, AWS_PREFIX "container/", strlen(AWS_PREFIX "container/")) == 0)
		container(rq);
	else if (strcmp(path, AWS_PREFIX "sts/") == 0)
		sts(rq);
	else
		say(rq, 404, "text/plain", "ec2/latest/ container/ sts/");
}

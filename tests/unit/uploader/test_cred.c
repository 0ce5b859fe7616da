/* SPDX-License-Identifier: ISC */
/*
 * test_cred.c -- the pure parts of the credentials: the files of the AWS tools, the documents in
 * which keys arrive, the addresses from which they may come.
 */
#include <errno.h>
#include <string.h>

#include "tests/unit/tap.h"
#include "uploader/cred_ini.h"
#include "uploader/cred_priv.h"

static void
test_ini(void)
{
	static const char text[] = "before = ignored\n"
				   "# comment\n"
				   "[default]\r\n"
				   "  indented = ignored\n"
				   "AWS_Access_Key_Id=AKID\r\n"
				   "aws_secret_access_key = a/b+c#d=e  # a comment\n"
				   "s3 =\n"
				   "   max_concurrent_requests = 20\n"
				   "[ profile   two words ]\n"
				   "x = 1\n"
				   "x = 2\n"
				   "[profile \"quoted\"] ; comment\n"
				   "empty =\n"
				   "no assignment\n"
				   "[default]\n"
				   "region = r ; not a part\n"
				   "[broken\n"
				   "y = 1";
	struct ini *ini = NULL;

	ok(ini_parse(text, &ini) == 0, "a file is parsed");
	is_str(
	    ini_get(ini, "default", "aws_access_key_id"), "AKID", "names without regard to case");
	is_str(ini_get(ini, "default", "aws_secret_access_key"), "a/b+c#d=e",
	    "a secret keeps its # and =, a comment behind it goes");
	ok(ini_get(ini, "default", "indented") == NULL, "indented lines belong to something else");
	ok(ini_get(ini, "default", "max_concurrent_requests") == NULL, "so do nested settings");
	is_str(ini_get(ini, "default", "region"), "r", "a section may come twice");
	is_str(ini_get(ini, "profile two words", "x"), "2", "the last of several counts");
	ok(ini_has(ini, "profile quoted"), "quoted names of profiles");
	is_str(ini_get(ini, "profile quoted", "empty"), "", "an empty value is one");
	ok(!ini_has(ini, "profile none"), "a profile that is not there");
	ok(ini_get(ini, "default", "before") == NULL, "what stands before a section is nothing");
	ok(ini_get(ini, "default", "y") == NULL, "nor what follows a broken one");
	ini_free(&ini);
	ok(ini == NULL, "freed");
	ok(ini_parse("", &ini) == 0 && !ini_has(ini, "default"), "an empty file is one");
	ini_free(&ini);
}

static void
test_time(void)
{
	is_int(cred_time("2026-11-24T23:00:00Z"), 1795561200, "a time");
	is_int(cred_time("2026-11-24T23:00:00.123Z"), 1795561200, "with a fraction");
	is_int(cred_time("2026-11-25T00:00:00+01:00"), 1795561200, "with an offset");
	is_int(cred_time("2026-11-24T17:30:00-05:30"), 1795561200, "west of Greenwich");
	is_int(cred_time("tomorrow"), 0, "none");
}

static void
test_json(void)
{
	struct cred_keys k;
	char why[CRED_WHY_MAX];

	ok(cred_json("{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\","
		     "\"Token\":\"T\",\"Expiration\":\"2026-11-24T23:00:00Z\",\"more\":[1]}",
	       &k, why) == 0,
	    "what EC2 says");
	is_str(k.id, "A", "its id");
	is_str(k.secret, "S", "its secret");
	is_str(k.token, "T", "its token");
	is_int(k.expires_s, 1795561200, "its end");
	ok(cred_json("{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\","
		     "\"SessionToken\":\"T2\"}",
	       &k, why) == 0 &&
		strcmp(k.token, "T2") == 0 && k.expires_s == 0,
	    "what credential_process says; without an end it is for ever");
	is_int(cred_json("{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no\"}", &k, why),
	    -EREMOTEIO, "an error of EC2");
	is_str(why, "the answer was AssumeRoleUnauthorizedAccess: no", "in its words");
	is_int(cred_json("{\"AccessKeyId\":\"A\"}", &k, why), -EILSEQ, "no secret");
	is_int(cred_json("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":\"x\"}",
		   &k, why),
	    -EILSEQ, "an end that is no time");
	is_int(cred_json("<html>", &k, why), -EILSEQ, "no JSON");
	is_int(cred_json("[]", &k, why), -EILSEQ, "no object");
}

static int
xml(const char *text, struct cred_keys *k, char *why)
{
	return (cred_sts_xml(text, strlen(text), k, why));
}

static void
test_xml(void)
{
	struct cred_keys k;
	char why[CRED_WHY_MAX];

	ok(xml("<a:AssumeRoleResponse xmlns:a='x'><AssumeRoleResult><Credentials><AccessKeyId>A"
	       "</AccessKeyId><SecretAccessKey>S&amp;</SecretAccessKey><SessionToken>T</"
	       "SessionToken>"
	       "<Expiration>2026-11-24T23:00:00Z</Expiration></Credentials></AssumeRoleResult>"
	       "</a:AssumeRoleResponse>",
	       &k, why) == 0,
	    "what STS says");
	is_str(k.secret, "S&", "its secret");
	is_int(k.expires_s, 1795561200, "its end");
	is_int(xml("<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
		   "</ErrorResponse>",
		   &k, why),
	    -EREMOTEIO, "an error");
	is_str(why, "AccessDenied: no", "in its words");
	is_int(xml("<x/>", &k, why), -EILSEQ, "no keys");
	is_int(xml("<x><AccessKeyId>", &k, why), -EILSEQ, "half of it");
	is_int(xml("<!DOCTYPE x [<!ENTITY e 'A'>]><x><AccessKeyId>&e;</AccessKeyId></x>", &k, why),
	    -EILSEQ, "a document type is refused");
}

static void
test_urls(void)
{
	static const struct {
		const char *relative, *full, *want;
	} t[] = {
	    {"/v2/x", NULL, "http://169.254.170.2/v2/x"},
	    {"v2", NULL, NULL},
	    {NULL, "https://example.com/x", "https://example.com/x"},
	    {NULL, "http://example.com/x", NULL},
	    {NULL, "http://127.0.0.1:80/x", "http://127.0.0.1:80/x"},
	    {NULL, "http://127.0.0.1.example.com/x", NULL},
	    {NULL, "http://localhost/x", "http://localhost/x"},
	    {NULL, "http://localhost.example.com/x", NULL},
	    {NULL, "http://[::1]:1/x", "http://[::1]:1/x"},
	    {NULL, "http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials"},
	    {NULL, "http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"},
	    {NULL, "http://127.0.0.1@example.com/", NULL},
	    {NULL, "file:///etc/passwd", NULL},
	};
	struct cred_environ env = {.value = {NULL}};
	const char *why;
	char url[256];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int r = cred_container_url(t[i].relative, t[i].full, url, sizeof(url), &why);

		ok(t[i].want != NULL ? r == 0 && strcmp(url, t[i].want) == 0 : r == -EINVAL,
		    "container endpoint: %s%s", t[i].relative != NULL ? t[i].relative : t[i].full,
		    t[i].want == NULL ? " is refused" : "");
	}
	cred_sts_url(&env, "eu-west-1", url, sizeof(url));
	is_str(url, "https://sts.eu-west-1.amazonaws.com/", "STS of a region");
	cred_sts_url(&env, "cn-north-1", url, sizeof(url));
	is_str(url, "https://sts.cn-north-1.amazonaws.com.cn/", "STS in China");
}

int
main(void)
{
	test_ini();
	test_time();
	test_json();
	test_xml();
	test_urls();
	return (tap_done());
}

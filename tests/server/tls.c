/* SPDX-License-Identifier: ISC */
/*
 * tls.c -- a self-signed certificate (see tls.h), good as its own CA file for a client.
 */
#include "tests/server/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/server/text.h"

#define VALID_DAYS 30

static int
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	int good;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	good = e != NULL && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return (good);
}

static X509 *
certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name;

	if (x == NULL)
		return (NULL);
	name = X509_get_subject_name(x);
	if (X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), getpid()) &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -86400) &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * VALID_DAYS) &&
	    X509_set_pubkey(x, key) &&
	    X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"s3testd", -1, -1, 0) &&
	    X509_set_issuer_name(x, name) &&
	    add_extension(x, NID_basic_constraints, "critical,CA:TRUE") &&
	    add_extension(x, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost,DNS:*.localhost") &&
	    X509_sign(x, key, EVP_sha256()))
		return (x);
	X509_free(x);
	return (NULL);
}

static int
write_pem(const char *path, EVP_PKEY *key, X509 *x)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), good;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (f == NULL)
		return (-errno);
	good = x ? PEM_write_X509(f, x) : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	if (fclose(f) != 0 || !good)
		return (-EIO);
	return (0);
}

int
tls_make(const char *dir, char **ret_cert_path, char **ret_key_path)
{
	struct text cert = TEXT_EMPTY, key = TEXT_EMPTY;
	EVP_PKEY *pkey = NULL;
	X509 *x = NULL;
	int r = -EIO;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return (-errno);
	text_printf(&cert, "%s/cert.pem", dir);
	text_printf(&key, "%s/key.pem", dir);
	if (access(cert.s, R_OK) == 0 && access(key.s, R_OK) == 0) {
		r = 0;
	} else if ((pkey = EVP_EC_gen("P-256")) != NULL && (x = certificate(pkey)) != NULL) {
		r = write_pem(key.s, pkey, NULL);
		if (r == 0)
			r = write_pem(cert.s, pkey, x);
	}
	X509_free(x);
	EVP_PKEY_free(pkey);
	if (r < 0) {
		text_free(&cert);
		text_free(&key);
		return (r);
	}
	*ret_cert_path = text_take(&cert);
	*ret_key_path = text_take(&key);
	return (0);
}

int
tls_read(const char *path, char **ret_text)
{
	struct text t = TEXT_EMPTY;
	char buf[4096];
	size_t n;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return (-errno);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_add(&t, buf, n);
	fclose(f);
	*ret_text = text_take(&t);
	return (0);
}

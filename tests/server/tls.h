/* SPDX-License-Identifier: ISC */
/*
 * tls.h -- a certificate for 127.0.0.1 and localhost, made on the spot.
 */
#ifndef S3TESTD_TLS_H
#define S3TESTD_TLS_H

/* Make DIR/cert.pem and DIR/key.pem if they are not both there.  -errno. */
int tls_make(const char *dir, char **ret_cert_path, char **ret_key_path);
/* A whole file as text.  -errno. */
int tls_read(const char *path, char **ret_text);

#endif

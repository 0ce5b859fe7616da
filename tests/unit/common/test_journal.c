/* SPDX-License-Identifier: ISC */
/*
 * test_journal.c -- the datagram that a log line becomes; tests/e2e/600-journal.sh has it received.
 */
#include <stdbool.h>
#include <string.h>

#include "common/journal.h"
#include "tests/unit/tap.h"

static char buf[4096];

static const char *
composed(const char *role, const char *id, int err, const char *text, size_t size)
{
	struct journal_line l = {
	    .priority = 4, .err = err, .role = role, .disk = "mail", .id = id, .text = text};

	buf[journal_compose(&l, buf, size)] = '\0';
	return (buf);
}

#define HEAD "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=s3backerd\n"

int
main(void)
{
	const char *text;
	bool whole = true;

	is_str(composed("s3backerd", "", 0, "hello", sizeof(buf)),
	    HEAD "S3B_ROLE=s3backerd\nS3B_DISK=mail\nMESSAGE=hello\n", "a line of s3backerd");
	is_str(composed("uploader.1", "0123", 5, "put failed, will retry: block=812 http=503",
		   sizeof(buf)),
	    HEAD "MESSAGE_ID=0123\nERRNO=5\nS3B_ROLE=uploader.1\nS3B_DISK=mail\n"
		 "MESSAGE=uploader.1: put failed, will retry: block=812 http=503\n"
		 "S3B_BLOCK=812\nS3B_HTTP=503\n",
	    "of a role, with id, errno and what the text says");
	is_str(composed("", "", 0, "a: role=x disk=y ROLE=z _pid=1 a.b=2 c= words=two words k=1",
		   sizeof(buf)),
	    HEAD
	    "S3B_DISK=mail\nMESSAGE=a: role=x disk=y ROLE=z _pid=1 a.b=2 c= words=two words k=1\n"
	    "S3B_C=\nS3B_WORDS=two words k=1\nS3B_K=1\n",
	    "a text cannot say what is ours to say, or what the journal keeps for itself");
	is_str(composed("", "", 0, "k=1 v=2", sizeof(buf)), HEAD "S3B_DISK=mail\nMESSAGE=k=1 v=2\n",
	    "pairs come after a colon");
	for (size_t room = 1; room < 200; room++) {
		text = composed("uploader.1", "0123", 5, "put failed: block=812 http=503", room);
		whole = whole && strlen(text) < room &&
			(*text == '\0' || text[strlen(text) - 1] == '\n');
	}
	ok(whole, "never more than the room there is, never half a field");
	return (tap_done());
}

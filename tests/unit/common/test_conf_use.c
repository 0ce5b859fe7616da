/* SPDX-License-Identifier: ISC */
/*
 * test_conf_use.c -- what programs do with a configuration: its members, options, included
 * files, secrets, and passing it on.
 */
#include "common/cachelayout.h"
#include "common/conf_priv.h"
#include "tests/unit/common/conf_files.h"

static void
test_fields(void)
{
	static const char text[] = "bucket = abc\nblockSize = 64k\nsize = 10g\ntimeout = 5\n"
				   "blockCacheSize = 10m\nuploadLimit = 8m\nflushTo = bucket\n"
				   "blockCacheFile = cache.img\nencrypt = aes256\nreadOnly\n";
	AUTO_FREE char *error = NULL, *path = NULL;
	struct conf *conf = load(text, NULL, &error);

	is_str(error, NULL, "a configuration of many keys");
	if (conf == NULL)
		return;
	is_int(conf->block_size, 65536, "block_size in bytes");
	is_int(conf->size, 10ll << 30, "size in bytes");
	is_int(conf->timeout_us, 5000000, "times in microseconds");
	is_int(conf->cache_size.bytes, 10 << 20, "a size with a suffix is bytes");
	is_int(conf->cache_size.blocks, 0, "and not blocks");
	is_int(conf->upload_limit_bps, 8 << 20, "rates in bits per second, powers of two");
	is_int(conf->flush_to, CONF_FLUSH_TO_BUCKET, "flush_to is the constant of its word");
	is_str(conf->cipher, "AES-256-CBC", "an alias of a cipher becomes the name on the wire");
	is_int(conf->cipher_key_len, 32, "with the length of its key");
	is_int(conf->compress_alg, CONF_COMPRESS_DEFLATE, "encrypt alone compresses, too");
	is_int(conf->compress_level, CONF_LEVEL_DEFAULT, "at the library's level");
	ok(conf->read_only, "a flag alone means yes");
	ok(conf_is_set(conf, CONF_blockSize), "a key that was given is set");
	ok(!conf_is_set(conf, CONF_region), "a default is not");
	if (asprintf(&path, "%s/cache.img", dir) < 0)
		abort();
	is_str(conf->cache_file, path, "a relative path is relative to the file that names it");
	is_int(conf_cache_slots(conf, 65536), 160, "slots of a cache given in bytes");
	is_int(conf_max_dirty_slots(conf, 65536), 160, "without a bound all of it may be dirty");
	is_int(conf_max_transfers(conf, 65536), 512, "64 KiB blocks get 512 transfers");
	is_int(conf_max_transfers(conf, 1 << 20), 128, "1 MiB blocks get 128");
	conf_free(conf);

	/* The enums of conf.h follow the words of the table. */
	is_str(conf_enum_word(CONF_authVersion, CONF_AUTH_AWS2), "aws2", "word of CONF_AUTH_AWS2");
	is_str(conf_enum_word(CONF_authVersion, CONF_AUTH_AWS4), "aws4", "word of CONF_AUTH_AWS4");
	is_str(conf_enum_word(CONF_fence, CONF_FENCE_STRONG), "strong", "CONF_FENCE_STRONG");
	is_str(conf_enum_word(CONF_fence, CONF_FENCE_OFF), "off", "CONF_FENCE_OFF");
	is_str(conf_enum_word(CONF_flushTo, CONF_FLUSH_TO_CACHE), "cache", "CONF_FLUSH_TO_CACHE");
	is_str(conf_enum_word(CONF_sse, CONF_SSE_AES256), "AES256", "CONF_SSE_AES256");
	is_str(conf_enum_word(CONF_sse, CONF_SSE_AWS_KMS), "aws:kms", "CONF_SSE_AWS_KMS");
	is_str(conf_enum_word(CONF_storageClass, 8), "OUTPOSTS", "the last storage class");
	is_str(conf_enum_word(CONF_storageClass, 9), "?", "one more than there are");
}

static void
test_bucket(void)
{
	/* clang-format off */
	static const struct {
		const char	*text, *bucket, *prefix, *dir, *url;
		bool		 vhost;
	} rows[] = {
	    {"bucket = abc", "abc", "", NULL, "https://s3.amazonaws.com/", false},
	    {"bucket = abc/sub/dir", "abc", "sub/dir/", NULL, "https://s3.amazonaws.com/", false},
	    {"bucket = s3://abc/x", "abc", "x/", NULL, "https://s3.amazonaws.com/", false},
	    {"bucket = abc\nprefix = p-", "abc", "p-", NULL, "https://s3.amazonaws.com/", false},
	    {"bucket = abc\nssl = no", "abc", "", NULL, "http://s3.amazonaws.com/", false},
	    {"bucket = abc\nregion = "
	"us-east-1", "abc", "", NULL, "https://s3.amazonaws.com/", true},
	    {"bucket = abc\nregion = eu-west-1", "abc", "", NULL,
		"https://s3.eu-west-1.amazonaws.com/", true},
	    {"bucket = abc\nregion = eu-west-1\nno-vhost", "abc", "", NULL,
		"https://s3.eu-west-1.amazonaws.com/", false},
	    {"bucket = abc\nregion = x\nbaseURL = http://127.0.0.1:9/", "abc", "", NULL,
		"http://127.0.0.1:9/", false},
	    {"bucket = abc\nbaseURL = https://s3.example.com", "abc", "", NULL,
		"https://s3.example.com/", false},
	    {"bucket = abc\nvhost\nbaseURL = https://s3.example.com/", "abc", "", NULL,
		"https://s3.example.com/", true},
	    {"bucket = Old_Bucket", "Old_Bucket", "", NULL, "https://s3.amazonaws.com/", false},
	    {"bucket = file:///srv/disk/", NULL, "", "/srv/disk", NULL, false},
	    {"bucket = file:///srv/disk\nprefix = p", NULL, "p", "/srv/disk", NULL, false},
	    {"bucket = /srv/disk\ntest", NULL, "", "/srv/disk", NULL, false},
	};
	/* clang-format on */

	for (size_t i = 0; i < NELEM(rows); i++) {
		AUTO_FREE char *error = NULL;
		struct conf *conf = load(rows[i].text, NULL, &error);

		is_str(error, NULL, "accepted: %s", rows[i].text);
		if (conf == NULL)
			continue;
		is_str(conf->bucket_name, rows[i].bucket, "its bucket");
		is_str(conf->prefix_full, rows[i].prefix, "its prefix");
		is_str(conf->store_dir, rows[i].dir, "its directory");
		is_str(conf->base_url, rows[i].url, "its URL");
		ok(conf->use_vhost == rows[i].vhost, "bucket in the host name: %d", rows[i].vhost);
		ok(conf->store_is_dir == (rows[i].dir != NULL), "directory or not");
		conf_free(conf);
	}
}

static void
test_overrides(void)
{
	static const char *const some[] = {"rw", "_netdev", "x-systemd.automount", "nofail",
	    "allow_other", "--blockSize=64k", "user", "uid=12", "ro", NULL};
	static const char *const wrong[] = {"timeout=never", NULL};
	static const char *const unknown[] = {"blockCache=5", NULL};
	static const char *const secret[] = {"accessId=a", "accessKey=k", NULL};
	static const char *const only[] = {"bucket=abc", "filename=disk", NULL};
	AUTO_FREE char *error = NULL, *error2 = NULL, *error3 = NULL, *error4 = NULL;
	struct conf *conf = load("bucket = abc\nblockSize = 4k\n", some, &error);

	is_str(error, NULL, "mount options are no keys");
	is_int(conf->block_size, 65536, "an option wins over the file");
	ok(conf->read_only, "ro means readOnly");
	ok(!conf_is_set(conf, CONF_user), "user alone is for mount(8)");
	is_int(conf->file_uid, 12, "uid=12 is the owner of the file");
	conf_free(conf);

	conf = load("bucket = abc\n", wrong, &error2);
	is_str(error2,
	    "-o timeout: \"never\" is not a time (a number with ms, s, m, h or d, such as "
	    "30s)",
	    "a wrong option names itself");
	conf = load("bucket = abc\n", unknown, &error3);
	is_str(error3, "-o blockCache: unknown key (s3backer.conf(5) lists them)",
	    "an unknown option");
	conf = load("bucket = abc\n", secret, &error4);
	is_str(conf_notes(conf)[0], "accessKey on the command line can be seen by every user",
	    "a secret on the command line is noted");
	conf_free(conf);
	free(error4);
	error4 = NULL;
	ok(conf_load(NULL, only, &conf, &error4) == 0, "options alone are a configuration");
	is_str(conf->filename, "disk", "and are read");
	conf_free(conf);

	ok(conf_is_mount_option("noauto"), "noauto is a mount option");
	ok(conf_is_mount_option("x-anything=5"), "x-anything=5 is a mount option");
	ok(conf_is_mount_option("max_read=131072"), "max_read= is a mount option");
	ok(!conf_is_mount_option("user=me"), "user=me is a key");
	ok(!conf_is_mount_option("readOnly"), "readOnly is a key");
	ok(!conf_is_mount_option("netdev"), "netdev is nothing");
}

static void
test_include(void)
{
	AUTO_FREE char *error = NULL, *error2 = NULL, *error3 = NULL, *want = NULL;
	struct conf *conf;

	mkdir("sub", 0700);
	put_file(
	    "sub/more.conf", "blockSize = 8k\nconfigFile = deep.conf\ncacert = ca.pem\n", 0600);
	put_file("sub/deep.conf", "size = 1m\n", 0600);
	conf = load(
	    "bucket = abc\nblockSize = 4k\nconfigFile = sub/more.conf\nsize = 2m\n", NULL, &error);
	is_str(error, NULL, "configFile includes others");
	is_int(conf->block_size, 8192, "what is included later wins");
	is_int(conf->size, 2 << 20, "and loses against what comes after it");
	if (asprintf(&want, "%s/sub/ca.pem", dir) < 0)
		abort();
	is_str(conf->cacert, want, "a path is relative to the included file");
	conf_free(conf);

	put_file("sub/deep.conf", "size = 1m\n# x\nsize = 1x\n", 0600);
	conf = load("bucket = abc\nconfigFile = sub/more.conf\n", NULL, &error2);
	free(want);
	if (asprintf(&want,
		"%s/sub/deep.conf:3: size: \"1x\" is not a size (a number with k, m, g, t, "
		"p or e, such as 128k)",
		dir) < 0)
		abort();
	is_str(error2, want, "an error names the included file and its line");
	free(error2);
	error2 = NULL;
	free(want);
	conf = load("bucket = abc\nconfigFile = t.conf\n", NULL, &error2);
	if (asprintf(&want,
		"%s/t.conf:2: configFile: more than 100 files (does one include itself?)", dir) < 0)
		abort();
	is_str(error2, want, "a file that includes itself");
	free(want);
	conf = load("configFile = none.conf\n", NULL, &error3);
	if (asprintf(&want,
		"t.conf:1: configFile: cannot read %s/none.conf: No such file or directory",
		dir) < 0)
		abort();
	is_str(error3, want, "an included file that is missing");
	free(error3);
	error3 = NULL;
	ok(conf_load("none.conf", NULL, &conf, &error3) == -ENOENT, "a file that is missing");
	is_str(error3, "none.conf: cannot read: No such file or directory", "says so");
	free(error3);
	error3 = NULL;
	ok(conf_load("sub", NULL, &conf, &error3) == -EISDIR, "a directory");
	is_str(error3, "sub: cannot read: Is a directory", "says so");
}

static void
test_secrets(void)
{
	AUTO_FREE char *error = NULL, *env_error = NULL;
	char *read_error = NULL, *want;
	struct conf *conf = NULL;

	put_file("t.conf", "bucket = abc\nencrypt\npassword = hunter2\n", 0644);
	ok(conf_load("t.conf", NULL, &conf, &error) < 0, "a password others can read is refused");
	is_str(error, "t.conf:3: password: others can read or write this file (chmod 600 t.conf)",
	    "with the command to run");
	put_file("t.conf", "bucket = abc\n", 0644);
	free(error);
	ok(conf_load("t.conf", NULL, &conf, &error) == 0, "without a secret it may be readable");
	conf_free(conf);

	put_file("pw", "secret word\r\nmore\n", 0640);
	conf = load("bucket = abc\nencrypt\npasswordFile = pw\n", NULL, &error);
	ok(conf != NULL && conf->password == NULL, "a password file is not read by conf_load()");
	ok(conf_read_secrets(conf, &read_error) == 0, "but by conf_read_secrets()");
	is_str(conf->password, "secret word\r", "the first line, without its newline alone");
	conf_free(conf);
	put_file("pw", "x\n", 0604);
	conf = load("bucket = abc\nencrypt\npasswordFile = pw\n", NULL, &error);
	if (asprintf(&want, "t.conf:3: passwordFile: others can read or write it (chmod 600 %s/pw)",
		dir) < 0)
		abort();
	is_str(error, want, "a password file others can read is refused");
	free(want);
	free(error);
	error = NULL;

	put_file("keys", "# comment\n other\nID1:KEY1\nID2:KEY:2\n", 0600);
	conf = load("bucket = abc\naccessFile = keys\n", NULL, &error);
	ok(conf_read_secrets(conf, &read_error) == 0, "a key file");
	is_str(conf->access_id, "ID1", "the first id of it");
	is_str(conf->access_key, "KEY1", "with its key");
	conf_free(conf);
	conf = load("bucket = abc\naccessFile = keys\naccessId = ID2\n", NULL, &error);
	ok(conf_read_secrets(conf, &read_error) == 0, "a key file and an id");
	is_str(conf->access_key, "KEY:2", "split at the first colon");
	conf_free(conf);
	conf = load("bucket = abc\naccessFile = keys\naccessId = ID3\n", NULL, &error);
	ok(conf_read_secrets(conf, &read_error) < 0, "an id that is not there");
	if (asprintf(&want, "t.conf:2: accessFile: %s/keys has no line ID3:KEY for accessId", dir) <
	    0)
		abort();
	is_str(read_error, want, "says so");
	free(want);
	free(read_error);
	conf_free(conf);

	setenv("S3B_TEST_KEY", "from-env", 1);
	conf = load("bucket = abc\naccessId = a\naccessKeyEnv = S3B_TEST_KEY\n", NULL, &error);
	ok(conf_read_secrets(conf, &env_error) == 0, "a key from the environment");
	is_str(conf->access_key, "from-env", "is read");
	ok(getenv("S3B_TEST_KEY") == NULL, "and taken out, so that no child has it");
	conf_free(conf);
	setenv("HOME", dir, 1);
	put_file(".s3backer_passwd", "HID:HKEY\n", 0600);
	conf = load("bucket = abc\n", NULL, &error);
	ok(conf_read_secrets(conf, &read_error) == 0, "~/.s3backer_passwd is read");
	is_str(conf->access_key, "HKEY", "as the old program did");
	conf_free(conf);
	conf = load("bucket = abc\naccessId =\n", NULL, &error);
	ok(conf_read_secrets(conf, &read_error) == 0 && conf->access_key == NULL,
	    "an empty accessId is anonymous");
	conf_free(conf);
}

static char *
printed(const struct conf *conf)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_print(conf, out);
	fclose(out);
	return (text);
}

static void
test_print_and_send(void)
{
	static const char text[] =
	    "bucket = abc/d\nblockSize = 64k\naccessId = AID\naccessKey = "
	    "SEC#RET%\nencrypt\npassword = pass word\nlogTo = /var/a\\#b\n"
	    "blockCacheFile = /c\nblockCacheThreads = 7\nregion = eu-west-1\n";
	AUTO_FREE char *error = NULL, *shown = NULL, *again = NULL, *live_error = NULL;
	struct conf *conf = load(text, NULL, &error), *child = NULL;
	size_t len;
	char *message;

	is_str(error, NULL, "a configuration to pass on");
	shown = printed(conf);
	ok(strstr(shown, "SEC") == NULL && strstr(shown, "pass word") == NULL,
	    "check-config shows no secret");
	ok(strstr(shown, "\naccessKey = ***\n") != NULL, "but three stars");
	ok(strstr(shown, "\n# timeout = 30s\n") != NULL, "defaults are shown as comments");
	ok(strstr(shown, "blockCacheThreads") == NULL, "keys without effect are not in force");
	is_str(conf_notes(conf)[0],
	    "blockCacheThreads has no effect: transfers are bounded by maxTransfers, not by "
	    "threads",
	    "they are noted");
	child = load(shown, NULL, &error);
	is_str(error, NULL, "what check-config shows is a configuration");
	again = printed(child);
	is_str(again, shown, "that shows the same");
	conf_free(child);

	message = conf_serialize(conf, CONF_S3, &len);
	ok(message != NULL, "a configuration can be sent");
	ok(conf_deserialize(message, len, &child, &live_error) == 0, "and received");
	is_str(child->access_key, "SEC#RET%", "with secrets for an uploader");
	is_str(child->password, "pass word", "exactly");
	is_str(child->prefix_full, "d/", "derived members are there");
	is_str(child->cipher, "AES-128-CBC", "the cipher, too");
	ok(child->use_vhost, "region implies vhost there as well");
	ok(child->cache_file == NULL, "what an uploader does not need is not sent");
	conf_free(child);
	conf_wipe_text(&message, len);

	message = conf_serialize(conf, CONF_CACHE, &len);
	ok(memmem(message, len, "SEC", 3) == NULL && memmem(message, len, "pass", 4) == NULL,
	    "cachemgr gets no secrets");
	ok(conf_deserialize(message, len, &child, &live_error) == 0, "but its part");
	is_int(child->flush_to, CONF_FLUSH_TO_CACHE, "flushTo as worked out");
	conf_free(child);
	conf_wipe_text(&message, len);
	ok(conf_deserialize("bucket=abc\nxyz=1\n", 17, &child, &live_error) == -EPROTO,
	    "a message with an unknown key is refused");
	free(live_error);
	live_error = NULL;
	ok(conf_deserialize("bucket=ab%0", 11, &child, &live_error) == -EPROTO,
	    "and one with a broken escape");
	free(live_error);
	live_error = NULL;

	conf_forget(conf, CONF_CACHE | CONF_MOUNT);
	ok(conf->password == NULL && conf->access_key == NULL, "forgetting wipes the secrets");
	is_int(conf->block_size, 65536, "and keeps the rest");

	ok(conf_set_live(conf, "maxDirtyAge", "10s", &live_error) == 0, "maxDirtyAge can change");
	is_int(conf->max_dirty_age_us, 10000000, "and does");
	ok(conf_set_live(conf, "blockSize", "4k", &live_error) == -EPERM, "blockSize cannot");
	is_str(live_error, "blockSize: cannot change while running (s3backerd restart)", "and why");
	free(live_error);
	ok(conf_set_live(conf, "blockCacheWriteDelay", "1h", &live_error) < 0,
	    "nor what contradicts another key");
	is_int(conf->write_delay_us, 250000, "the old value stays");
	ok(!conf_is_set(conf, CONF_blockCacheWriteDelay), "as a default");
	conf_free(conf);
}

/* After a crash the cache file must be opened as it was made, or its changes are out of reach. */
static void
test_cache_file_keeps_size(void)
{
	static const uint64_t block_sizes[] = {512, 4096, 65536, 1 << 20};
	const char *args[] = {"bucket=bucket", "blockCacheFile=cache.made", NULL};
	unsigned wrong = 0;

	for (unsigned i = 0; i < 4; i++) {
		for (uint64_t n = 8; n < 200000; n += 1 + n / 7) {
			uint64_t size = cache_data_off((uint32_t)n) + n * block_sizes[i];
			FILE *f = fopen("cache.made", "w");
			struct conf *c;
			char *error;

			if (f == NULL || ftruncate(fileno(f), (off_t)size) < 0 ||
			    conf_load(NULL, args, &c, &error) < 0)
				abort();
			fclose(f);
			wrong += conf_cache_slots(c, block_sizes[i]) != n;
			conf_free(c);
		}
	}
	is_int(wrong, 0, "a cache file that is there keeps its number of slots");
	unlink("cache.made");
}

/* What passes the checks as a whole passes them in parts, too. */
static void
test_parts(void)
{
	static const unsigned roles[] = {CONF_S3, CONF_CACHE, CONF_MOUNT};
	AUTO_FREE char *error = NULL, *why = NULL;
	struct conf *conf = load("bucket = abc\nencrypt = camellia-128-cbc\ncompress = no\n"
				 "password = x\n",
			NULL, &error),
		    *part;

	is_str(error, NULL, "a cipher that goes without compression only");
	for (size_t i = 0; i < NELEM(roles) && conf != NULL; i++) {
		size_t len;
		char *message = conf_serialize(conf, roles[i], &len);

		if (conf_deserialize(message, len, &part, &why) == 0)
			conf_free(part);
		is_str(why, NULL, "part %zu of the configuration is one", i);
		conf_wipe_text(&message, len);
	}
	conf_free(conf);
}

int
main(void)
{
	enter_directory();
	test_fields();
	test_bucket();
	test_overrides();
	test_include();
	test_secrets();
	test_print_and_send();
	test_parts();
	test_cache_file_keeps_size();
	leave_directory();
	return (tap_done());
}

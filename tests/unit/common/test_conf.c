/* SPDX-License-Identifier: ISC */
/*
 * test_conf.c -- configuration files: what is read, what is refused, and with which line.
 *
 * Each row is a file t.conf (mode 0600) in an empty directory.  Error lines are compared whole:
 * they are what users act on.
 */
#include "common/conf_priv.h"
#include "tests/unit/common/conf_files.h"

/* clang-format off */
static const struct {
	const char	*text;
	const char	*error;
} bad[] = {
    /* keys */
    {"", "t.conf: bucket: missing (bucket = NAME, NAME/sub/dir or file:///path)"},
    {"bucket = abc\n\nblocksize = 4k\n",
	"t.conf:3: blocksize: unknown key (did you mean blockSize?)"},
    {"bucket = abc\nblokCacheSize = 4k\n",
	"t.conf:2: blokCacheSize: unknown key (did you mean blockCacheSize?)"},
    {"bucket = abc\nwhatever = 4k\n",
	"t.conf:2: whatever: unknown key (s3backer.conf(5) lists them)"},
    {"sls = yes\n", "t.conf:1: sls: unknown key (did you mean ssl?)"},
    {"[disk]\n", "t.conf:1: [disk]: unknown key (s3backer.conf(5) lists them)"},
    {"= 3\n", "t.conf:1: =: no key (KEY = VALUE)"},
    {"password hunter2\n", "t.conf:1: password: no \"=\" (password = VALUE)"},
    {"--erase\n", "t.conf:1: erase: is a command, not a key (s3backerctl erase)"},
    {"--nbd\n", "t.conf:1: nbd: is not offered (the disk is a file; losetup makes a block device "
		"of it)"},
    {"-f\n", "t.conf:1: f: belongs on the command line (s3backerd -f)"},
    {"bucket = a\001c\n", "t.conf:1: control character (plain text)"},
    {"bucket = \\\nabc\nblockSize = \\\n7\n",
	"t.conf:3: blockSize: \"7\" is out of range (512 to 2g)"},

    /* values, by type */
    {"ssl = maybe\n", "t.conf:1: ssl: \"maybe\" is not a switch (yes or no)"},
    {"ssl =\n", "t.conf:1: ssl: \"\" is not a switch (yes or no)"},
    {"bucket\n", "t.conf:1: bucket: needs a value (bucket = VALUE)"},
    {"bucket =\n", "t.conf:1: bucket: needs a value (bucket = VALUE)"},
    {"cacert\n", "t.conf:1: cacert: needs a value (cacert = /path)"},
    {"blockSize = 100000\n", "t.conf:1: blockSize: \"100000\" is not a power of two (64k or 128k)"},
    {"blockSize = 256\n", "t.conf:1: blockSize: \"256\" is out of range (512 to 2g)"},
    {"blockSize = 4g\n", "t.conf:1: blockSize: \"4g\" is out of range (512 to 2g)"},
    {"blockSize = -4k\n", "t.conf:1: blockSize: \"-4k\" is not a size (a number with k, m, g, t, p "
			 "or e, such as 128k)"},
    {"size = 4kk\n", "t.conf:1: size: \"4kk\" is not a size (a number with k, m, g, t, p or e, "
	"such "
		    "as 128k)"},
    {"size = 8e\n", "t.conf:1: size: \"8e\" is too large (less than 8e)"},
    {"size = 99999999999999999999\n", "t.conf:1: size: \"99999999999999999999\" is not a size (a "
				     "number with k, m, g, t, p or e, such as 128k)"},
    {"size = 0\n", "t.conf:1: size: \"0\" is too small (at least 512)"},
    {"timeout = soon\n", "t.conf:1: timeout: \"soon\" is not a time (a number with ms, s, m, h or "
			"d, such as 30s)"},
    {"timeout = 30 s\n", "t.conf:1: timeout: \"30 s\" is not a time (a number with ms, s, m, h or "
			"d, such as 30s)"},
    {"timeout = 2h\n", "t.conf:1: timeout: \"2h\" is out of range (1s to 1h)"},
    {"timeout = 10ms\n", "t.conf:1: timeout: \"10ms\" is out of range (1s to 1h)"},
    {"maxDirtyAge = 999999999d\n",
	"t.conf:1: maxDirtyAge: \"999999999d\" is too long (less than 100000d)"},
    {"uploadLimit = 1m/s\n", "t.conf:1: uploadLimit: \"1m/s\" is not a rate (a number with k, m, "
	"g, "
			    "t, p or e, such as 10m, in bits per second)"},
    {"uploadLimit = 100\n", "t.conf:1: uploadLimit: \"100\" is too small (at least 8k)"},
    {"blockCacheSize = lots\n",
	"t.conf:1: blockCacheSize: \"lots\" is not a number of blocks or a size (a number with k, "
	"m, g, t, p or e, such as 1000 or 10g)"},
    {"maxTransfers = 0\n", "t.conf:1: maxTransfers: \"0\" is out of range (1 to 4096)"},
    {"maxTransfers = 5000\n", "t.conf:1: maxTransfers: \"5000\" is out of range (1 to 4096)"},
    {"readAhead = 0x10\n", "t.conf:1: readAhead: \"0x10\" is not a number (0 to 65536)"},
    {"readAhead = -1\n", "t.conf:1: readAhead: \"-1\" is not a number (0 to 65536)"},
    {"fileMode = 0888\n",
	"t.conf:1: fileMode: \"0888\" is not a mode (octal, such as 0600; at most 0777)"},
    {"fileMode = 4755\n",
	"t.conf:1: fileMode: \"4755\" is not a mode (octal, such as 0600; at most 0777)"},
    {"authVersion = aws3\n", "t.conf:1: authVersion: \"aws3\" is not known (aws2 or aws4)"},
    {"sse = (none)\n", "t.conf:1: sse: \"(none)\" is not known (AES256 or aws:kms)"},
    {"fence = weak\n", "t.conf:1: fence: \"weak\" is not known (auto, strong or off)"},
    {"logLevel = loud\n", "t.conf:1: logLevel: \"loud\" is not known (err, warn, info or debug)"},
    {"ipTOS = fast\n", "t.conf:1: ipTOS: \"fast\" is not a type of service (0 to 255, cs1, af11, "
	"ef, "
		      "lowdelay, throughput, reliability)"},
    {"ipTOS = 256\n", "t.conf:1: ipTOS: \"256\" is not a type of service (0 to 255, cs1, af11, ef, "
		     "lowdelay, throughput, reliability)"},
    {"keyLength = 65\n", "t.conf:1: keyLength: \"65\" is out of range (0 to 64)"},
    {"encrypt =\n", "t.conf:1: encrypt: needs a value after = (or no =)"},

    /* bucket and prefix */
    {"bucket = ab\n", "t.conf:1: bucket: \"ab\" is not a bucket name (3 to 63 lower-case letters, "
		     "digits, - and .)"},
    {"bucket = -abc\n", "t.conf:1: bucket: \"-abc\" is not a bucket name (3 to 63 lower-case "
	"letters, "
		       "digits, - and .)"},
    {"bucket = a..b\n", "t.conf:1: bucket: \"a..b\" is not a bucket name (3 to 63 lower-case "
	"letters, "
		       "digits, - and .)"},
    {"bucket = 10.0.0.1\n", "t.conf:1: bucket: \"10.0.0.1\" is not a bucket name (3 to 63 "
	"lower-case "
			   "letters, digits, - and .)"},
    {"bucket = a b c\n", "t.conf:1: bucket: \"a b c\" is not a bucket name (3 to 63 lower-case "
			"letters, digits, - and .)"},
    {"bucket = My_Bucket\nvhost\n", "t.conf:1: bucket: \"My_Bucket\" is not a bucket name (3 to 63 "
				   "lower-case letters, digits, - and .)"},
    {"bucket = abc/\n",
	"t.conf:1: bucket: empty name between slashes (NAME/sub/dir, without a slash at the end)"},
    {"bucket = abc/d//e\n",
	"t.conf:1: bucket: empty name between slashes (NAME/sub/dir, without a slash at the end)"},
    {"bucket = abc/d/\n",
	"t.conf:1: bucket: empty name between slashes (NAME/sub/dir, without a slash at the end)"},
    {"bucket = abc/d\nprefix = x\n",
	"t.conf:2: prefix: contradicts the sub-directory in bucket (one of the two)"},
    {"bucket = /srv/disk\n",
	"t.conf:1: bucket: \"/srv/disk\" is not a bucket name (file:///path for a directory)"},
    {"bucket = file://srv\n",
	"t.conf:1: bucket: \"file://srv\" is not an absolute path (file:///path)"},
    {"bucket = file:///\n",
	"t.conf:1: bucket: the root directory cannot be the store (file:///path)"},
    {"bucket = abc\ntest\n", "t.conf:1: bucket: \"abc\" is not an absolute path (file:///path)"},
    {"bucket = abc\ntest-errors\n",
	"t.conf:2: test-errors: is for a directory store only (bucket = file:///path)"},

    /* the disk */
    {"bucket = abc\nblockSize = 1m\nsize = 10000k\n",
	"t.conf:3: size: 10000k is not a multiple of blockSize (1m)"},
    {"bucket = abc\nsize = 1000\n", "t.conf:2: size: 1000 is not a multiple of 512"},
    {"bucket = abc\nblockSize = 4k\nsize = 16t\n",
	"t.conf:3: size: 16t in blocks of 4k is more than 2^32 - 1 blocks (blockSize = 8k or larger)"},
    {"bucket = abc\nnoAutoDetect\n", "t.conf:2: noAutoDetect: needs size (size = 100g)"},
    {"bucket = abc\nsharedDiskMode\nblockCacheFile = /c\n",
	"t.conf:3: blockCacheFile: contradicts sharedDiskMode (which caches nothing)"},
    {"bucket = abc\nsharedDiskMode\nblockCacheSize = 5\n",
	"t.conf:3: blockCacheSize: contradicts sharedDiskMode (which caches nothing)"},
    {"bucket = abc\nsharedDiskMode\nfence = strong\n",
	"t.conf:3: fence: strong contradicts sharedDiskMode (fence = auto)"},

    /* the store */
    {"bucket = abc\nbaseURL = s3.example.com\n", "t.conf:2: baseURL: \"s3.example.com\" is not a "
	"URL "
						"(https://HOST/ or http://HOST/)"},
    {"bucket = abc\nbaseURL = https://me:secret@s3.example.com/\n",
	"t.conf:2: baseURL: contains a user name (accessId and accessKey)"},
    {"bucket = abc\nbaseURL = https://\n",
	"t.conf:2: baseURL: \"https://\" has no host (https://HOST/)"},
    {"bucket = abc\nbaseURL = https://h/?x\n", "t.conf:2: baseURL: \"https://h/?x\" has a "
	"character "
					      "that does not belong there (https://HOST/)"},
    {"bucket = abc\nvhost\nno-vhost\n", "t.conf:3: no-vhost: contradicts vhost (one of the two)"},
    {"bucket = abc\nvhost\nbaseURL = http://127.0.0.1:9000/\n",
	"t.conf:2: vhost: a bucket cannot stand before the address 127.0.0.1 (no-vhost)"},
    {"bucket = abc\nvhost\nbaseURL = http://[::1]:9000/\n",
	"t.conf:2: vhost: a bucket cannot stand before the address [::1] (no-vhost)"},
    {"bucket = abc\nssl\nbaseURL = http://h/\n",
	"t.conf:2: ssl: contradicts baseURL (baseURL = https://HOST/)"},
    {"bucket = abc\nregion = Frankfurt!\n",
	"t.conf:2: region: \"Frankfurt!\" is not a region (such as eu-central-1)"},
    {"bucket = abc\nsse-key-id = k\n",
	"t.conf:2: sse-key-id: means nothing without sse (sse = aws:kms)"},
    {"bucket = abc\ninsecure\ncacert = /c\n",
	"t.conf:2: insecure: contradicts cacert (one of the two)"},
    {"bucket = abc\nmaxRetryPause = 100\n", "t.conf:2: maxRetryPause: is shorter than "
					   "initialRetryPause (longer, or 0: never give up)"},
    {"bucket = abc\ninitialRetryPause = 1m\n",
	"t.conf:2: initialRetryPause: is longer than maxRetryPause (less than 30s)"},

    /* credentials */
    {"bucket = abc\naccessId = a\naccessKey = k\naccessKeyEnv = E\n",
	"t.conf:4: accessKeyEnv: contradicts accessKey (one of the two)"},
    {"bucket = abc\naccessKey = k\n", "t.conf:2: accessKey: needs its id (accessId = ID)"},
    {"bucket = abc\naccessKeyEnv = E\n",
	"t.conf:2: accessKeyEnv: needs the id of the key (accessId = ID)"},
    {"bucket = abc\naccessId = a:b\n",
	"t.conf:2: accessId: has a character that no key id has (letters and digits)"},
    {"bucket = abc\naccessId = a\naccessEC2IAM = r\n",
	"t.conf:3: accessEC2IAM: contradicts accessId (one of the two)"},
    {"bucket = abc\nprofile = p\naccessId = a\n",
	"t.conf:2: profile: contradicts accessId (one of the two)"},
    {"bucket = abc\naccessFile = /nowhere/keys\n",
	"t.conf:2: accessFile: cannot read /nowhere/keys: No such file or directory"},

    /* the cache */
    {"bucket = abc\nflushTo = cache\n",
	"t.conf:2: flushTo: cache needs a cache file (blockCacheFile = /path)"},
    {"bucket = abc\nblockCacheFile = /c\nflushTo = cache\nblockCacheSync\n",
	"t.conf:4: blockCacheSync: contradicts flushTo = cache (one of the two)"},
    {"bucket = abc\nblockCacheSync\nblockCacheWriteDelay = 1s\n",
	"t.conf:3: blockCacheWriteDelay: contradicts blockCacheSync (blockCacheWriteDelay = 0)"},
    {"bucket = abc\nblockCacheFile = /c\nblockCacheSize = 0\n",
	"t.conf:3: blockCacheSize: 0 contradicts blockCacheFile (such as 10g)"},
    {"bucket = abc\nblockCacheSize = 100\nblockCacheMaxDirty = 101\n",
	"t.conf:3: blockCacheMaxDirty: is more than the cache holds (at most blockCacheSize)"},
    {"bucket = abc\nblockSize = 1m\nblockCacheSize = 100m\nblockCacheMaxDirty = 101\n",
	"t.conf:4: blockCacheMaxDirty: is more than the cache holds (at most blockCacheSize)"},
    {"bucket = abc\nblockSize = 1m\nblockCacheSize = 4m\n",
	"t.conf:3: blockCacheSize: is less than 8 blocks (a larger cache, or a smaller blockSize)"},
    {"bucket = abc\nmaxDirtyAge = 1\nblockCacheWriteDelay = 2s\n",
	"t.conf:2: maxDirtyAge: is shorter than blockCacheWriteDelay (longer)"},
    {"bucket = abc\nblockCacheWriteDelay = 10m\n",
	"t.conf:2: blockCacheWriteDelay: is longer than maxDirtyAge (less than 5m)"},

    /* compression and encryption */
    {"bucket = abc\ncompress = lzma\n",
	"t.conf:2: compress: \"lzma\" is not known (deflate, zstd, or a level from 1 to 9)"},
    {"bucket = abc\ncompress = 10\n", "t.conf:2: compress: 10 is not a level of deflate (-1 to 9)"},
    {"bucket = abc\ncompress-level = 3\n",
	"t.conf:2: compress-level: means nothing without compress (compress = deflate or zstd)"},
    {"bucket = abc\ncompress\ncompress-level = 19\n",
	"t.conf:3: compress-level: 19 is not a level of deflate (-1 to 9)"},
    {"bucket = abc\ncompress = 9\ncompress-level = 1\n",
	"t.conf:3: compress-level: contradicts the level in compress (compress = deflate)"},
    {"bucket = abc\nencrypt = AES-128-CTR\n",
	"t.conf:2: encrypt: cipher \"AES-128-CTR\" is not known (AES-128-CBC, AES-256-CBC, "
	"AES-256-GCM; others: s3backer.conf(5))"},
    {"bucket = abc\nencrypt = CAMELLIA-256-CBC\n",
	"t.conf:2: encrypt: CAMELLIA-256-CBC with deflate gives blocks that the old program cannot "
	"read (compress = zstd, or compress = no)"},
    {"bucket = abc\nencrypt = AES-256-CBC\nkeyLength = 16\n",
	"t.conf:3: keyLength: 16 is shorter than the key of AES-256-CBC (32 to 64)"},
    {"bucket = abc\npassword = p\n",
	"t.conf:2: password: means nothing without encrypt (encrypt = yes)"},
    {"bucket = abc\nkeyLength = 64\n",
	"t.conf:2: keyLength: means nothing without encrypt (encrypt = yes)"},
    {"bucket = abc\nencrypt\npassword = p\npasswordFile = /p\n",
	"t.conf:4: passwordFile: contradicts password (one of the two)"},

    /* mount, processes */
    {"bucket = abc\nfilename = a/b\n",
	"t.conf:2: filename: \"a/b\" is not a file name (without a slash)"},
    {"bucket = abc\nfilename = stats\n",
	"t.conf:2: filename: is the name of the file with figures, too (another one)"},
    {"bucket = abc\nstatsFilename = file\n",
	"t.conf:2: statsFilename: is the name of the disk's file, too (another one)"},
    {"bucket = abc\nmountPoint = /\n",
	"t.conf:2: mountPoint: the root directory cannot be the mount point (such as /mnt/disk)"},
    {"bucket = abc\nuser = no-such-user\n",
	"t.conf:2: user: no such user: \"no-such-user\" (useradd --system no-such-user)"},
    {"bucket = abc\nmetricsListen = 9100\n",
	"t.conf:2: metricsListen: \"9100\" is not an address (127.0.0.1:PORT or /path)"},
    {"bucket = abc\nmetricsListen = 127.0.0.1:99999\n",
	"t.conf:2: metricsListen: \"127.0.0.1:99999\" is not an address (127.0.0.1:PORT or /path)"},
    {"bucket = abc\nlogTo = log\n",
	"t.conf:2: logTo: \"log\" is not known (auto, stderr, syslog, journal or /path)"},
    {"bucket = abc\ndebug\nquiet\n", "t.conf:3: quiet: contradicts debug (one of the two)"},
    {"bucket = abc\nuploaders = 8\nmaxTransfers = 4\n",
	"t.conf:2: uploaders: more processes than transfers (at most maxTransfers, 4)"},
};

static const struct {
	const char	*text;	/* after "bucket = abc" */
	enum conf_id	 id;
	const char	*value;	/* as conf_value_text() writes it; NULL: none */
} good[] = {
    {"ssl", CONF_ssl, "yes"},
    {"ssl = No", CONF_ssl, "no"},
    {"--insecure", CONF_insecure, "yes"},
    {"-o readOnly", CONF_readOnly, "yes"},
    {"-o size=8k,allow_other,uid=12", CONF_uid, "12"},
    {"-o rw,_netdev,size=8k,uid=12", CONF_size, "8k"},
    {"-osize=8k,ro", CONF_readOnly, "yes"},
    {"-o prefix=a\\,b,uid=12", CONF_prefix, "a,b"},
    {"--rrs", CONF_storageClass, "REDUCED_REDUNDANCY"},
    {"readAheadTrigger = 0", CONF_readAheadTrigger, "0"},
    {"readOnly = TRUE", CONF_readOnly, "yes"},
    {"readOnly = off", CONF_readOnly, "no"},
    {"readOnly = 1", CONF_readOnly, "yes"},
    {"blockSize=128k", CONF_blockSize, "128k"},
    {"--blockSize=128K", CONF_blockSize, "128k"},
    {"blockSize = 131072", CONF_blockSize, "128k"},
    {"blockSize = 128KiB", CONF_blockSize, "128k"},
    {"blockSize = 1MB", CONF_blockSize, "1m"},
    {"blockSize = 65536b", CONF_blockSize, "64k"},
    {"size = 7e", CONF_size, "7e"},
    {"size = 1536", CONF_size, "1536"},
    {"  blockSize\t=\t4k  # comment", CONF_blockSize, "4k"},
    {"#blockSize = 4k", CONF_blockSize, NULL},
    {"blockSize = 4k\r", CONF_blockSize, "4k"},
    {"blockSize = 4k\nblockSize = 8k", CONF_blockSize, "8k"},
    {"blockSize = \\\n    64k", CONF_blockSize, "64k"},
    {"# comment \\\nblockSize = 64k", CONF_blockSize, "64k"},
    {"timeout = 45", CONF_timeout, "45s"},
    {"timeout = 1500ms", CONF_timeout, "1500ms"},
    {"blockCacheWriteDelay = 45", CONF_blockCacheWriteDelay, "45ms"},
    {"blockCacheWriteDelay = 2m", CONF_blockCacheWriteDelay, "2m"},
    {"maxDirtyAge = 90", CONF_maxDirtyAge, "90s"},
    {"maxDirtyAge = 2D", CONF_maxDirtyAge, "48h"},
    {"maxRetryPause = 0", CONF_maxRetryPause, "0"},
    {"maxUploadSpeed = 10m", CONF_maxUploadSpeed, "10m"},
    {"maxUploadSpeed = 0", CONF_maxUploadSpeed, "0"},
    {"blockCacheSize = 1000", CONF_blockCacheSize, "1000"},
    {"blockCacheSize = 10g", CONF_blockCacheSize, "10g"},
    {"blockCacheSize = 1000001b", CONF_blockCacheSize, "1000001b"},
    {"fileMode = 640", CONF_fileMode, "0640"},
    {"readOnly", CONF_fileMode, "0400"},
    {"ipTOS = AF11", CONF_ipTOS, "40"},
    {"ipTOS = 0x20", CONF_ipTOS, "32"},
    {"authVersion = AWS2", CONF_authVersion, "aws2"},
    {"storageClass = GLACIER", CONF_storageClass, "GLACIER"},
    {"sse = aws:kms", CONF_sse, "aws:kms"},
    {"compress-level = -5\ncompress = zstd", CONF_compress_level, "-5"},
    {"compress", CONF_compress, "yes"},
    {"compress = no", CONF_compress, "no"},
    {"compress = 1", CONF_compress, "1"},
    {"encrypt", CONF_encrypt, "yes"},
    {"statsFilename =", CONF_statsFilename, ""},
    {"accessId =", CONF_accessId, ""},
    {"encrypt\npassword = a#b\\c\\\\d", CONF_password, "a#b\\c\\\\d"},
    {"encrypt\npassword = a \\# b=c # comment", CONF_password, "a # b=c"},
    {"encrypt\npassword = \"quoted\"", CONF_password, "\"quoted\""},
    {"prefix = a%b", CONF_prefix, "a%b"},
    {"accessEC2IAM", CONF_accessEC2IAM, "yes"},
    {"accessEC2IAM = role1", CONF_accessEC2IAM, "role1"},
    {"md5CacheTime = 10s", CONF_md5CacheTime, "10s"},
    {"http11", CONF_http11, "yes"},
    {"debug", CONF_logLevel, "debug"},
    {"quiet", CONF_logLevel, "warn"},
    {"debug\nlogLevel = err", CONF_logLevel, "err"},
    {"", CONF_flushTo, "bucket"},
    {"blockCacheFile = /c", CONF_flushTo, "cache"},
    {"blockCacheFile = /c\nflushTo = bucket", CONF_flushTo, "bucket"},
    {"user = root", CONF_user, "root"},
    {"metricsListen = 127.0.0.1:9100", CONF_metricsListen, "127.0.0.1:9100"},
};

/* What must hold without any key but bucket: the table of INTERFACE and the old program. */
static const struct {
	enum conf_id	 id;
	const char	*value;
} defaults[] = {
    {CONF_timeout, "30s"},
    {CONF_initialRetryPause, "200ms"},
    {CONF_maxRetryPause, "30s"},
    {CONF_blockCacheWriteDelay, "250ms"},
    {CONF_blockCacheTimeout, "0"},
    {CONF_blockCacheNumProtected, "0"},
    {CONF_readAhead, "4"},
    {CONF_readAheadTrigger, "2"},
    {CONF_listBlocksThreads, "16"},
    {CONF_region, "us-east-1"},
    {CONF_authVersion, "aws4"},
    {CONF_accessType, "private"},
    {CONF_filename, "file"},
    {CONF_fileMode, "0600"},
    {CONF_statsFilename, "stats"},
    {CONF_statsFileMirrorInterval, "1s"},
    {CONF_maxDirtyAge, "5m"},
    {CONF_drainOnStop, "yes"},
    {CONF_fence, "auto"},
    {CONF_runDir, "/run/s3backer"},
    {CONF_logLevel, "info"},
    {CONF_logTo, "auto"},
    {CONF_readOnly, "no"},
    {CONF_bucket, "abc"},
    {CONF_size, NULL},
    {CONF_blockSize, NULL},
    {CONF_user, NULL},
};
/* clang-format on */

static void
test_tables(void)
{
	for (size_t i = 0; i < NELEM(bad); i++) {
		AUTO_FREE char *error = NULL;
		struct conf *conf = load(bad[i].text, NULL, &error);

		is_str(error, bad[i].error, "refused: %.*s", (int)strcspn(bad[i].text, "\n"),
		    bad[i].text);
		conf_free(conf);
	}
	for (size_t i = 0; i < NELEM(good); i++) {
		AUTO_FREE char *error = NULL, *text = NULL, *value = NULL;
		struct conf *conf;

		if (asprintf(&text, "bucket = abc\n%s\n", good[i].text) < 0)
			abort();
		conf = load(text, NULL, &error);
		if (conf == NULL) {
			is_str(error, NULL, "accepted: %.40s", good[i].text);
			continue;
		}
		value = conf_value_text(conf, good[i].id);
		is_str(value, good[i].value, "%.40s: %s is %s", good[i].text,
		    conf_key_name(good[i].id), good[i].value == NULL ? "absent" : good[i].value);
		conf_free(conf);
	}
	for (size_t i = 0; i < NELEM(defaults); i++) {
		AUTO_FREE char *error = NULL, *value = NULL;
		struct conf *conf = load("bucket = abc\n", NULL, &error);

		value = conf_value_text(conf, defaults[i].id);
		is_str(value, defaults[i].value, "default of %s", conf_key_name(defaults[i].id));
		conf_free(conf);
	}
}

int
main(void)
{
	enter_directory();
	test_tables();
	leave_directory();
	return (tap_done());
}

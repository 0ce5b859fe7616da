#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A table of bad configurations: each stops the start with its one line and exit 1, and leaves
# nothing behind.  CONF stands for the path of the file; lines 1 and 2 of it are good.

LIMIT=90
. "$(dirname "$0")/lib.sh"

mkdir mnt run
conf=$work/t.conf mnt=$work/mnt run=$work/run disk=t

bad() { # bad "LINES" "MESSAGE": by start and by check-config alike
	local want=s3backerd:\ ${2//CONF/$conf} got status
	printf 'bucket = bkt\nmountPoint = %s\n%b\nrunDir = %s\n' "$mnt" "$1" "$run" >"$conf"
	chmod "${mode:-600}" "$conf"
	got=$(timeout 20 s3backerd -c "$conf" start 2>&1)
	status=$?
	is "$status $got" "1 $want" "${1//\\n/; }"
	got=$(s3backerd -c "$conf" check-config 2>&1 >/dev/null)
	status=$?
	[ "$status $got" = "1 $want" ] || is "$status $got" "1 $want" "check-config: ${1//\\n/; }"
}

bad 'blockSiz = 4k' 'CONF:3: blockSiz: unknown key (did you mean blockSize?)'
bad '= x' 'CONF:3: =: no key (KEY = VALUE)'
bad 'blockSize' 'CONF:3: blockSize: needs a value (blockSize = VALUE)'
bad 'blockSize = 5000' 'CONF:3: blockSize: "5000" is not a power of two (4k or 8k)'
bad 'blockSize = 4z' 'CONF:3: blockSize: "4z" is not a size (a number with k, m, g, t, p or e, such as 128k)'
bad 'size = 1000' 'CONF:3: size: 1000 is not a multiple of 512'
bad 'size = 10' 'CONF:3: size: "10" is too small (at least 512)'
bad 'size = 8192p' 'CONF:3: size: "8192p" is too large (less than 8e)'
bad 'size = 100k\nblockSize = 64k' 'CONF:3: size: 100k is not a multiple of blockSize (64k)'
bad '# a comment\n\nsize = 64k \\\n x' 'CONF:5: size: "64k x" is not a size (a number with k, m, g, t, p or e, such as 128k)'
bad 'noAutoDetect' 'CONF:3: noAutoDetect: needs size (size = 100g)'
bad 'bucket = b/' 'CONF:3: bucket: empty name between slashes (NAME/sub/dir, without a slash at the end)'
bad 'bucket = b' 'CONF:3: bucket: "b" is not a bucket name (3 to 63 lower-case letters, digits, - and .)'
bad 'bucket = file://relative' 'CONF:3: bucket: "file://relative" is not an absolute path (file:///path)'
bad 'test' 'CONF:1: bucket: "bkt" is not an absolute path (file:///path)'
bad 'mountPoint = /' 'CONF:3: mountPoint: the root directory cannot be the mount point (such as /mnt/disk)'
bad 'filename = a/b' 'CONF:3: filename: "a/b" is not a file name (without a slash)'
bad 'statsFilename = file' "CONF:3: statsFilename: is the name of the disk's file, too (another one)"
bad 'fileMode = 999' 'CONF:3: fileMode: "999" is not a mode (octal, such as 0600; at most 0777)'
bad 'fence = maybe' 'CONF:3: fence: "maybe" is not known (auto, strong or off)'
bad 'flushTo = cache' 'CONF:3: flushTo: cache needs a cache file (blockCacheFile = /path)'
bad 'blockCacheFile = /x\nblockCacheSize = 0' 'CONF:4: blockCacheSize: 0 contradicts blockCacheFile (such as 10g)'
bad 'blockCacheSize = 4\nblockCacheMaxDirty = 8' 'CONF:4: blockCacheMaxDirty: is more than the cache holds (at most blockCacheSize)'
bad 'sharedDiskMode\nblockCacheFile = /x' 'CONF:4: blockCacheFile: contradicts sharedDiskMode (which caches nothing)'
bad 'maxDirtyAge = 1s\nblockCacheWriteDelay = 2s' 'CONF:3: maxDirtyAge: is shorter than blockCacheWriteDelay (longer)'
bad 'blockCacheSync\nblockCacheWriteDelay = 1s' 'CONF:4: blockCacheWriteDelay: contradicts blockCacheSync (blockCacheWriteDelay = 0)'
bad 'readAhead = -1' 'CONF:3: readAhead: "-1" is not a number (0 to 65536)'
bad 'timeout = 0' 'CONF:3: timeout: "0" is out of range (1s to 1h)'
bad 'timeout = 99x' 'CONF:3: timeout: "99x" is not a time (a number with ms, s, m, h or d, such as 30s)'
bad 'initialRetryPause = 60s' 'CONF:3: initialRetryPause: is longer than maxRetryPause (less than 30s)'
bad 'maxTransfers = 0' 'CONF:3: maxTransfers: "0" is out of range (1 to 4096)'
bad 'uploadLimit = 1' 'CONF:3: uploadLimit: "1" is too small (at least 8k)'
bad 'vhost\nno-vhost' 'CONF:4: no-vhost: contradicts vhost (one of the two)'
bad 'insecure\ncacert = /x' 'CONF:3: insecure: contradicts cacert (one of the two)'
bad 'region = a b' 'CONF:3: region: "a b" is not a region (such as eu-central-1)'
bad 'ssl = perhaps' 'CONF:3: ssl: "perhaps" is not a switch (yes or no)'
bad 'authVersion = aws3' 'CONF:3: authVersion: "aws3" is not known (aws2 or aws4)'
bad 'accessType = nobody' 'CONF:3: accessType: "nobody" is not known (private, public-read, public-read-write or authenticated-read)'
bad 'sse-key-id = x' 'CONF:3: sse-key-id: means nothing without sse (sse = aws:kms)'
bad 'accessKey = x' 'CONF:3: accessKey: needs its id (accessId = ID)'
mode=644 bad 'accessId = a\naccessKey = b' 'CONF:4: accessKey: others can read or write this file (chmod 600 CONF)'
bad 'compress = lzma' 'CONF:3: compress: "lzma" is not known (deflate, zstd, or a level from 1 to 9)'
bad 'encrypt = rot13' 'CONF:3: encrypt: cipher "rot13" is not known (AES-128-CBC, AES-256-CBC, AES-256-GCM; others: s3backer.conf(5))'
bad 'password = x' 'CONF:3: password: means nothing without encrypt (encrypt = yes)'
bad 'keyLength = 16' 'CONF:3: keyLength: means nothing without encrypt (encrypt = yes)'
bad 'metricsListen = nonsense' 'CONF:3: metricsListen: "nonsense" is not an address (127.0.0.1:PORT or /path)'
bad 'logLevel = loud' 'CONF:3: logLevel: "loud" is not known (err, warn, info or debug)'

: >"$conf"
is "$(s3backerd -c "$conf" start 2>&1; echo $?)" \
    "s3backerd: $conf: bucket: missing (bucket = NAME, NAME/sub/dir or file:///path)
1" "an empty file"
rm "$conf"
has "$(s3backerd -c "$conf" start 2>&1; echo $?)" "^s3backerd: $conf: cannot read: No such file" "no file"
echo 'bucket = bkt' >"$conf"
has "$(s3backerd -c "$conf" -o nonsense=2 start 2>&1)" '^s3backerd: -o nonsense: unknown key' \
    "-o is checked as well"
nothing_left "nothing is left"
is "$(ls -A "$mnt")" "" "nor anything in the mount point"

# What is good is printed as it is in force, without secrets.
printf 'bucket = bkt\nmountPoint = %s\nrunDir = %s\naccessId = a\naccessKey = verysecret\n%s' "$mnt" "$run" \
    'size = 1g' >"$conf"
chmod 600 "$conf"
out=$(s3backerd -c "$conf" check-config)
is $? 0 "check-config of a good one: exit 0"
has "$out" '^size = 1g$' "says what is in force"
has "$out" '^accessKey = \*\*\*$' "and no secret"
done_testing

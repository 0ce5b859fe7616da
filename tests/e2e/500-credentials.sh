#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Where keys come from: every source against a stand-in of its endpoint, the order among them, and
# what is said when there are none.  check-config asks each source for real, as start does.

LIMIT=120
. "$(dirname "$0")/lib.sh"

store s3
aws=$url/_aws home=$HOME
mkdir -p "$home/.aws"
write_conf accessId= accessKey=
found() { s3backerd -c "$conf" check-config 2>&1 | grep -F credentials: ; } # found: what it says
set_aws() { adm -X POST "$admin/aws?$1" >/dev/null; }
last() { adm "$admin/aws"; }
profile() { cat >"$home/.aws/$1"; }

# ---- none at all -------------------------------------------------------------------------------
out=$(found)
has "$out" "no keys for the store.*tried environment: no AWS_ACCESS_KEY_ID; shared files: .*web identity: .*container: .*EC2: " \
    "without any keys the line lists what was tried"
out=$(s3backerd -c "$conf" start 2>&1)
is $? 1 "start without keys: exit 1"
has "$out" "no keys for the store.*tried environment" "start says the same"

# ---- environment -------------------------------------------------------------------------------
is "$(AWS_ACCESS_KEY_ID=$ID AWS_SECRET_ACCESS_KEY=$SECRET found)" "# credentials: environment, key $ID" \
    "environment"
is "$(AWS_ACCESS_KEY_ID=$ID found)" \
    "s3backerd: credentials: environment: of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set" \
    "environment: half of it is an error, not a reason to look elsewhere"

# ---- shared files ------------------------------------------------------------------------------
profile credentials <<END
[default]
aws_access_key_id = $ID
aws_secret_access_key = $SECRET
[other]
aws_access_key_id=OTHER
aws_secret_access_key=x
[both]
aws_access_key_id = FIRST
aws_secret_access_key = x
END
profile config <<END
# a comment
[profile both]
aws_access_key_id = SECOND
[profile plain]
aws_access_key_id = PLAIN
aws_secret_access_key = x   # in a config file
[profile role]
role_arn = arn:aws:iam::1:role/r
source_profile = default
role_session_name = sess
duration_seconds = 900
region = eu-central-1
[profile deeper]
role_arn = arn:aws:iam::1:role/deeper
source_profile = role
[profile external]
role_arn = arn:aws:iam::1:role/ext
source_profile = default
external_id = a b&c
[profile denied]
role_arn = arn:aws:iam::1:role/denied
source_profile = default
[profile ring]
role_arn = arn:aws:iam::1:role/a
source_profile = ring2
[profile ring2]
role_arn = arn:aws:iam::1:role/b
source_profile = ring
[profile env]
role_arn = arn:aws:iam::1:role/env
credential_source = Environment
[profile ec2]
role_arn = arn:aws:iam::1:role/ec2
credential_source = Ec2InstanceMetadata
[profile ecs]
role_arn = arn:aws:iam::1:role/ecs
credential_source = EcsContainer
[profile web]
role_arn = arn:aws:iam::1:role/web
web_identity_token_file = $work/web.token
[profile sso]
sso_session = x
[profile process]
credential_process = "$work/keys.sh" one "two three"
[profile liar]
credential_process = echo '{"Version": 1}'
[profile dies]
credential_process = exit 7
END
is "$(found)" "# credentials: profile default, key $ID" "shared files: default"
is "$(AWS_PROFILE=other found)" "# credentials: profile other, key OTHER" "AWS_PROFILE"
is "$(AWS_PROFILE=both found)" "# credentials: profile both, key FIRST" "credentials come before config"
is "$(AWS_PROFILE=plain found)" "# credentials: profile plain, key PLAIN" "keys in the config file"
has "$(AWS_PROFILE=none found)" "no profile none in $home/.aws/credentials or " "a profile that is not there"
is "$(AWS_PROFILE=other AWS_ACCESS_KEY_ID=E AWS_SECRET_ACCESS_KEY=e found)" \
    "# credentials: environment, key E" "the environment comes before AWS_PROFILE"
cp "$home/.aws/credentials" "$work/elsewhere"
is "$(HOME=/nonexistent AWS_SHARED_CREDENTIALS_FILE=$work/elsewhere found)" \
    "# credentials: profile default, key $ID" "AWS_SHARED_CREDENTIALS_FILE"
is "$(HOME=/nonexistent AWS_CONFIG_FILE=$home/.aws/config AWS_PROFILE=plain found)" \
    "# credentials: profile plain, key PLAIN" "AWS_CONFIG_FILE"
chmod o+w "$home/.aws/config"
has "$(found)" "everybody can write $home/.aws/config" "a config file for everybody to write is refused"
chmod o-w "$home/.aws/config"

p() { # p PROFILE: of the configuration
	sed -i '/^profile/d' "$conf"
	echo "profile = $1" >>"$conf"
	found
}
export AWS_ENDPOINT_URL_STS=$aws/sts
is "$(AWS_ACCESS_KEY_ID=E AWS_SECRET_ACCESS_KEY=e p other)" "# credentials: profile other, key OTHER" \
    "profile of the configuration comes before the environment"
has "$(p role)" "^# credentials: profile role, role arn:aws:iam::1:role/r, key ASIATEST[0-9]+, until " \
    "role_arn with source_profile"
has "$(last)" "via=sts role=arn:aws:iam::1:role/r session=sess duration=900$" "with what the profile says"
has "$(p deeper)" "role/deeper, key ASIA" "a role behind a role"
has "$(last)" "^issued=3 .*session=s3backer-[0-9]+ " "took two requests"
set_aws "external=a%20b%26c"
has "$(p external)" "role/ext, key ASIA" "external_id"
set_aws "external="
has "$(p denied)" "refuses role .*AccessDenied: You are not authorized" "a role that is refused"
has "$(p ring)" "source_profile goes in circles" "profiles in circles"
has "$(AWS_ACCESS_KEY_ID=$ID AWS_SECRET_ACCESS_KEY=$SECRET p env)" "role/env, key ASIA" \
    "credential_source = Environment"
has "$(AWS_EC2_METADATA_SERVICE_ENDPOINT=$aws/ec2 p ec2)" "role/ec2, key ASIA" \
    "credential_source = Ec2InstanceMetadata"
has "$(AWS_CONTAINER_CREDENTIALS_FULL_URI=$aws/container/x p ecs)" "role/ecs, key ASIA" \
    "credential_source = EcsContainer"
has "$(p sso)" "uses SSO .credential_process = aws configure export-credentials" "SSO: what to do instead"
echo 'web//token==' >"$work/web.token"
set_aws "web=web//token=="
has "$(p web)" "profile web, role .*role/web, key ASIA" "web_identity_token_file of a profile"
has "$(last)" "via=web role=arn:aws:iam::1:role/web" "by its token, unsigned"

# ---- credential_process ------------------------------------------------------------------------
cat >"$work/keys.sh" <<'END'
#!/bin/sh
echo "$#:$1:$2:$(id -u):$PWD:$(ls /proc/self/fd | wc -l)" >"$0.seen"
echo "a secret on stderr" >&2
echo '{"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "x", "Expiration": "2099-01-01T00:00:00+01:00"}'
END
chmod 755 "$work/keys.sh"
is "$(p process)" "# credentials: profile process, credential_process, key PROCESS, until 20981231T230000Z" \
    "credential_process"
is "$(cut -d: -f1-5 "$work/keys.sh.seen")" "2:one:two three:0:/" "its arguments, its user, its directory"
le "$(cut -d: -f6 "$work/keys.sh.seen")" 5 "it inherits no descriptor but its three"
has "$(p liar)" "profile liar: credential_process: the answer has no AccessKeyId" "output that is none"
has "$(p dies)" "credential_process ended with exit code 7" "a command that fails"
chown nobody "$home/.aws/config" && chmod 777 "$work" && rm "$work/keys.sh.seen"
p process >/dev/null
is "$(cut -d: -f4 "$work/keys.sh.seen")" "$(id -u nobody)" \
    "the command in somebody's file runs as that somebody"
rm -f "$home/.aws/credentials" "$home/.aws/config"
sed -i '/^profile/d' "$conf"

# ---- web identity, containers ------------------------------------------------------------------
web() { AWS_ROLE_ARN=arn:aws:iam::1:role/eks AWS_WEB_IDENTITY_TOKEN_FILE=$1 AWS_ROLE_SESSION_NAME=pod found; }
has "$(web "$work/web.token")" "^# credentials: web identity, role arn:aws:iam::1:role/eks, key ASIA" "web identity"
has "$(last)" "via=web role=arn:aws:iam::1:role/eks session=pod" "with AWS_ROLE_SESSION_NAME"
has "$(web /nonexistent)" "web identity: cannot read /nonexistent" "a token file that is not there"
has "$(AWS_WEB_IDENTITY_TOKEN_FILE=$work/web.token found)" "without AWS_ROLE_ARN" "half of it is an error"
echo wrong >"$work/wrong.token"
has "$(web "$work/wrong.token")" "InvalidIdentityToken" "a token that is refused"

container() { AWS_CONTAINER_CREDENTIALS_FULL_URI=$aws/container/creds found; }
has "$(container)" "^# credentials: container endpoint, key ASIA.*, until " "container endpoint"
set_aws "auth=let//me%3Din"
has "$(container)" "answered 401" "without its authorization"
has "$(AWS_CONTAINER_AUTHORIZATION_TOKEN=let//me=in container)" "container endpoint, key ASIA" "with it"
echo "let//me=in" >"$work/auth.token"
has "$(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$work/auth.token container)" "container endpoint, key ASIA" \
    "with it from a file"
has "$(AWS_CONTAINER_CREDENTIALS_FULL_URI=http://example.com/x found)" "is not a URL of https, or of http on this machine" \
    "keys do not come in the clear from elsewhere"

# ---- EC2 ---------------------------------------------------------------------------------------
ec2() { AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=$aws/ec2 found; }
has "$(ec2)" "^# credentials: EC2 role s3backer-role \(metadata version 2\), key ASIA.*, until " \
    "EC2: version 2, the role is found out"
set_aws imds=1
has "$(ec2)" "metadata version 1" "version 1, where there is nothing else"
set_aws imds=hop
has "$(ec2)" "metadata version 1" "version 1, where the token does not come through"
has "$(AWS_EC2_METADATA_V1_DISABLED=true ec2)" "gives no token .version 2." "unless version 1 is disabled"
echo "accessEC2IAM-IMDSv2" >>"$conf"
has "$(ec2)" "gives no token .version 2." "or accessEC2IAM-IMDSv2 is given"
sed -i /IMDSv2/d "$conf"
set_aws imds=2
has "$(ec2)" "metadata version 2" "a machine that insists on version 2"
echo "accessEC2IAM = s3backer-role" >>"$conf"
has "$(AWS_ACCESS_KEY_ID=E AWS_SECRET_ACCESS_KEY=e ec2)" "EC2 role s3backer-role" \
    "accessEC2IAM comes before the environment"
sed -i 's/^accessEC2IAM.*/accessEC2IAM = other/' "$conf"
has "$(ec2)" "answered 404 .*has this machine a role" "a role that the machine does not have"
sed -i '/^accessEC2IAM/d' "$conf"
has "$(AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1 found)" \
    "EC2: http://127.0.0.1:1 does not answer" "no metadata service"

# ---- a session token in the configuration -------------------------------------------------------
adm --data-binary "TEMP:secret:temporary//token==" "$admin/credential" >/dev/null
write_conf token accessId=TEMP accessKey=secret
out=$(s3backerd -c "$conf" mounted-flag 2>&1)
is $? 1 "a temporary key without its token is refused: $out"
echo "accessToken = temporary//token==" >>"$conf"
out=$(s3backerd -c "$conf" mounted-flag 2>&1)
is $? 0 "with accessToken the store takes it"
is "$(s3backerd -c "$conf" check-config | grep -E '^accessToken|^# credentials')" \
    "$(printf 'accessToken = ***\n# credentials: configuration, key TEMP')" "which is not shown"
write_conf accessId= accessKey=

# ---- and the store takes them ------------------------------------------------------------------
export AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=$aws/ec2
server_reset
out=$(s3backerd -c "$conf" start 2>&1)
is $? 0 "a disk with the keys of a role" || { note "$out" >&2; done_testing; }
has "$out" "credentials: EC2 role s3backer-role .metadata version 2., key ASIA" "start says where they are from"
put "$file" 0 200000 x
stop_disk
ok $? "stop"
is "$(blocks | wc -l)" 4 "four blocks, signed with a session token"
is "$(server_stats signature_failures)" 0 "no signature was wrong"
has "$(cat "$run/log")" 'uploader.[0-9]: credentials: source="EC2 role s3backer-role' "the log says it, too"
done_testing

# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# codebook.sh - what is learned from small files, and the commands about it.

# json KEY: a number of the object on standard input.
json()
{
	sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# records FIRST LAST: small files of JSON with much in common.
records()
{
	awk -v first="$1" -v last="$2" 'BEGIN {
		srand(first)
		for (n = first; n <= last; n++) {
			file = "r" n ".json"
			print "{" >file
			for (i = 0; i < 14; i++) {
				k = int(rand() * 60)
				printf "  \"configuration_entry_%d\": { \"identifier\": \"%d-%d\", \"enabled\": %s, \"description\": \"entry of kind %d\" },\n",
					k, int(rand() * 1000000), n, rand() < .5 ? "true" : "false", k * 7 >file
			}
			print "}" >file
			close(file)
		}
	}'
}

# Bytes of frames stored so far; those of what is being encoded included.
stored()
{
	"$SIGMAFS" sync "$work/mnt"
	"$SIGMAFS" stat --json "$work/mnt" | json frame_stored_bytes
}

codebook()
{
	"$SIGMAFS" codebook "$@"
}

# Small files in frames of their own, as they are when they come one by one.
slowly()
{
	local n
	for ((n = $1; n <= $2; n += 2)); do
		records "$n" $((n + 1))
		"$SIGMAFS" sync "$work/mnt"
	done
}

test_codebook_small_files()
{
	local before after empty
	start
	slowly 1 300
	before=$(stored)
	empty=$(codebook list "$work/mnt")
	same 'no codebooks' "$empty" 'no codebooks'
	codebook train "$work/mnt" | tee "$work/trained"
	grep -q 'codebook 1 saves' "$work/trained" || fail 'nothing was published'
	slowly 301 500
	after=$(($(stored) - before))
	((after * 10 * 300 < before * 8 * 200)) || fail "saved too little: $before, then $after"
	md5sum ./*.json >"$work/sums"
	again
	md5sum -c --quiet "$work/sums"
	codebook list "$work/mnt" | grep -q '^ *1 json .*newest$' || fail 'not listed'
	(($(codebook show "$work/mnt" 1 --json | json frames) > 10)) || fail 'not used'
	finish
	# From the log alone.
	rm store/index.db*
	mount_at store mnt
	cd mnt
	md5sum -c --quiet "$work/sums"
	finish
}

test_codebook_out_and_in()
{
	start
	slowly 1 300
	codebook train . >"$work/trained"
	codebook export . 1 ../one.book
	codebook export --raw "$work/mnt" 1 "$work/one.dict"
	fails 'File exists' codebook export . 1 ../one.book
	fails 'there is no codebook 9' codebook export . 9 ../nine.book
	same 'left behind' "$(ls "$work"/nine* 2>/dev/null)" ''
	codebook import . "$work/one.book"
	codebook import --class=json . "$work/one.dict"
	codebook list . | grep -q '^ *3 json .*newest$' || fail 'not imported'
	finish
	# The same where it is not mounted; what nobody uses is gone.
	same 'retired' "$(codebook list store | grep -c '^ *2 ')" 0
	"$SIGMAFS" mkfs -q other
	codebook import other one.book | grep -q 'codebook 1$' || fail 'no number'
	codebook export other 1 again.book
	cmp one.book again.book
	"$SIGMAFS" check other
}

test_codebook_bad_input()
{
	"$SIGMAFS" mkfs -q store
	fails 'ACTION STORE|DIR' codebook list
	fails "unknown action 'learn'" codebook learn store
	fails 'one argument too many' codebook list store 1
	fails "'0' is no codebook's number" codebook show store 0
	fails "'1x' is no codebook's number" codebook show store 1x
	fails 'there is no codebook 1' codebook show store 1
	fails "is for import" codebook list --class=text store
	fails "is for export" codebook import --raw store x
	fails "cannot import '.*/nothing': No such file" codebook import store nothing
	echo 'no codebook at all' >text
	fails "'.*/text' is neither a codebook nor a dictionary" codebook import store text
	head -c 400 /dev/zero >zero
	printf '\x37\xa4\x30\xec' | dd of=zero conv=notrunc status=none
	fails "damaged" codebook import store zero
	printf 'SIGMABK1' >short
	fails "the codebook in '.*/short' is damaged" codebook import store short
	fails "'elf' is no class that has codebooks" codebook import --class=elf store zero
	fails 'is not a sigmafs store' codebook list .
	fails 'cannot be found' codebook list nowhere
	same 'nothing to learn' "$(codebook train store)" 'nothing to learn from'
	same 'none' "$(codebook list store --json)" '{"version":1,"codebooks":[],"ok":true}'
	"$SIGMAFS" check store
}

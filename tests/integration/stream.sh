# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# stream.sh - sigmafs encode and decode: files, pipes, parts, remains, and what
# is refused.

# A tar of a real tree, which is there wherever something is compiled.
real_tar()
{
	tar --sort=name -C /usr/include -cf "$1" linux
	(($(stat -c %s "$1") > 1000000)) || fail 'no real data'
}

# number KEY FILE: of a line of JSON.
number()
{
	sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$2"
}

test_stream_files()
{
	real_tar in
	chmod 640 in
	touch -d '2001-02-03 04:05:06.789' in
	"$SIGMAFS" encode in -o in.s
	(($(stat -c %s in.s) * 2 < $(stat -c %s in))) || fail 'it is not small'
	"$SIGMAFS" decode in.s -o out
	cmp in out
	for file in in.s out; do
		same "mode of $file" "$(stat -c %a $file)" 640
		same "time of $file" "$(stat -c %y $file)" "$(stat -c %y in)"
	done
	same files "$(find . -mindepth 1 | sort | xargs)" './in ./in.s ./out'
}

test_stream_pipes()
{
	real_tar in
	"$SIGMAFS" encode <in >in.s
	"$SIGMAFS" decode <in.s | cmp - in
	# The input may be a pipe, the output may be one, in all four ways.
	# shellcheck disable=SC2002
	cat in | "$SIGMAFS" encode - | cat | "$SIGMAFS" decode - | cmp - in
	"$SIGMAFS" encode in | "$SIGMAFS" decode -o out
	cmp in out
	# Byte for byte.
	head -c 70000 in >short
	dd if=short bs=1 status=none | "$SIGMAFS" encode |
		dd bs=1 status=none | "$SIGMAFS" decode | cmp - short
	"$SIGMAFS" encode </dev/null | "$SIGMAFS" decode >empty
	same empty "$(stat -c %s empty)" 0
	"$SIGMAFS" encode empty -o empty.s
	"$SIGMAFS" decode empty.s -o empty2
	cmp empty empty2
}

test_stream_options()
{
	real_tar in
	local option size=0
	for option in -j1 -j2 -j0 -j7 --fast --frame=4K --frame=4M \
		--effort=off --effort=fast --effort=small; do
		"$SIGMAFS" encode "$option" -f in -o in.s
		"$SIGMAFS" decode -j3 in.s | cmp - in
		case $option in
		-j*)
			# Workers change nothing but the epoch.
			((size == 0 || size == $(stat -c %s in.s))) ||
				fail "$option: another length"
			size=$(stat -c %s in.s)
			;;
		esac
	done
}

test_stream_holes()
{
	truncate -s 300M sparse
	printf middle | dd of=sparse bs=1 seek=100000000 conv=notrunc status=none
	"$SIGMAFS" encode sparse -o sparse.s
	(($(stat -c %s sparse.s) < 200000)) || fail 'holes take space'
	"$SIGMAFS" decode sparse.s -o out
	cmp sparse out
	(($(stat -c %b out) <= 64)) || fail "blocks: $(stat -c %b out)"
}

test_stream_statistics()
{
	real_tar in
	"$SIGMAFS" encode --stats --json in -o in.s >stats
	same lines "$(wc -l <stats)" 1
	same raw "$(number raw_bytes stats)" "$(stat -c %s in)"
	same stored "$(number stored_bytes stats)" "$(stat -c %s in.s)"
	same frame "$(number frame_bytes stats)" 262144
	same frames "$(number frames stats)" \
		$((($(stat -c %s in) + 262143) / 262144))
	"$SIGMAFS" encode --stats --json in 2>stats2 >in.s2
	same raw "$(number raw_bytes stats2)" "$(stat -c %s in)"
	"$SIGMAFS" decode --stats --json in.s -o out >stats
	same raw "$(number raw_bytes stats)" "$(stat -c %s in)"
	grep -q '^{"missing":\[\],"missing_bytes":0,.*"whole":true' stats
	"$SIGMAFS" encode --stats in -f -o in.s | grep -q '^bytes .*ratio'
	"$SIGMAFS" encode --progress in -f -o in.s 2>progress
	grep -q 'encoded: .*(100 %)' progress || fail "$(cat progress)"
	[[ -z $("$SIGMAFS" encode in -f -o in.s 2>&1) ]] || fail 'it talks'
}

test_stream_range()
{
	real_tar in
	local size from len
	size=$(stat -c %s in)
	"$SIGMAFS" encode in -o in.s
	for from in 0 1 262143 262144 1000000 $((size - 1)) "$size"; do
		for len in 0 1 300000 "$size"; do
			tail -c +$((from + 1)) in | head -c "$len" >wanted || true
			"$SIGMAFS" decode in.s --range "$from:$len" >got
			cmp wanted got || fail "range $from:$len"
		done
	done
	"$SIGMAFS" decode in.s --range 1M: >got
	tail -c +1048577 in | cmp - got
	# Some bytes cost one frame, not all of it.
	"$SIGMAFS" decode in.s --range 1000000:10 -f -o got --stats --json >stats
	same frames "$(number frames stats)" 1
	(($(number read_bytes stats) < 264000)) || fail "$(cat stats)"
	refuses 1 "'in.s' ends before byte" \
		"$SIGMAFS" decode in.s --range $((size + 1)):1
	refuses 2 "'--range' needs OFFSET:LENGTH" \
		"$SIGMAFS" decode in.s --range 5
	refuses 2 "'--range' needs OFFSET:LENGTH" \
		"$SIGMAFS" decode in.s --range :5
	refuses 2 "'--range' needs OFFSET:LENGTH" \
		"$SIGMAFS" decode in.s --range 5:x
	refuses 2 "'--range' needs a file" \
		bash -c "cat in.s | '$SIGMAFS' decode --range 0:1"
	refuses 2 'do not go together' \
		"$SIGMAFS" decode in.s --range 0:1 --salvage
}

# damage FILE OFFSET [COUNT]
damage()
{
	head -c "${3-1}" /dev/zero | tr '\0' 'X' |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

test_stream_salvage()
{
	local size status=0
	bytes 3000000 1 >in
	"$SIGMAFS" encode in -o in.s
	size=$(stat -c %s in.s)
	"$SIGMAFS" decode --salvage in.s -o whole
	cmp in whole
	cp in.s bad
	damage bad 1000000 1000
	refuses 4 "'bad' is damaged" "$SIGMAFS" decode bad -o back
	"$SIGMAFS" decode --salvage bad -o back 2>told || status=$?
	same status "$status" 4
	# Noise: the frame that holds raw byte 999900 or so.
	same 'what is missing' "$(sed 's/.*missing: //' told)" \
		'262144 bytes from byte 786432 on'
	cmp -n 786432 in back
	cmp -i 1048576 in back
	head -c 262144 /dev/zero | cmp - <(tail -c +786433 back | head -c 262144)
	# The same as JSON, and through pipes.
	{ "$SIGMAFS" decode --salvage --json 2>json <bad || true; } | cmp - back
	grep -q '^{"missing":\[{"offset":786432,"bytes":262144}\],' json ||
		fail "$(cat json)"
	# Cut off; without its beginning; both.
	head -c $((size - 1000000)) in.s >bad
	refuses 4 "'bad' is damaged" "$SIGMAFS" decode bad -o back2
	"$SIGMAFS" decode --salvage bad -f -o back 2>told || status=$?
	same status "$status" 4
	grep -q 'the end is missing' told
	cmp -n "$(stat -c %s back)" in back
	(($(stat -c %s back) >= 1750000)) || fail 'too little'
	tail -c +300000 in.s >bad
	"$SIGMAFS" decode --salvage bad -f -o back 2>told || status=$?
	same size "$(stat -c %s back)" 3000000
	cmp -i 600000 in back
	refuses 4 "'bad' is not a stream" "$SIGMAFS" decode bad -o back2
	refuses 4 "'in' is not a stream" "$SIGMAFS" decode in -o back2
	refuses 4 "'in' is not a stream" "$SIGMAFS" decode --salvage in -o back2
}

test_stream_refusals()
{
	echo text >file
	echo other >exists
	"$SIGMAFS" encode file -o file.s
	refuses 1 "'exists' exists; -f replaces it" \
		"$SIGMAFS" encode file -o exists
	refuses 1 "'exists' exists; -f replaces it" \
		"$SIGMAFS" decode file.s -o exists
	refuses 1 "cannot read 'nothing': No such file" \
		"$SIGMAFS" encode nothing -o new
	refuses 1 "cannot read '.': Is a directory" "$SIGMAFS" encode . -o new
	refuses 1 "cannot write '.': Is a directory" "$SIGMAFS" encode file -o .
	refuses 1 "cannot write 'no/where': No such file" \
		"$SIGMAFS" encode file -o no/where
	refuses 1 "cannot write '/dev/full': No space left" \
		"$SIGMAFS" encode file -o /dev/full
	refuses 1 "cannot write '/dev/full': No space left" \
		"$SIGMAFS" decode file.s -o /dev/full
	refuses 2 "unknown option '--nonsense'" "$SIGMAFS" encode --nonsense
	refuses 2 "unknown option '-Z'" "$SIGMAFS" decode -Z
	refuses 2 "'-o' needs a value" "$SIGMAFS" encode file -o
	refuses 2 "too many: 'exists'" "$SIGMAFS" encode file exists
	refuses 2 "too many: 'exists'" "$SIGMAFS" decode file exists
	refuses 2 "'-j' needs a number" "$SIGMAFS" encode -j x file
	refuses 2 "'-j' needs a number" "$SIGMAFS" decode -j 65 file
	refuses 2 "'--frame' needs a size" "$SIGMAFS" encode --frame 1K file
	refuses 2 "'--frame' needs a size" "$SIGMAFS" encode --frame 5M file
	refuses 2 "'--effort' needs off" "$SIGMAFS" encode --effort much file
	refuses 2 "'--json' is for" "$SIGMAFS" encode --json file
	refuses 2 "'--json' is for" "$SIGMAFS" decode --json file
	refuses 1 "'file' is input and output" \
		bash -c "'$SIGMAFS' encode file >>file"
	mkdir locked
	refuses 1 "cannot write 'locked/new': Permission denied" \
		as_nobody "$SIGMAFS" encode file -o locked/new
	# A reader that goes is told, and nothing hangs.
	bytes 3000000 1 >big
	status=0
	"$SIGMAFS" encode big 2>err | head -c 10 >/dev/null || status=$?
	grep -q 'Broken pipe' err || fail "$(cat err)"
}

test_stream_full_disk()
{
	mkdir disk
	mount -t tmpfs -o size=1m none disk
	bytes 3000000 1 >big
	"$SIGMAFS" encode big -o big.s
	fails "cannot write 'disk/out': No space left" \
		"$SIGMAFS" encode big -o disk/out
	fails "cannot write 'disk/out': No space left" \
		"$SIGMAFS" decode big.s -o disk/out
	same files "$(find disk -mindepth 1)" ''
	umount disk
}

has_temporary()
{
	[[ -n $(find . -name '.out.*') ]]
}

test_stream_interrupted()
{
	local pid signal
	mkfifo pipe
	for signal in INT TERM HUP; do
		# Background jobs of a shell ignore SIGINT unless told not to.
		env --default-signal=INT "$SIGMAFS" encode pipe -o out &
		pid=$!
		exec 3>pipe
		bytes 1000000 1 >&3
		until_true has_temporary
		kill -"$signal" "$pid"
		exec 3>&-
		if wait "$pid"; then
			fail 'not interrupted'
		fi
		same files "$(find . -mindepth 1)" './pipe'
	done
}

# A file that grows while it is read: what is decoded is what was there.
test_stream_growing()
{
	bytes 2000000 1 >grows
	(
		for _ in {1..40}; do
			bytes 20000 2 >>grows
			sleep 0.005
		done
	) &
	"$SIGMAFS" encode grows -o grows.s
	wait
	"$SIGMAFS" decode grows.s -o out
	cmp -n "$(stat -c %s out)" grows out
	(($(stat -c %s out) >= 2000000)) || fail 'too little'
}

# peak COMMAND...: its VmHWM, in KiB, behind its own output.
peak()
{
	peak_into peak.out "$@"
	cat peak.out
}

# Bytes of all kinds, in which each step of the encoder finds something to do:
# short cells are what takes most memory.
mixed()
{
	real_tar tar
	head -c 3000000 tar
	awk 'BEGIN {
		split("aa xyz q1", words, " ")
		chance = 1
		for (i = 0; i < 30000; i++) {
			line = i % 10
			for (j = 1; j < 12; j++) {
				chance = chance * 16807 % 2147483647
				line = line "," words[int(chance / 1000) % 3 + 1]
			}
			print line
		}
	}'
	head -c 1000000 "$BASH"
	bytes 800000 1
	tail -c 3000000 tar
}

# within_bar WHAT KIB: not more than 6.2 MB above what the program takes to tell
# its version.
within_bar()
{
	((($2 - none) * 1024 <= 6200000)) || fail "$1: $2 KiB, version: $none"
}

# Whatever the size and the content: below the bar, and what was planned.
test_stream_memory()
{
	local none used planned kind
	mixed >part
	cat part part >in
	none=$(peak "$SIGMAFS" --version | tail -n 1)
	"$SIGMAFS" encode --stats --json part -o part.s >stats
	for kind in columns code zstd store; do
		(($(number "frames_$kind" stats) > 0)) || fail "no $kind"
	done
	used=$(cat in | peak "$SIGMAFS" encode - -o short.s)
	within_bar 'encode, short' "$used"
	# 100 MB and more.
	while (($(stat -c %s in) < 100000000)); do
		cat in in >twice
		mv twice in
	done
	used=$(cat in | peak "$SIGMAFS" encode - -o in.s)
	within_bar 'encode, long' "$used"
	planned=$("$SIGMAFS" encode --plan --json in |
		sed 's/.*"memory_bytes":\([0-9]*\).*/\1/')
	((used * 1024 <= planned)) || fail "$used KiB, planned $planned bytes"
	used=$(cat in.s | peak "$SIGMAFS" decode - -o out)
	within_bar decode "$used"
	cmp in out
	"$SIGMAFS" encode --plan in | grep -q '^memory .* with 1 worker'
	same frames "$("$SIGMAFS" encode --plan --json in |
		sed 's/.*"frames":\([0-9]*\).*/\1/')" \
		$((($(stat -c %s in) + 262143) / 262144))
}

# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2164
#
# lib.sh - what the tests share. $work is the directory of the test, which is
# also the current one; the store is $work/store, the mount point $work/mnt.
work=
pids=()

# CC may have words behind its name.
read -ra compiler <<<"${CC:-cc}"

fail()
{
	echo "fail: $*"
	exit 1
}

# same WHAT GOT WANTED
same()
{
	[[ $2 == "$3" ]] || fail "$1: '$2' instead of '$3'"
}

# The process that holds the store $1.
holder_of()
{
	sed -n 's/^\(process\|pid\) \([0-9]*\).*/\2/p' "$1/lock"
}

# mount_at STORE DIR [ARGUMENT...]
mount_at()
{
	mkdir -p "$2"
	"$SIGMAFS" mount "$@"
	pids+=("$(holder_of "$1")")
}

unmount_at()
{
	"$SIGMAFS" umount "$1"
}

# A fresh store, mounted. Arguments are mount's.
start()
{
	"$SIGMAFS" mkfs -q "$work/store"
	mount_at "$work/store" "$work/mnt" "$@"
	cd "$work/mnt"
}

# Unmounts, and mounts again.
again()
{
	cd "$work"
	unmount_at mnt
	mount_at store mnt "$@"
	cd mnt
}

# Unmounts, and the store has to be sound.
finish()
{
	cd "$work"
	unmount_at mnt
	"$SIGMAFS" check store >check.log || {
		cat check.log
		fail "the store is not sound"
	}
}

daemon_pid()
{
	echo "${pids[-1]}"
}

# Whether nothing of the process $1 runs. What waits for its parent, which may
# take its time, has a zombie as its last thread; a zombie with other threads is
# still ending, and holds its files.
is_gone()
{
	awk '/^State:/ { state = $2 } /^Threads:/ { n = $2 }
		END { exit !(state == "" || (state == "Z" && n <= 1)) }' \
		"/proc/$1/status" 2>/dev/null || [[ ! -d /proc/$1 ]]
}

# until_true COMMAND...: it fails, and is tried again, for minutes: a machine may be
# busy.
until_true()
{
	local end=$((SECONDS + 300))
	until "$@"; do
		((SECONDS < end)) || fail "waited in vain for: $*"
		sleep 0.05
	done
}

# wait_gone PID: the process has ended.
wait_gone()
{
	until_true is_gone "$1"
}

# kill_daemon: as a crash would. What it leaves is a dead mount.
kill_daemon()
{
	local pid
	pid=$(daemon_pid)
	kill -9 "$pid"
	wait_gone "$pid"
}

# Takes away every mount below $work, the topmost first, and whoever serves one.
clean_up()
{
	local dir pid
	cd /
	while read -r dir; do
		timeout 10 "$SIGMAFS" umount "$dir" >/dev/null 2>&1 ||
			umount -l "$dir" 2>/dev/null || true
	done < <(awk -v top="$work/" 'index($5, top) == 1 { print $5 }' \
		/proc/self/mountinfo | tac)
	for pid in "${pids[@]}"; do
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) != sigmafs ]] ||
			kill -9 "$pid" 2>/dev/null || true
	done
}

# picture [CONDITION...]: the state of $work, which a failing command must not
# change.
picture()
{
	# What a dead mount hides is not read.
	{
		find "$work" ! -path "$work/out" ! -path "$work/err" \
			! -path "$work" "$@" -printf '%p %y %m %s %T@ %l\n' \
			2>/dev/null || true
	} | sort
}

# refuses STATUS PATTERN COMMAND...: it fails with STATUS and says why in one
# line that matches PATTERN, says nothing else, and changes nothing in $work. The
# place of damage may be told on a line before that.
refuses()
{
	local status=0 wanted=$1 pattern=$2 before but=()
	shift 2
	# For some seconds after a change a daemon writes to its store by itself.
	if ((${#pids[@]} > 0)) && ! is_gone "$(daemon_pid)"; then
		but=(! -path "$work/store/*")
	fi
	before=$(picture "${but[@]}")
	"$@" >"$work/out" 2>"$work/err" || status=$?
	same "status of $*" "$status" "$wanted"
	same "lines that '$*' says" \
		"$(grep -cv '^sigmafs: damage: ' "$work/err")" 1
	[[ ! -s $work/out ]] || fail "$* printed: $(cat "$work/out")"
	grep -qE -- "$pattern" "$work/err" ||
		fail "$* says: $(cat "$work/err"); wanted: $pattern"
	same "files after $*" "$(picture "${but[@]}")" "$before"
}

# fails PATTERN COMMAND...: of other programs: a status that is not 0, and a
# message that matches.
fails()
{
	local pattern=$1 text
	shift
	if text=$(LC_ALL=C "$@" 2>&1); then
		fail "'$*' succeeds"
	fi
	[[ $text =~ $pattern ]] || fail "'$*' says: $text; wanted: $pattern"
}

# as_nobody COMMAND...: as an ordinary user.
as_nobody()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		env HOME="$work" "$@"
}

# bytes COUNT SEED: the same random bytes each time.
bytes()
{
	"$HELPER" bytes "$1" "$2"
}

# value_of KEY STORE-OR-DIR: a number of sigmafs stat.
value_of()
{
	"$SIGMAFS" stat --json "$2" | sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"
}

# peak_into FILE COMMAND...: its VmHWM, in KiB; 0 where the memory is a sanitizer's,
# which also wants to trace the process itself.
peak_into()
{
	local file=$1
	shift
	if [[ -n ${ASAN_OPTIONS-} ]]; then
		"$@"
		echo 0 >"$file"
	else
		"$HELPER" peak "$file" "$@"
	fi
}

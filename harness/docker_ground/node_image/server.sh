#!/bin/sh
# Looks after the one server that is tested on this node.
#
#     server.sh start COMMAND...     run it in a session of its own, its output at the end of the log
#     server.sh kill | pause | resume     SIGKILL, SIGSTOP, SIGCONT to its whole process group
#     server.sh stop                 SIGTERM, and SIGKILL to what has not ended five seconds later
#     server.sh state                print running, paused or stopped
#
# All are idempotent, and return once /proc shows the new state. The pid file has the process' start time beside its
# number, so that a stranger who got the number later is never signalled. The server is started with preload.so, where
# the image has it, so that its clock can be set without anybody else's.
set -eu
pid_file=/run/splitbrain/server.pid
log_file=/var/log/splitbrain/server.log
preload=/opt/splitbrain/node/preload.so
tries=500
pause_s=0.01

# Sets letter and started: fields 3 and 22 of /proc/PID/stat, empty where there is no such process. The second field is
# the program's name, which may have blanks and brackets in it, so all up to the last bracket is cut off.
look() {
    letter='' started=''
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
    # shellcheck disable=SC2086
    set -- ${line##*) }
    letter=$1 started=${20}
}

# Sets state and pid.
current() {
    state=stopped pid=''
    [ -s "$pid_file" ] || return 0
    read -r number since <"$pid_file"
    look "$number"
    [ "$started" = "$since" ] || return 0
    case $letter in
        Z | X | x) return 0 ;;
        T | t) state=paused ;;
        *) state=running ;;
    esac
    pid=$number
}

# Sends a signal and waits until the state is one of the wanted.
strike() {
    kill -s "$1" -- "-$pid" 2>/dev/null || true
    left=$tries
    while [ "$left" -gt 0 ]; do
        current
        case " $2 " in *" $state "*) return 0 ;; esac
        left=$((left - 1))
        sleep "$pause_s"
    done
    echo "process $pid is still $state after $1" >&2
    return 1
}

start() {
    rm -f "$pid_file"
    setsid "$0" become "$@" </dev/null >>"$log_file" 2>&1 &
    left=$tries
    while [ "$left" -gt 0 ] && [ ! -e "$pid_file" ]; do
        left=$((left - 1))
        sleep "$pause_s"
    done
    [ -e "$pid_file" ] || { echo "the server did not start; see $log_file" >&2; return 1; }
}

verb=$1
shift
case $verb in
    become)
        look $$
        echo "$$ $started" >"$pid_file.new"
        mv "$pid_file.new" "$pid_file"
        [ ! -e "$preload" ] || export LD_PRELOAD="$preload"
        exec "$@"
        ;;
    start)
        current
        [ "$state" != stopped ] || start "$@"
        ;;
    kill)
        current
        [ "$state" = stopped ] || strike KILL stopped
        ;;
    stop)
        current
        [ "$state" = stopped ] || strike TERM stopped 2>/dev/null || strike KILL stopped
        ;;
    pause)
        current
        [ "$state" != running ] || strike STOP "paused stopped"
        ;;
    resume)
        current
        [ "$state" != paused ] || strike CONT "running stopped"
        ;;
    state)
        current
        echo "$state"
        ;;
    *)
        echo "no such verb: $verb" >&2
        exit 2
        ;;
esac

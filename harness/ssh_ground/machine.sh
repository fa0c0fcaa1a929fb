#!/bin/sh
# Prepares a machine for a run and cleans it afterwards; sent there and run as root, verb first.
#
#     machine.sh prepare RUN CHAIN PORT    refuse a machine that is in use, make folders and the chain for cuts
#     machine.sh listen PORT               note which probes reach this machine
#     machine.sh clean CHAIN               end what runs, remove what was made; says "clean" when nothing is left
#
# All that a run makes is below these four folders, and in two chains of the packet filter.
set -eu
code=/opt/splitbrain data=/var/lib/splitbrain log=/var/log/splitbrain run=/run/splitbrain
PATH="$PATH:/usr/sbin:/sbin"

# Takes table, the chain that calls ours, and ours.
chain() {
    iptables -w 5 -t "$1" -N "$3"
    iptables -w 5 -t "$1" -I "$2" -j "$3"
}

unchain() {
    while iptables -w 5 -t "$1" -D "$2" -j "$3" 2>/dev/null; do :; done
    iptables -w 5 -t "$1" -F "$3" 2>/dev/null || true
    iptables -w 5 -t "$1" -X "$3" 2>/dev/null || true
}

verb=$1
shift
case $verb in
    prepare)
        [ "$(id -u)" -eq 0 ] || { echo "not root here; give --sudo, or log in as root" >&2; exit 3; }
        for program in python3 iptables iptables-restore tar setsid bash pkill ping; do
            command -v "$program" >/dev/null || { echo "there is no $program here; install it" >&2; exit 3; }
        done
        if ! mkdir "$code" 2>/dev/null; then
            [ -e "$code/run" ] || { echo "there is a $code here that is none of ours; move it away" >&2; exit 3; }
            echo "in use by the run $(cat "$code/run"); if that is over: splitbrain cleanup --on ssh" >&2
            exit 3
        fi
        echo "$1" >"$code/run"
        rm -rf "$data" "$log" "$run"
        mkdir -p "$data" "$log" "$run/heard"
        unchain filter INPUT "$2"
        unchain raw PREROUTING "$2"
        chain filter INPUT "$2"
        chain raw PREROUTING "$2"
        ;;
    listen)
        setsid sh -c 'echo $$ >/run/splitbrain/listener.pid; exec python3 -I -S "$@"' sh \
            "$code/node/probe_listener.py" "$1" "$run/heard" </dev/null >/dev/null 2>&1 &
        tries=250
        while [ "$tries" -gt 0 ] && [ ! -e "$run/listening" ]; do
            tries=$((tries - 1))
            sleep 0.02
        done
        [ -e "$run/listening" ] || { echo "the probe listener did not start" >&2; exit 1; }
        ;;
    clean)
        [ -e "$code/run" ] || { echo clean; exit 0; }
        [ ! -x "$code/node/server.sh" ] || "$code/node/server.sh" kill || true
        [ ! -s "$run/listener.pid" ] || kill -9 "$(cat "$run/listener.pid")" 2>/dev/null || true
        [ ! -x "$code/node/link_queue.py" ] || pkill -KILL -f "$code/node/link_queue[.]py" || true
        unchain filter INPUT "$1"
        unchain raw PREROUTING "$1"
        rm -rf "$data" "$log" "$run" "$code"
        echo clean
        ;;
    *)
        echo "no such verb: $verb" >&2
        exit 2
        ;;
esac

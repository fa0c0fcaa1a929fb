#!/bin/sh
# What a node's container runs, under Docker's init: it makes the node reachable and breakable, and waits for SSH.
# The server under test is not started here, but over SSH, so that killing it does not end the container.
# Takes SPLITBRAIN_AUTHORIZED_KEY, SPLITBRAIN_CHAIN and SPLITBRAIN_PROBE_PORT from the environment.
set -eu
mkdir -p /root/.ssh /run/sshd /run/splitbrain/heard /var/lib/splitbrain /var/log/splitbrain
chmod 700 /root/.ssh
printf '%s\n' "$SPLITBRAIN_AUTHORIZED_KEY" >/root/.ssh/authorized_keys
python3 -I -S /opt/splitbrain/node/preload_file.py /run/splitbrain/preload make
iptables -w 5 -N "$SPLITBRAIN_CHAIN"
iptables -w 5 -I INPUT -j "$SPLITBRAIN_CHAIN"
iptables -w 5 -t raw -N "$SPLITBRAIN_CHAIN"
iptables -w 5 -t raw -I PREROUTING -j "$SPLITBRAIN_CHAIN"
while :; do
    python3 -I -S /opt/splitbrain/node/probe_listener.py "$SPLITBRAIN_PROBE_PORT" /run/splitbrain/heard || true
    sleep 1
done &
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key </dev/null
# A node that lets SSH in also hears probes. Should it not within ten seconds, probes will tell.
tries=500
while [ "$tries" -gt 0 ] && [ ! -e /run/splitbrain/listening ]; do
    tries=$((tries - 1))
    sleep 0.02
done
exec /usr/sbin/sshd -D -e -f /opt/splitbrain/node/sshd.conf

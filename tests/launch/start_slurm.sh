#!/usr/bin/env bash
# A Slurm of one node on this machine, for the tests. As root; needs the Debian
# packages slurm-wlm and munge.
#
#   tests/launch/start_slurm.sh start DIR    makes DIR, prints SLURM_CONF=...
#   tests/launch/start_slurm.sh stop DIR
#
# Everything is in DIR: configuration, sockets, logs, process ids. Ports are
# free ones, so that another Slurm on the machine is left alone.
set -euo pipefail

command="${1:?start or stop}"
dir="$(realpath -m "${2:?a folder}")"

stop() {
  for daemon in slurmd slurmctld munged; do
    pid_file="$dir/$daemon.pid"
    [ -s "$pid_file" ] || continue
    pid="$(cat "$pid_file")"
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
  done
}

start() {
  if [ "$(id -u)" != 0 ]; then
    echo 'error: only root can start a Slurm for tests' >&2
    exit 2
  fi
  for program in munged slurmctld slurmd sbatch; do
    if ! command -v "$program" >/dev/null && ! [ -x "/usr/sbin/$program" ]; then
      echo "error: $program is missing: apt-get install slurm-wlm munge" >&2
      exit 2
    fi
  done
  export PATH="$PATH:/usr/sbin"
  mkdir -p "$dir"/{state,spool,munge}
  chmod 755 "$dir" "$dir/munge"
  host="$(hostname -s)"
  cores="$(nproc)"
  read -r ctld_port slurmd_port < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for one in sockets:
  one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))')

  # A key and a socket of its own: the machine's munge is left alone.
  dd if=/dev/urandom of="$dir/munge.key" bs=1024 count=1 status=none
  chmod 600 "$dir/munge.key"
  munged --force --key-file="$dir/munge.key" --socket="$dir/munge/socket" \
    --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" \
    --seed-file="$dir/munged.seed"

  cat >"$dir/slurm.conf" <<EOF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmdPort=$slurmd_port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
KillWait=30
SchedulerParameters=sched_interval=1,batch_sched_delay=0,requeue_delay=0
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
EOF
  export SLURM_CONF="$dir/slurm.conf"
  slurmctld -f "$SLURM_CONF"
  slurmd -f "$SLURM_CONF"
  for _ in $(seq 150); do
    if [ "$(sinfo --noheader --format=%T 2>/dev/null | head -n 1)" = idle ]; then
      echo "SLURM_CONF=$SLURM_CONF"
      return
    fi
    sleep 0.2
  done
  echo "error: the node did not come up; see the logs in $dir" >&2
  tail -n 5 "$dir"/slurm*.log >&2 || true
  stop
  exit 1
}

case "$command" in
  start) start ;;
  stop) stop ;;
  *) echo "error: start or stop, not $command" >&2; exit 2 ;;
esac

#!/bin/sh
# One machine of a Ray cluster that is there for one command:
#   node.sh NUMBER COUNT HOST:PORT COMMAND...
# Machine 0 is HOST: it waits for the COUNT - 1 others, runs the command, and ends with its status.
# The others work until machine 0 has been gone for five minutes; when it comes back, they join again.
# All of them have the same RAY_AUTH_TOKEN: 32 characters or more, without which nobody gets in.
set -eu
number=$1 count=$2 head=$3
shift 3
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token
: "${RAY_AUTH_TOKEN:?give all machines of the cluster the same, such as 64 random hexadecimal digits}"

if [ "$number" -gt 0 ]; then
  # Not "ray start --block" alone: it may stay when the rest of its node has ended.
  trap '[ -z "$node" ] || kill -9 "$node"; ray stop --force > /dev/null' EXIT
  trap 'exit 143' TERM
  node='' silent=0
  while [ "$silent" -lt 300 ]; do
    if ! ray health-check --address "$head" > /dev/null 2>&1; then
      pause=5 silent=$((silent + 5))
    else
      pause=30 silent=0
      if [ -z "$node" ] || ! kill -0 "$node" 2> /dev/null; then
        ray start --address="$head" --block > /dev/null &
        node=$!
      fi
    fi
    sleep "$pause" &
    wait $!
  done
  exit 0
fi

ray start --head --port="${head##*:}" > /dev/null
trap 'ray stop > /dev/null' EXIT
python3 - "$count" << 'END'
import sys, time, ray

ray.init("auto", log_to_driver=False, logging_level="error")
for _ in range(300):
    if sum(node["Alive"] for node in ray.nodes()) >= int(sys.argv[1]):
        break
    time.sleep(1)
else:
    print("Not all machines have come within five minutes; going on without them.", file=sys.stderr)
END
"$@"

#!/bin/sh
# Starts workerd so that it does not outlive the process that started it: a workerd left behind
# by a killed parent would keep the port. Called by Miniflare (MINIFLARE_WORKERD_PATH); the pid
# survives `exec`, so the file names workerd itself.
echo "$$" > "$BERTH_WORKERD_PID_FILE"
parent=$PPID
if command -v setpriv > /dev/null 2>&1; then
  # Linux: the kernel does it at once and for nothing.
  exec setpriv --pdeathsig KILL "$BERTH_WORKERD" "$@"
fi
(
  trap '' INT TERM HUP
  while kill -0 "$parent" 2> /dev/null && kill -0 "$$" 2> /dev/null; do sleep 1; done
  kill -9 "$$" 2> /dev/null
) > /dev/null 2>&1 3>&- &
exec "$BERTH_WORKERD" "$@"

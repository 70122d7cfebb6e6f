#!/usr/bin/env bash
# Plays the demo on a terminal of its own and writes what stands on it at the end, with its colours, to a file. Needs tmux.
set -euo pipefail
file=$1
tmux=(tmux -L "tokensync-$$" -f /dev/null)
"${tmux[@]}" new-session -d -x 112 -y 100 "env TERM=xterm-256color bin/demo/demo; ${tmux[*]} wait-for -S over; exec sleep 60"
trap '"${tmux[@]}" kill-server' EXIT
"${tmux[@]}" wait-for over
"${tmux[@]}" capture-pane -e -p -S - >"$file"

#!/usr/bin/env bash
# Measures the commands that have a bound on a private redis-server with a
# million failed jobs, and prints the table of docs/benchmarks.md.
#   JOBS=1000000 bench/scale.sh
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
redis-server --port "$port" --bind 127.0.0.1 --save "" --appendonly no --dir "$dir" >"$dir/log" 2>&1 &
redis=$!
trap 'kill -9 "$redis" 2>/dev/null; wait "$redis" 2>/dev/null || true; rm -rf "$dir"' EXIT
until redis-cli -p "$port" ping >/dev/null 2>&1; do kill -0 "$redis"; done
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$dir/qctl" .
go build -o "$dir/bench" ./bench
"$dir/bench" -redis "redis://127.0.0.1:$port" -jobs "${JOBS:-1000000}" -scale "$dir/qctl"

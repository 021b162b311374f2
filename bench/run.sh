#!/usr/bin/env bash
# Measures qctl against BullMQ and asynq on a private redis-server, all in one
# run, and prints the tables of docs/benchmarks.md.
#   JOBS=50000 ROUNDS=3 bench/run.sh
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
redis-server --port "$port" --bind 127.0.0.1 --save "" --appendonly no --dir "$dir" >"$dir/log" 2>&1 &
redis=$!
trap 'kill -9 "$redis" 2>/dev/null; wait "$redis" 2>/dev/null || true; rm -rf "$dir"' EXIT
until redis-cli -p "$port" ping >/dev/null 2>&1; do kill -0 "$redis"; done
[ -d test/interop/node_modules ] || (cd test/interop && npm ci --silent)
go build -o "$dir/bench" ./bench
(cd bench/asynq && go build -o "$dir/asynq" .)
"$dir/bench" -redis "redis://127.0.0.1:$port" -jobs "${JOBS:-50000}" -compare "${ROUNDS:-3}" -asynq "$dir/asynq"

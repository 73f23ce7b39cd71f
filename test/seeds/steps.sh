# What the scripts of the seeds share. The test gives: TRIVIUM the program, PORT a free port, FOLDER an empty folder,
# UPSTREAM the stub that stands for every provider, SEEN where `$SEEN/last` is the stub's last request as one line of JSON.
set -u
GW="http://127.0.0.1:$PORT"
gateway=''
steps=0

# One line of the stub's last request, and the same of the answer to `ask`.
seen() { curl -sS "$SEEN/last"; }
answer="$FOLDER/answer"

# step NAME COMMAND...: one line of the report. A command that fails fails its step, and the script goes on.
step() {
  name=$1
  shift
  if "$@" >"$FOLDER/step" 2>&1; then echo "ok $name"; else
    echo "not ok $name"
    sed 's/^/# /' "$FOLDER/step" | head -c 2000
    [ -f "$answer" ] && head -c 600 "$answer" | sed 's/^/# answer: /'
    echo
  fi
}

# ask STATUS CURL-ARGUMENTS...: curl as the seed writes it; the answer is kept.
ask() {
  wanted=$1
  shift
  status=$(curl -sS -o "$answer" -w '%{http_code}' "$@")
  [ "$status" = "$wanted" ] || { echo "status $status, expected $wanted"; return 1; }
}

# Whether the last answer, or the stub's last request, holds a text.
told() { grep -qF -- "$1" "$answer" || { echo "not in the answer: $1"; return 1; }; }
untold() { ! grep -qF -- "$1" "$answer" || { echo "in the answer: $1"; return 1; }; }
sent() { seen | grep -qF -- "$1" || { echo "not sent upstream: $1"; seen | head -c 1500; return 1; }; }
unsent() { ! seen | grep -qF -- "$1" || { echo "sent upstream: $1"; return 1; }; }

# start ARGUMENTS...: the seed's command line with the program's name in place of the seed's own; returns when it serves.
start() {
  stop
  rm -f "$FOLDER/banner"
  mkfifo "$FOLDER/banner"
  (cd "$FOLDER" && exec "$TRIVIUM" "$@" --port "$PORT" --data-dir "$FOLDER/data" >"$FOLDER/banner" 2>>"$FOLDER/log") &
  gateway=$!
  KEY=''
  listening=''
  exec 3<"$FOLDER/banner"
  while read -r line <&3; do
    case $line in
      'Page '*) listening=yes ;;
      'API key '*) KEY=$(echo "$line" | sed 's/^API key *//; s/ .*//') ;;
      *'"messages"'* | 'No model can be called'*) break ;;
    esac
  done
  [ -n "$listening" ] || { echo 'not ok the gateway starts'; sed 's/^/# /' "$FOLDER/log" | tail -20; }
}

stop() {
  [ -n "$gateway" ] || return 0
  kill "$gateway" 2>/dev/null
  wait "$gateway" 2>/dev/null
  exec 3<&-
  gateway=''
}
trap stop EXIT

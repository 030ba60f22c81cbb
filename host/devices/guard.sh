# Runs a command that would outlive its parent (an emulator): guard.sh FOLDER COMMAND ...
# The command ends when standard input does, that is, when whoever holds the other end is gone; FOLDER is removed then.
folder=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
command=$!
trap 'kill -TERM "$command" 2>/dev/null' TERM INT HUP
{
  while read -r _; do :; done
  kill -TERM "$command" 2>/dev/null
} <&3 &
watch=$!
exec 3<&-
wait "$command"
status=$?
# A signal that is trapped ends a wait early.
while kill -0 "$command" 2>/dev/null; do
  wait "$command"
  status=$?
done
kill "$watch" 2>/dev/null
rm -rf "$folder"
exit "$status"

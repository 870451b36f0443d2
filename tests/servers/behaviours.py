"""Checks a server against 169 behaviours of KMS, IAM, STS and the tagging API.

    behaviours.py --endpoint http://127.0.0.1:4599 [--only 'grant.*'] [--json]

The caller comes from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and should be an administrator of
the account. The checks make keys, roles and users and leave them behind: they are for servers that are thrown away, not
for AWS. Each check is a function in the folder `behaviours`, states in one line what AWS does by its documentation and API
model, and makes its own keys, so that they run side by side. Needs the packages boto3, cryptography and kyber-py.

Prints a line for each check, `ok ID` or `FAIL ID reason`, and a summary; ends with 0 if all hold, 1 if some do not, and 2
if the server cannot be asked at all.
"""

import argparse
import fnmatch
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_suffix("")))
sys.dont_write_bytecode = True

import checks
from account import Account, Connections

# In the order in which they are run and reported.
GROUPS = ["keys", "crypt", "material", "replicas", "grants", "stores", "identities", "enforcement"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True, help="URL of the server")
    parser.add_argument("--region", default="eu-west-1", help="the Region of the keys (default: %(default)s)")
    parser.add_argument("--other-region", default="us-east-2", help="that of replicas (default: %(default)s)")
    parser.add_argument("--only", metavar="GLOB", default="*", help="run these checks only, such as 'grant.*'")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--threads", type=int, default=8, help="checks at a time (default: %(default)s)")
    return parser.parse_args()


def caller(chosen):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    credentials = tuple(os.environ.get(name) or None for name in names)
    return Account(Connections(chosen.endpoint), chosen.region, chosen.other_region, credentials)


def report(verdict):
    return f"ok   {verdict.id}" if verdict.reason is None else f"FAIL {verdict.id} {verdict.reason}"


def main():
    chosen = arguments()
    for group in GROUPS:
        __import__(group)
    selected = [one for one in checks.CHECKS.values() if fnmatch.fnmatchcase(one.id, chosen.only)]
    if not selected:
        sys.exit(f"no check is named {chosen.only}")
    try:
        account = caller(chosen)
    except Exception as error:
        print(f"cannot ask {chosen.endpoint}: {error}", file=sys.stderr)
        return 2
    verdicts = []
    with ThreadPoolExecutor(chosen.threads) as pool:
        for verdict in pool.map(lambda one: checks.run(one, account), selected):
            verdicts.append(verdict)
            if not chosen.json:
                print(report(verdict), flush=True)
    failed = [verdict for verdict in verdicts if verdict.reason is not None]
    held = len(verdicts) - len(failed)
    if chosen.json:
        listed = [vars(verdict) | {"ok": verdict.reason is None} for verdict in verdicts]
        print(json.dumps({"ok": held, "failed": len(failed), "checks": listed}, indent=1))
    else:
        print(f"{held} of {len(verdicts)} behaviours hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

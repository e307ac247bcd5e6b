#!/usr/bin/env python3
"""Latchkey and other Bot Framework bots with the same dialogue, in one run: rounds in an order that rotates, each case
when the machine is quiet, every answer verified by `latchkey load --kind teams`.

  go build -o latchkey ./cmd/latchkey
  BOTBUILDER='node server.cjs {port} sqlite-full' FLOOR='gofloor serve -addr 127.0.0.1:{port} -store sqlite-full' \\
    .ci/teams-beside.py ./latchkey 5

A peer is a command that serves the dialogue at http://127.0.0.1:{port}/api/messages without authentication; a name in
capitals is what it is called. Each is measured twice: with its answers posted to the connector, and with its answers in
the HTTP response (deliveryMode expectReplies). Prints a line for each case, then medians and ratios to the first peer."""
import json, os, shlex, socket, statistics, subprocess, sys, tempfile, time

latchkey, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
peers = {n: os.environ[n] for n in ('BOTBUILDER', 'FLOOR') if n in os.environ}
PEOPLE = {'BOTBUILDER': 400, 'FLOOR': 2000, 'LATCHKEY': 2000}


def busy():
    f = list(map(int, open('/proc/stat').readline().split()[1:9]))
    return sum(f) - f[3] - f[4]


def quiet(limit=60):
    """Waits until less than a tenth of two cores is busy for a second."""
    end = time.time() + limit
    while time.time() < end:
        a = busy()
        time.sleep(1)
        if busy() - a < 20:
            return True
    return False


def free():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def measure(*args):
    p = subprocess.run([latchkey, 'load', '--kind', 'teams', '--json', '--warm', '100', *args], capture_output=True, text=True)
    if p.returncode:
        sys.exit(p.stderr)
    r = json.loads(p.stdout)
    return {**r['report'], 'disk': r['disk_syncs_s']}


def case(who, how):
    args = ['--people', str(PEOPLE[who])] + (['--in-response'] if how == 'response' else [])
    if who == 'LATCHKEY':
        return measure(*args)
    port = free()
    with tempfile.TemporaryDirectory() as d:
        env = {**os.environ, 'DBFILE': os.path.join(d, 'peer.db')}
        cmd = [os.path.abspath(w) if os.path.exists(w) and not w.startswith('-') else w for w in shlex.split(peers[who].format(port=port, dir=d))]
        s = subprocess.Popen(cmd, env=env, cwd=d, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(300):
                try:
                    socket.create_connection(('127.0.0.1', port)).close()
                    break
                except OSError:
                    time.sleep(0.1)
            return measure(*args, '--against', f'http://127.0.0.1:{port}/api/messages')
        finally:
            s.terminate()
            s.wait()


cases = [(w, h) for h in ('connector', 'response') for w in [*peers, 'LATCHKEY']]
got = {c: [] for c in cases}
for n in range(rounds):
    k = n * 5 % len(cases)
    for who, how in cases[k:] + cases[:k]:
        calm = quiet()
        r = case(who, how)
        got[who, how].append(r)
        print(f"{who:10} {how:9} {r['turns_s']:8.0f} turns/s  p50 {r['p50_ms']:6.1f}  p99 {r['p99_ms']:7.1f} ms  disk {r['disk']:6.0f} syncs/s{'' if calm else '  (the machine was busy)'}", flush=True)
first = next(iter(peers), 'LATCHKEY')
for who, how in cases:
    med = lambda k, w=who: statistics.median(r[k] for r in got[w, how])
    print(f"median {who:10} {how:9} {med('turns_s'):8.0f} turns/s  p99 {med('p99_ms'):7.1f} ms  {med('turns_s') / med('turns_s', first):5.1f} x {first}")

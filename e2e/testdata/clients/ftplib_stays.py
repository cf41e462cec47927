"""Logs in by ftplib, says so, and then says how the server ended the session."""
import ftplib, sys

host, port = sys.argv[1].split(":")
f = ftplib.FTP()
f.connect(host, int(port), timeout=60)
f.login("alice", sys.stdin.readline().rstrip("\n"))
print("in", flush=True)
print("ended", f.getline()[:3], flush=True)

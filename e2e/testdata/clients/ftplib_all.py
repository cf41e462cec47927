"""Does with ftplib all that it can do, in the clear and over TLS; ends with status 0 if all of it was right."""
import ftplib, io, os, ssl, sys

host, port = sys.argv[1].split(":")
here = sys.argv[2]
secret = sys.stdin.readline().rstrip("\n")
big = open(os.path.join(here, "sub/big.bin"), "rb").read()


def tls():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    class Reusing(ftplib.FTP_TLS):
        """Resumes the session of the control connection, as careful servers ask."""

        def ntransfercmd(self, cmd, rest=None):
            conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
            if self._prot_p:
                conn = self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session)
            return conn, size

    return Reusing(context=context)


def fetch(f, name, rest=None):
    out = io.BytesIO()
    f.retrbinary("RETR " + name, out.write, rest=rest)
    return out.getvalue()


for name, f in (("clear", ftplib.FTP()), ("tls", tls())):
    f.connect(host, int(port), timeout=60)
    f.login("alice", secret)
    if name == "tls":
        f.prot_p()
    assert f.mkd(name) == "/" + name
    f.cwd(name)
    assert f.pwd() == "/" + name
    f.storbinary("STOR big.bin", io.BytesIO(big))
    assert f.size("big.bin") == len(big)
    assert fetch(f, "big.bin") == big
    assert fetch(f, "big.bin", 1000003) == big[1000003:]
    f.storbinary("STOR resumed", io.BytesIO(big[:500]))
    f.storbinary("APPE resumed", io.BytesIO(big[500:900]))
    f.storbinary("STOR resumed", io.BytesIO(big[900:]), rest=900)
    assert fetch(f, "resumed") == big
    f.storlines("STOR lines", io.BytesIO(b"one\r\ntwo\r\n"))
    lines = []
    f.retrlines("RETR lines", lines.append)
    assert lines == ["one", "two"], lines
    assert fetch(f, "lines") == b"one\ntwo\n"
    assert sorted(f.nlst()) == ["big.bin", "lines", "resumed"], f.nlst()
    facts = dict(f.mlsd(facts=["type", "size", "perm"]))
    assert facts["big.bin"]["type"] == "file" and facts["big.bin"]["size"] == str(len(big)), facts
    long = []
    f.dir(long.append)
    assert len(long) == 3 and all("alice" in line for line in long), long
    f.set_pasv(False)
    assert fetch(f, "lines") == b"one\ntwo\n"
    f.set_pasv(True)
    f.rename("lines", "renamed")
    assert f.sendcmd("MDTM renamed")[:3] == "213"
    assert f.voidcmd("NOOP")[:1] == "2"
    conn = f.transfercmd("RETR big.bin")
    conn.recv(1000)
    assert f.abort()[:3] in ("226", "426"), "abort"
    conn.close()
    assert f.getmultiline()[:3] == "226"  # that of ABOR
    for left in ("big.bin", "resumed", "renamed"):
        f.delete(left)
    f.cwd("..")
    f.rmd(name)
    try:
        f.cwd(name)
        raise SystemExit("the folder is still there")
    except ftplib.error_perm as e:
        assert str(e)[:3] == "550", e
    f.quit()
    print(name, "done")

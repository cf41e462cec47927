"""Logs in with slixmpp, says which address was bound, pings the server, sends itself a message."""
import asyncio
import logging
import ssl
import sys

import slixmpp

jid, host, port, direct, mech = sys.argv[1:6]
password = sys.stdin.readline().rstrip("\n")
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)


if mech.startswith("SCRAM"):
    # slixmpp 1.8 knows the binding tls-unique alone, which TLS 1.3 does not have, and claims with
    # the flag y that the server offers none; without a binding it is honest.
    ssl.SSLObject.get_channel_binding = lambda self, cb_type="tls-unique": None


class Client(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(jid, password, sasl_mech=mech or None)
        self.ssl_context = ssl.create_default_context()
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        self.register_plugin("xep_0199")
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("failed_all_auth", lambda _: self.over("failed"))
        self.add_event_handler("message", self.message)
        self.done = asyncio.get_event_loop().create_future()

    def over(self, word):
        if not self.done.done():
            self.done.set_result(word)

    async def started(self, _):
        print("bound", self.boundjid.full, flush=True)
        self.send_presence()
        try:
            await self["xep_0199"].ping("example.org", timeout=5)
            print("ping", flush=True)
        except Exception as e:  # tells the test
            print("no ping", e, flush=True)
        self.send_message(mto=self.boundjid.full, mbody="<&> ä 漢字")

    def message(self, msg):
        print("message", msg["from"], msg["body"], flush=True)
        self.over("ok")


async def main():
    c = Client()
    c.connect((host, int(port)), use_ssl=direct == "direct", force_starttls=direct != "direct", disable_starttls=direct == "direct")
    try:
        print(await asyncio.wait_for(c.done, 15), flush=True)
    except asyncio.TimeoutError:
        print("timeout", flush=True)
    gone = c.disconnect(wait=2.0)
    if gone is not None:
        await asyncio.wait_for(asyncio.shield(gone), 5)
    print("gone", flush=True)


asyncio.get_event_loop().run_until_complete(main())

"""Two slixmpp clients subscribe to each other, see presence, and one removes the other."""
import asyncio
import logging
import ssl
import sys

import slixmpp

host, port = sys.argv[1:3]
password = sys.stdin.readline().rstrip("\n")
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid):
        super().__init__(jid, password, sasl_mech="PLAIN")
        self.ssl_context = ssl.create_default_context()
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        self.ready = asyncio.Event()
        self.saw = asyncio.Queue()
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("got_online", lambda p: self.saw.put_nowait("sees " + str(p["from"])))
        self.add_event_handler("got_offline", lambda p: self.saw.put_nowait("misses " + str(p["from"])))
        self.connect((host, int(port)), use_ssl=True, disable_starttls=True)

    async def started(self, _):
        await self.get_roster()
        self.send_presence()
        self.ready.set()

    async def wait(self, what):
        while await asyncio.wait_for(self.saw.get(), 10) != what:
            pass
        print(self.boundjid.user, what, flush=True)


async def main():
    alice, bob = Client("alice@example.org/a"), Client("bob@example.org/b")
    await asyncio.wait_for(asyncio.gather(alice.ready.wait(), bob.ready.wait()), 15)
    alice.send_presence_subscription(pto="bob@example.org")  # slixmpp says yes and asks back
    await alice.wait("sees bob@example.org/b")
    await bob.wait("sees alice@example.org/a")
    print(alice.client_roster["bob@example.org"]["subscription"], bob.client_roster["alice@example.org"]["subscription"], flush=True)
    alice.del_roster_item("bob@example.org")
    await bob.wait("misses alice@example.org/a")
    for c in alice, bob:
        gone = c.disconnect(wait=2.0)
        if gone is not None:
            await asyncio.wait_for(asyncio.shield(gone), 5)


asyncio.get_event_loop().run_until_complete(main())

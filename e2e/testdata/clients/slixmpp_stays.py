"""Logs in by slixmpp, is available, says so, and then says how the server ended the stream."""
import asyncio, ssl, sys
import slixmpp

host, port = sys.argv[1].split(":")


class Client(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__("alice@localhost/phone", sys.stdin.readline().rstrip("\n"))
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        self.end_session_on_disconnect = True
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("stream_error", lambda e: print("ended", e["condition"], flush=True) or self.done.set())
        self.done = asyncio.Event()

    async def start(self, _):
        await self.get_roster()
        self.send_presence(pshow="away", ppriority=7)
        print("in", flush=True)


async def main():
    c = Client()
    c.connect((host, int(port)))
    await asyncio.wait_for(c.done.wait(), 60)


asyncio.get_event_loop().run_until_complete(main())

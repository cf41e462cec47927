"""Two slixmpp clients: device lists of OMEMO by personal eventing, private data, and an avatar."""
import asyncio
import logging
import ssl
import sys
from xml.etree import ElementTree as ET

import slixmpp
from slixmpp.exceptions import IqError

host, port = sys.argv[1:3]
password = sys.stdin.readline().rstrip("\n")
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
OLD = "eu.siacs.conversations.axolotl.devicelist"
NEW = "urn:xmpp:omemo:2:devices"
MDS = "urn:xmpp:mds:displayed:0"


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, *wishes):
        super().__init__(jid, password, sasl_mech="PLAIN")
        self.ssl_context = ssl.create_default_context()
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        for plugin in "xep_0030", "xep_0004", "xep_0060", "xep_0115", "xep_0163", "xep_0084", "xep_0059":
            self.register_plugin(plugin)
        self.wishes = wishes
        self.ready = asyncio.Event()
        self.events = asyncio.Queue()
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("pubsub_publish", self.published)
        self.connect((host, int(port)), use_ssl=True, disable_starttls=True)

    async def started(self, _):
        for node in self.wishes:
            self["xep_0163"].add_interest(node)
        await self["xep_0115"].update_caps()
        await self.get_roster()
        self.send_presence()
        self.ready.set()

    def published(self, msg):
        items = msg["pubsub_event"]["items"]
        for item in items["substanzas"]:  # not the iterator, of which there is one, and slixmpp has it
            payload = item["payload"]
            ids = [d.get("id") for d in payload] if payload is not None else []
            self.events.put_nowait(f"{msg['from'].bare} {items['node']} {item['id']} {','.join(ids)}")

    async def wait(self, what):
        while True:
            got = await asyncio.wait_for(self.events.get(), 10)
            if got == what:
                print(self.boundjid.user, "hears", got, flush=True)
                return


def devices(ns, *ids):
    name, child = ("list", "device") if ns == "eu.siacs.conversations.axolotl" else ("devices", "device")
    el = ET.Element(f"{{{ns}}}{name}")
    for i in ids:
        ET.SubElement(el, f"{{{ns}}}{child}", id=i)
    return el


def options(client, **fields):
    form = client["xep_0004"].make_form(ftype="submit")
    form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    for k, v in fields.items():
        form.add_field(var="pubsub#" + k, value=v)
    return form


async def main():
    alice = Client("alice@example.org/a", OLD, NEW)
    bob = Client("bob@example.org/b", OLD, NEW)
    await asyncio.wait_for(asyncio.gather(alice.ready.wait(), bob.ready.wait()), 15)
    info = await alice["xep_0030"].get_info(jid="alice@example.org")
    print("pep", ("pubsub", "pep", None, None) in info["disco_info"]["identities"],
          "http://jabber.org/protocol/pubsub#publish-options" in info["disco_info"]["features"], flush=True)
    pub = alice["xep_0060"].publish
    me = "alice@example.org"
    # With a stranger: the list is open, so that a first message can be encrypted.
    await pub(me, OLD, id="current", payload=devices("eu.siacs.conversations.axolotl", "1", "2"), options=options(alice, access_model="open"))
    await alice.wait(f"{me} {OLD} current 1,2")
    got = await bob["xep_0060"].get_items(me, OLD)
    print("bob reads", [d.get("id") for i in got["pubsub"]["items"] for d in i["payload"]], flush=True)
    # The form of today, after both know each other.
    alice.send_presence_subscription(pto="bob@example.org")
    await bob.wait(f"{me} {OLD} current 1,2")
    await pub(me, NEW, id="current", payload=devices("urn:xmpp:omemo:2", "7"), options=options(alice, access_model="open"))
    await bob.wait(f"{me} {NEW} current 7")
    # Bundles: one item for each device.
    for device in "7", "8":
        await pub(me, "urn:xmpp:omemo:2:bundles", id=device, payload=ET.Element("{urn:xmpp:omemo:2}bundle"),
                  options=options(alice, max_items="max", access_model="open"))
    got = await bob["xep_0060"].get_items(me, "urn:xmpp:omemo:2:bundles")
    print("bundles", [i["id"] for i in got["pubsub"]["items"]], flush=True)
    # Private data.
    await pub(me, MDS, id="bob@example.org", payload=ET.Element(f"{{{MDS}}}displayed"),
              options=options(alice, persist_items="true", max_items="max", send_last_published_item="never", access_model="whitelist"))
    try:
        await bob["xep_0060"].get_items(me, MDS)
        print("bob reads private data", flush=True)
    except IqError as e:
        print("private", e.condition, flush=True)
    # An avatar.
    await alice["xep_0084"].publish_avatar(b"png")
    got = await bob["xep_0060"].get_items(me, "urn:xmpp:avatar:data")
    print("avatar", len(got["pubsub"]["items"]), flush=True)
    # Another client of alice's comes, and hears of what was published last.
    second = Client("alice@example.org/second", OLD, NEW)
    await second.wait(f"{me} {NEW} current 7")
    for c in alice, bob, second:
        gone = c.disconnect(wait=2.0)
        if gone is not None:
            await asyncio.wait_for(asyncio.shield(gone), 5)


asyncio.get_event_loop().run_until_complete(main())

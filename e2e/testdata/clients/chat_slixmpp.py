"""Two people who chat by slixmpp. argv: host:port of the server, host:port of a way to it that
whoever runs this cuts when it reads "cut"; the password comes by stdin. Each step prints a line."""
import asyncio, hashlib, ssl, sys
import xml.etree.ElementTree as ET

import slixmpp
from slixmpp.exceptions import IqError

server, cable = [a.split(":") for a in sys.argv[1:3]]
password = sys.stdin.readline().rstrip("\n")
ALICE, BOB = "alice@localhost", "bob@localhost"
TEXT = "grüße <&> \u2603"
DEVICES = "eu.siacs.conversations.axolotl.devicelist"  # OMEMO, XEP-0384 0.3
LIMIT = 30

# slixmpp 1.8 knows the channel binding tls-unique alone, which TLS 1.3 does not have; without any
# it takes SCRAM-SHA-256 honestly.
ssl.SSLObject.get_channel_binding = lambda self, cb_type="tls-unique": None


def step(*words):
    print(*words, flush=True)


class Person(slixmpp.ClientXMPP):
    def __init__(self, jid):
        super().__init__(jid, password, sasl_mech="SCRAM-SHA-256")
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        for n in ("0030", "0184", "0191", "0198", "0199", "0280", "0313", "0359", "0060", "0163", "0115", "0084"):
            self.register_plugin("xep_" + n)
        self["xep_0163"].add_interest([DEVICES, "urn:xmpp:avatar:metadata"])
        self["xep_0060"].map_node_event(DEVICES, "devices")
        self.log = {}
        for event in ("session_start", "session_resumed", "message", "message_error", "presence_available", "presence_unavailable",
                      "receipt_received", "carbon_received", "carbon_sent", "disconnected", "sm_enabled", "blocked", "failed_all_auth",
                      "devices_publish", "avatar_metadata_publish"):
            self.add_event_handler(event, lambda x, e=event: self.queue(e).put_nowait(x))

    def queue(self, event):
        return self.log.setdefault(event, asyncio.Queue())

    async def until(self, event, right=lambda x: True):
        async def first():
            while True:
                x = await self.queue(event).get()
                if right(x):
                    return x
        try:
            return await asyncio.wait_for(first(), LIMIT)
        except asyncio.TimeoutError:
            raise SystemExit(f"{self.boundjid}: no {event}")

    async def log_in(self, way=server, carbons=True, priority=0):
        self.connect((way[0], int(way[1])))
        await self.until("session_start")
        await self.until("sm_enabled")
        await self.get_roster()
        if carbons:
            await self["xep_0280"].enable()
        self.send_presence(ppriority=priority)
        await self.until("presence_available", lambda p: p["from"] == self.boundjid)

    async def log_out(self):
        # XEP-0198 section 4 recommends it, as what is not acknowledged waits for the next log-in.
        self["xep_0198"].send_ack()
        await asyncio.wait_for(self.disconnect(), LIMIT)

    def says(self, to, text, receipt=False):
        m = self.make_message(mto=to, mbody=text, mtype="chat")
        m["id"] = self.new_id()
        m["request_receipt"] = receipt
        m.send()
        return m["id"]

    async def hears(self, text):
        return await self.until("message", lambda m: m["body"] == text)

    async def archive(self, peer):
        found = []
        r = await self["xep_0313"].retrieve(with_jid=peer, timeout=LIMIT)
        for m in r["mam"]["results"]:
            inner = m["mam_result"]["forwarded"]["stanza"]
            found.append((m["mam_result"]["id"], inner["from"].bare, inner["body"] or inner["receipt"] and "receipt"))
        return found


async def main():
    alice, bob = Person(ALICE + "/one"), Person(BOB + "/two")
    await alice.log_in(way=cable)
    await bob.log_in()
    step("in", alice["feature_mechanisms"].mech.name)

    alice.send_presence(pto=BOB, ptype="subscribe")  # slixmpp grants it and asks back by itself
    await alice.until("presence_available", lambda p: p["from"].bare == BOB)
    await bob.until("presence_available", lambda p: p["from"].bare == ALICE)
    await alice.get_roster()
    assert alice.client_roster[BOB]["subscription"] in ("to", "both"), alice.client_roster[BOB]
    step("roster")

    sent = alice.says(BOB, TEXT, receipt=True)
    m = await bob.hears(TEXT)
    assert m["from"] == alice.boundjid and m["id"] == sent, m
    assert m["stanza_id"]["by"] == BOB and m["stanza_id"]["id"], m
    r = await alice.until("receipt_received")
    assert r["receipt"] == sent and r["from"] == bob.boundjid, r
    m.reply("back").send()
    await alice.hears("back")
    step("chat and receipt")

    second = Person(BOB + "/tablet")
    await second.log_in(priority=-1)
    alice.says(bob.boundjid.full, "copied")
    copy = await second.until("carbon_received")
    inner = copy["carbon_received"]
    assert inner["body"] == "copied" and inner["from"] == alice.boundjid, copy
    bob.says(ALICE, "sent by my other client")
    copy = await second.until("carbon_sent")
    assert copy["carbon_sent"]["body"] == "sent by my other client" and copy["carbon_sent"]["to"].bare == ALICE, copy
    await alice.hears("sent by my other client")
    await second.log_out()
    step("carbons")

    await bob.log_out()
    await alice.until("presence_unavailable", lambda p: p["from"].bare == BOB)
    alice.says(BOB, "while you were away")
    await alice["xep_0199"].ping("localhost", timeout=LIMIT)  # the server has it
    bob = Person(BOB + "/two")
    await bob.log_in()
    late = await bob.hears("while you were away")
    assert late["from"] == alice.boundjid and late.xml.find("{urn:xmpp:delay}delay") is not None, late
    step("offline")

    found = await bob.archive(ALICE)
    bodies = [(who, body) for _, who, body in found]
    assert bodies == [(ALICE, TEXT), (BOB, "receipt"), (BOB, "back"), (ALICE, "copied"), (BOB, "sent by my other client"),
                      (ALICE, "while you were away")], bodies
    assert found[-1][0] == late["stanza_id"]["id"], (found[-1], late)
    page = await bob["xep_0313"].retrieve(rsm={"max": 2, "after": found[2][0]}, timeout=LIMIT)
    assert [m["mam_result"]["id"] for m in page["mam"]["results"]] == [i for i, _, _ in found[3:5]], page
    try:
        await bob["xep_0313"].retrieve(jid=ALICE, timeout=LIMIT)
        raise SystemExit("bob has read alice's archive")
    except IqError as e:
        assert e.condition in ("forbidden", "service-unavailable"), e.iq
    step("archive")

    # What OMEMO clients do: a list of devices that everybody may read, told to those who ask for it.
    form = alice["xep_0004"].make_form(ftype="submit")
    form.add_field("FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    form.add_field("pubsub#access_model", value="open")
    form.add_field("pubsub#persist_items", value="true")
    devices = ET.fromstring("<list xmlns='eu.siacs.conversations.axolotl'><device id='31415'/></list>")
    await alice["xep_0060"].publish(None, DEVICES, id="current", payload=devices, options=form, timeout=LIMIT)
    told = await bob.until("devices_publish", lambda m: m["from"].bare == ALICE)
    assert "31415" in str(told) and told["from"] == ALICE, told
    items = await bob["xep_0060"].get_items(ALICE, DEVICES, timeout=LIMIT)
    assert [i["id"] for i in items["pubsub"]["items"]] == ["current"] and "31415" in str(items), items
    picture = b"\x89PNG\r\n\x1a\n and so on"
    await alice["xep_0084"].publish_avatar(picture)
    name = hashlib.sha1(picture).hexdigest()
    await alice["xep_0084"].publish_avatar_metadata([{"id": name, "type": "image/png", "bytes": str(len(picture))}])
    await bob.until("avatar_metadata_publish", lambda m: m["from"].bare == ALICE)
    data = await bob["xep_0084"].retrieve_avatar(ALICE, name)
    assert data["pubsub"]["items"]["item"]["avatar_data"]["value"] == picture, data
    step("omemo devices and avatar")

    step("cut")  # alice's connection
    await alice.until("disconnected")
    for n in range(20):
        bob.says(ALICE, f"in the dark {n}")
    bob.says(alice.boundjid.full, "to the resource")
    await bob["xep_0199"].ping("localhost", timeout=LIMIT)
    alice.connect((cable[0], int(cable[1])))
    await alice.until("session_resumed")
    for n in range(20):
        m = await alice.until("message")
        assert m["body"] == f"in the dark {n}", m  # in order, none lost, none twice
    assert (await alice.until("message"))["body"] == "to the resource"
    assert alice.queue("session_start").empty() and bob.queue("presence_unavailable").empty()
    alice.says(BOB, "I am back")
    await bob.hears("I am back")
    step("resumed")

    await alice["xep_0191"].block(BOB)
    await bob.until("presence_unavailable", lambda p: p["from"].bare == ALICE)
    listed = (await alice["xep_0191"].get_blocked())["blocklist"]["items"]
    assert {str(j) for j in listed} == {BOB}, listed
    lost = bob.says(ALICE, "do you hear me?")
    e = await bob.until("message_error")
    assert e["id"] == lost and e["error"]["condition"] == "service-unavailable", e
    for ask in (bob["xep_0199"].ping(alice.boundjid, timeout=LIMIT), bob["xep_0199"].ping(ALICE + "/nobody", timeout=LIMIT)):
        try:
            await ask
        except IqError as e:
            assert e.condition == "service-unavailable", e.iq
    await alice["xep_0191"].unblock(BOB)
    await bob.until("presence_available", lambda p: p["from"].bare == ALICE)
    bob.says(ALICE, "and now?")
    assert (await alice.until("message"))["body"] == "and now?"
    step("blocking")

    for p in (alice, bob):
        await p.log_out()
    step("done")


asyncio.get_event_loop().run_until_complete(asyncio.wait_for(main(), 180))

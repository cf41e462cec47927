"""Two people who chat by aioxmpp. argv: host:port of the server, host:port of a way to it that
whoever runs this cuts when it reads "cut"; the password comes by stdin. Each step prints a line."""
import asyncio, datetime, sys

import aioxmpp, aioxmpp.connector, aioxmpp.dispatcher

server, cable = [a.split(":") for a in sys.argv[1:3]]
password = sys.stdin.readline().rstrip("\n")
ALICE, BOB = aioxmpp.JID.fromstr("alice@localhost"), aioxmpp.JID.fromstr("bob@localhost")
TEXT = "grüße <&> \u2603"
LIMIT = 30


def step(*words):
    print(*words, flush=True)


def client(jid, way):
    c = aioxmpp.PresenceManagedClient(
        jid, aioxmpp.make_security_layer(password, no_verify=True),
        override_peer=[(way[0], int(way[1]), aioxmpp.connector.STARTTLSConnector())])
    c.backoff_start = datetime.timedelta(milliseconds=100)
    c.summon(aioxmpp.PingService)
    c.heard = asyncio.Queue()
    c.summon(aioxmpp.dispatcher.SimpleMessageDispatcher).register_callback(
        aioxmpp.MessageType.CHAT, None, lambda m: c.heard.put_nowait(m) if m.body else None)
    return c


async def hears(c, text):
    m = await asyncio.wait_for(c.heard.get(), LIMIT)
    assert m.body.any() == text, m
    return m


def says(c, to, text):
    m = aioxmpp.Message(type_=aioxmpp.MessageType.CHAT, to=to)
    m.body[None] = text
    return c.send(m)


async def main():
    alice, bob = client(ALICE.replace(resource="one"), cable), client(BOB.replace(resource="two"), server)
    disco, blocking = alice.summon(aioxmpp.DiscoClient), alice.summon(aioxmpp.BlockingClient)
    carbons = bob.summon(aioxmpp.CarbonsClient)
    alice.summon(aioxmpp.EntityCapsService)
    roster = alice.summon(aioxmpp.RosterClient)
    bobs = bob.summon(aioxmpp.RosterClient)
    bobs.on_subscribe.connect(lambda stanza: bobs.approve(stanza.from_))
    seen, resumed, suspended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    presence = alice.summon(aioxmpp.PresenceClient)
    presence.on_available.connect(lambda full, _: seen.set() if full.bare() == BOB else None)
    async with alice.connected() as stream, bob.connected():
        assert stream.sm_enabled and stream.sm_resumable, "no stream management"
        step("in")
        await roster.set_entry(BOB, name="Bob", add_to_groups={"friends"})
        roster.subscribe(BOB)
        await asyncio.wait_for(seen.wait(), LIMIT)
        assert roster.items[BOB].subscription == "to" and roster.groups["friends"], roster.items
        step("roster")

        await carbons.enable()
        await says(alice, BOB, TEXT)  # returns when it is acknowledged
        m = await hears(bob, TEXT)
        assert m.from_ == alice.local_jid, m
        await says(bob, ALICE, "back")
        await hears(alice, "back")
        step("chat")

        info = await disco.query_info(aioxmpp.JID.fromstr("localhost"))
        assert any(i.category == "server" and i.type_ == "im" for i in info.identities), info.identities
        account = await disco.query_info(ALICE)
        for feature in ("urn:xmpp:mam:2", "http://jabber.org/protocol/pubsub#publish"):
            assert feature in account.features, (feature, sorted(account.features))
        await aioxmpp.ping.ping(alice, bob.local_jid)
        step("disco")

        pep, theirs = alice.summon(aioxmpp.PEPClient), bob.summon(aioxmpp.PEPClient)
        assert await pep.available()
        step("pep")

        alice.on_stream_resumed.connect(resumed.set)
        alice.on_stream_suspended.connect(lambda reason: suspended.set())
        step("cut")
        await asyncio.wait_for(suspended.wait(), LIMIT)
        for n in range(20):
            await says(bob, ALICE, f"in the dark {n}")
        await asyncio.wait_for(resumed.wait(), LIMIT)
        for n in range(20):
            await hears(alice, f"in the dark {n}")
        await says(alice, BOB, "I am back")
        await hears(bob, "I am back")
        step("resumed")

        await blocking.block_jids([BOB])
        assert blocking.blocklist == {BOB}, blocking.blocklist
        try:
            await aioxmpp.ping.ping(bob, alice.local_jid)
            raise SystemExit("the ping came through")
        except aioxmpp.errors.XMPPCancelError as e:
            assert e.condition == aioxmpp.errors.ErrorCondition.SERVICE_UNAVAILABLE, e
        await blocking.unblock_all()
        await says(bob, ALICE, "and now?")
        await hears(alice, "and now?")
        step("blocking")
    step("done")


asyncio.get_event_loop().run_until_complete(asyncio.wait_for(main(), 180))

package identity

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// Numbers of the devices that accounts are known to use.
const (
	deviceLife      = 90 * 24 * time.Hour // one that was not used for longer is not known any more
	maxDevices      = 100                 // of one account; the one that was not used for longest goes
	deviceGap       = 6 * time.Hour       // between two notes that a device was used
	maxSeen         = 1 << 14             // devices whose last note is remembered
	maxSightings    = 1024                // log-ins that wait to be looked at
	noticesPerHour  = 5                   // of one account about devices
	deviceSweepEach = time.Hour
)

// Sizes of the address blocks that a device is expected to stay in: near is good enough to believe
// in, far to keep still about.
const (
	nearBits4, nearBits6 = 24, 48
	farBits4, farBits6   = 16, 32
)

// EventDeviceNew is the audit record of a log-in from a device that the account was not known to use.
const EventDeviceNew = "device.new"

// Device is a kind of client that an account has logged in with, from one part of the network. The
// store learns neither the address nor, of a browser, more than its family.
type Device struct {
	User                UserID
	Near, Far           []byte // keyed hashes: of road, client family and address block
	Road                Road
	Token               string // ID of the app password that it brings; "" for the account's own credential
	Client              string // its family, in words; "" where it said nothing
	FirstSeen, LastSeen time.Time
}

// place is the block of a that is as large as the bits say; the zero prefix where there is no address.
func place(a netip.Addr, bits4, bits6 int) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := bits4
	if a.Is6() {
		bits = bits6
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// sighting is a log-in that went well.
type sighting struct {
	user     UserID
	protocol Protocol
	family   string
	remote   netip.Addr
	token    string
	fast     bool // the client has shown a token of its own: it logged in before
	client   string
	session  string
	at       time.Time
}

// hashes are what the store knows a device by. An app password goes with its client wherever that is.
func (s *Service) hashes(v *sighting) (near, far []byte) {
	hash := func(bits4, bits6 int) []byte {
		if v.token != "" {
			return keyed(s.seal.devices, string(v.protocol.Road()), v.family, v.token)
		}
		return keyed(s.seal.devices, string(v.protocol.Road()), v.family, place(v.remote, bits4, bits6).String())
	}
	return hash(nearBits4, nearBits6), hash(farBits4, farBits6)
}

// deviceKey is a device as memory knows it, without a hash.
type deviceKey struct {
	user   UserID
	road   Road
	agent  string
	token  string
	prefix netip.Prefix
}

// devices looks at log-ins behind: the log-in itself waits for nothing.
type devices struct {
	queue chan sighting

	mu   sync.Mutex // guards seen
	seen *recent[deviceKey, time.Time]

	told  *recent[UserID, []time.Time] // notices of the last hour; the one goroutine's that looks at log-ins
	swept time.Time
}

func newDevices() *devices {
	return &devices{queue: make(chan sighting, maxSightings), seen: newRecent[deviceKey](maxSeen, func(*time.Time) {}),
		told: newRecent[UserID](maxSeen, func(*[]time.Time) {})}
}

// due reports whether the device was not noted for a while, and takes it for noted.
func (d *devices) due(k deviceKey, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.seen.get(k)
	if !last.IsZero() && now.Sub(*last) < deviceGap {
		return false
	}
	*last = now
	return true
}

// sighted queues a log-in to be looked at, where its device was not seen just now. One that finds no
// room is looked at when it comes again.
func (s *Service) sighted(ses *Session, method Method, creds *Credentials) {
	remote, agent := ses.Remote().Addr(), ses.Details().UserAgent
	if !remote.IsValid() {
		return // the machine's owner
	}
	if creds.Grant != nil && creds.Grant.Passing {
		return
	}
	k := deviceKey{user: creds.UserID, road: ses.protocol.Road(), agent: agent, prefix: place(remote, nearBits4, nearBits6)}
	if creds.Grant != nil {
		k.token = creds.Grant.TokenID
	}
	if !s.devices.due(k, creds.LoginAt) {
		return
	}
	v := sighting{user: k.user, protocol: ses.protocol, family: clientFamily(agent), remote: remote, token: k.token,
		fast: method == MethodFAST, client: ClientName(plain(agent)), session: ses.id, at: creds.LoginAt}
	select {
	case s.devices.queue <- v:
	default:
		s.devices.mu.Lock()
		*s.devices.seen.get(k) = time.Time{}
		s.devices.mu.Unlock()
	}
}

// KnownDevice reports whether the account of that name, alias or not, has logged in lately with the
// kind of client and from the part of the network that the session has. It costs the same for a name
// that nobody has. What a client says of itself is no proof: who is known is spared what strangers
// have done, and nothing more.
func (s *Service) KnownDevice(ctx context.Context, ses *Session, domain string, name UserName) bool {
	remote := ses.Remote().Addr()
	if !remote.IsValid() {
		return false
	}
	near, _ := s.hashes(&sighting{protocol: ses.protocol, family: clientFamily(ses.Details().UserAgent), remote: remote})
	known, err := s.store.DeviceKnown(ctx, domain, name, near, s.now().Add(-deviceLife))
	return err == nil && known
}

// Devices lists the devices that an account is known by, the last used first.
func (s *Service) Devices(ctx context.Context, user UserID) ([]Device, error) {
	return s.store.Devices(ctx, user)
}

// forgetDevices removes all that is known of an account's devices.
func forgetDevices(ctx context.Context, w StoreWriter, user UserID) error {
	list, err := w.Devices(ctx, user)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := w.RemoveDevices(ctx, user, d.Near); err != nil {
			return err
		}
	}
	return nil
}

// watchDevices looks at log-ins until ctx ends, and then at those that are left.
func (s *Service) watchDevices(ctx context.Context) {
	for {
		select {
		case v := <-s.devices.queue:
			s.lookAt(ctx, v)
		case <-ctx.Done():
			s.flushDevices(ctx)
			return
		}
	}
}

// flushDevices looks at all log-ins that wait.
func (s *Service) flushDevices(ctx context.Context) {
	drain(s.devices.queue, func(v sighting) { s.lookAt(ctx, v) })
}

// lookAt notes a device, and tells the person where it is a new one. They are told first, so that
// a crash between the two tells twice and not never.
func (s *Service) lookAt(ctx context.Context, v sighting) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), truthTimeout)
	defer cancel()
	acc, err := s.byID(ctx, v.user)
	if err != nil || acc == nil {
		return
	}
	known, err := s.store.Devices(ctx, v.user)
	if err != nil {
		s.log.Error("reading known devices", "user", string(v.user), "err", err)
		return
	}
	d := Device{User: v.user, Road: v.protocol.Road(), Token: v.token, Client: v.family, FirstSeen: v.at, LastSeen: v.at}
	d.Near, d.Far = s.hashes(&v)
	if s.strange(&v, &d, known) {
		s.newDevice(ctx, acc, &v)
	}
	err = s.store.Write(ctx, func(w StoreWriter) error {
		if err := w.PutDevice(ctx, d); err != nil {
			return err
		}
		for i := maxDevices - 1; i < len(known); i++ {
			if !bytes.Equal(known[i].Near, d.Near) {
				if err := w.RemoveDevices(ctx, v.user, known[i].Near); err != nil {
					return err
				}
			}
		}
		if v.at.Sub(s.devices.swept) < deviceSweepEach {
			return nil
		}
		s.devices.swept = v.at
		return w.ForgetDevices(ctx, v.at.Add(-deviceLife))
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		s.log.Error("noting a device", "user", string(v.user), "err", err)
	}
}

// strange reports whether a person should hear of a device. The first one of an account is how it
// begins, and the first one of an app password is what that was made for.
func (s *Service) strange(v *sighting, d *Device, known []Device) bool {
	first := true
	for _, k := range known {
		if k.Token != v.token {
			first = first && v.token != ""
			continue
		}
		first = false
		if v.at.Sub(k.LastSeen) < deviceLife && bytes.Equal(k.Far, d.Far) {
			return false
		}
	}
	return !first && !v.fast
}

// newDevice tells of a device, but no more than some within an hour.
func (s *Service) newDevice(ctx context.Context, acc *Account, v *sighting) {
	user := s.display(acc.Login, acc.Domain)
	s.behind.record(AuditEvent{Time: v.at, Event: EventDeviceNew, Actor: user, Via: string(v.protocol), Subject: user,
		Protocol: v.protocol, Remote: v.remote.String(), Session: v.session, Result: "ok", Detail: v.client})
	told := s.devices.told.get(v.user)
	for len(*told) > 0 && v.at.Sub((*told)[0]) >= time.Hour {
		*told = (*told)[1:]
	}
	if len(*told) >= noticesPerHour {
		return
	}
	*told = append(*told, v.at)
	n := s.about(NoticeDevice, acc)
	n.At, n.Protocol, n.Client, n.Remote, n.Session = v.at, v.protocol, v.client, v.remote.Unmap().String(), v.session
	if s.opts.Locate != nil {
		n.Location = s.opts.Locate(v.remote)
	}
	s.notify(ctx, n)
}

package factor

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"trivium/identity"
)

// maxAnswer bounds what a browser sends of one ceremony, in bytes.
const maxAnswer = 32 << 10

// Passkeys is identity's WebAuthn.
type Passkeys struct{}

var _ identity.Passkeys = Passkeys{}

// party is the library for one site.
func party(site identity.Site) (*webauthn.WebAuthn, error) {
	w, err := webauthn.New(&webauthn.Config{
		RPID: site.ID, RPDisplayName: site.Name, RPOrigins: site.Origins,
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(),
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			UserVerification:   protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys for the site %q: %w: %w", site.ID, err, identity.ErrInvalid)
	}
	return w, nil
}

// owner is an account with its credentials, as the library asks for it.
type owner struct {
	identity.PasskeyOwner
	credentials []webauthn.Credential
}

func (o owner) WebAuthnID() []byte                         { return o.Handle }
func (o owner) WebAuthnName() string                       { return o.Name }
func (o owner) WebAuthnDisplayName() string                { return o.Display }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

// descriptors name credentials in a question.
func descriptors(ids []string) ([]protocol.CredentialDescriptor, error) {
	list := make([]protocol.CredentialDescriptor, 0, len(ids))
	for _, id := range ids {
		raw, err := base64.RawURLEncoding.DecodeString(id)
		if err != nil {
			return nil, fmt.Errorf("a credential ID that is none: %w", err)
		}
		list = append(list, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: raw})
	}
	return list, nil
}

func question(options any, s *webauthn.SessionData) (identity.Ceremony, error) {
	o, err := json.Marshal(options)
	if err != nil {
		return identity.Ceremony{}, fmt.Errorf("writing a question to an authenticator: %w", err)
	}
	state, err := json.Marshal(s)
	if err != nil {
		return identity.Ceremony{}, fmt.Errorf("writing a question to an authenticator: %w", err)
	}
	return identity.Ceremony{Challenge: s.Challenge, Options: o, State: state}, nil
}

// Offer implements identity.Passkeys.
func (Passkeys) Offer(site identity.Site, who identity.PasskeyOwner, have []string) (identity.Ceremony, error) {
	w, err := party(site)
	if err != nil {
		return identity.Ceremony{}, err
	}
	not, err := descriptors(have)
	if err != nil {
		return identity.Ceremony{}, err
	}
	options, state, err := w.BeginRegistration(owner{PasskeyOwner: who}, webauthn.WithExclusions(not))
	if err != nil {
		return identity.Ceremony{}, fmt.Errorf("asking for a new passkey: %w", err)
	}
	return question(options, state)
}

// refused is an answer that does not fit, with the library's reason, which the log may have.
func refused(kind, err error) error {
	var p *protocol.Error
	if errors.As(err, &p) && p.DevInfo != "" {
		return fmt.Errorf("the passkey was not accepted: %s: %s: %w", p.Details, p.DevInfo, kind)
	}
	return fmt.Errorf("the passkey was not accepted: %w: %w", err, kind)
}

func opened(state []byte) (webauthn.SessionData, error) {
	var s webauthn.SessionData
	if err := json.Unmarshal(state, &s); err != nil {
		return s, fmt.Errorf("reading a question to an authenticator: %w", err)
	}
	return s, nil
}

// Made implements identity.Passkeys.
func (Passkeys) Made(site identity.Site, who identity.PasskeyOwner, state, answer []byte) (identity.Passkey, error) {
	w, err := party(site)
	if err != nil {
		return identity.Passkey{}, err
	}
	s, err := opened(state)
	if err != nil {
		return identity.Passkey{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return identity.Passkey{}, refused(identity.ErrInvalid, err)
	}
	c, err := w.CreateCredential(owner{PasskeyOwner: who}, s, parsed)
	if err != nil {
		return identity.Passkey{}, refused(identity.ErrInvalid, err)
	}
	return passkey(c)
}

// passkey is a credential for the store. What the attestation said is left out: nobody asks for it.
func passkey(c *webauthn.Credential) (identity.Passkey, error) {
	c.Attestation = webauthn.CredentialAttestation{}
	record, err := json.Marshal(c)
	if err != nil {
		return identity.Passkey{}, fmt.Errorf("writing a passkey: %w", err)
	}
	return identity.Passkey{Credential: base64.RawURLEncoding.EncodeToString(c.ID), Record: record,
		Counter: c.Authenticator.SignCount, Cloned: c.Authenticator.CloneWarning}, nil
}

// Ask implements identity.Passkeys.
func (Passkeys) Ask(site identity.Site, allow []string) (identity.Ceremony, error) {
	w, err := party(site)
	if err != nil {
		return identity.Ceremony{}, err
	}
	only, err := descriptors(allow)
	if err != nil {
		return identity.Ceremony{}, err
	}
	var opts []webauthn.LoginOption
	if len(only) > 0 {
		opts = append(opts, webauthn.WithAllowedCredentials(only))
	}
	options, state, err := w.BeginDiscoverableLogin(opts...)
	if err != nil {
		return identity.Ceremony{}, fmt.Errorf("asking for a passkey: %w", err)
	}
	return question(options, state)
}

// Used implements identity.Passkeys (WebAuthn section 7.2).
func (Passkeys) Used(site identity.Site, who identity.PasskeyOwner, p identity.Passkey, state, answer []byte) (identity.Passkey, error) {
	w, err := party(site)
	if err != nil {
		return identity.Passkey{}, err
	}
	s, err := opened(state)
	if err != nil {
		return identity.Passkey{}, err
	}
	var known webauthn.Credential
	if err := json.Unmarshal(p.Record, &known); err != nil {
		return identity.Passkey{}, fmt.Errorf("reading a passkey: %w", err)
	}
	known.Authenticator.SignCount, known.Authenticator.CloneWarning = p.Counter, false
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return identity.Passkey{}, refused(identity.ErrCredentials, err)
	}
	// Which ones were allowed counted for the choice of the authenticator; whose this one is the
	// caller has found by its ID.
	s.AllowedCredentialIDs = nil
	find := func([]byte, []byte) (webauthn.User, error) {
		return owner{who, []webauthn.Credential{known}}, nil
	}
	var c *webauthn.Credential
	if len(parsed.Response.UserHandle) > 0 {
		_, c, err = w.ValidatePasskeyLogin(find, s, parsed)
	} else { // an authenticator may leave the handle out where it was told which credentials are allowed
		s.UserID = who.Handle
		c, err = w.ValidateLogin(owner{who, []webauthn.Credential{known}}, s, parsed)
	}
	if err != nil {
		return identity.Passkey{}, refused(identity.ErrCredentials, err)
	}
	return passkey(c)
}

// Read implements identity.Passkeys.
func (Passkeys) Read(answer []byte) (identity.PasskeyAnswer, error) {
	if len(answer) > maxAnswer {
		return identity.PasskeyAnswer{}, fmt.Errorf("the answer of an authenticator has more than %d bytes: %w", maxAnswer, identity.ErrInvalid)
	}
	var a struct {
		RawID    string `json:"rawId"`
		Response struct {
			ClientDataJSON string `json:"clientDataJSON"`
			UserHandle     string `json:"userHandle"`
		} `json:"response"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return identity.PasskeyAnswer{}, fmt.Errorf("the answer of an authenticator is no JSON: %w", identity.ErrInvalid)
	}
	id, err := base64.RawURLEncoding.DecodeString(a.RawID)
	if err != nil || len(id) == 0 {
		return identity.PasskeyAnswer{}, fmt.Errorf("the answer of an authenticator names no credential: %w", identity.ErrInvalid)
	}
	data, err := base64.RawURLEncoding.DecodeString(a.Response.ClientDataJSON)
	var client struct {
		Challenge string `json:"challenge"`
	}
	if err != nil || json.Unmarshal(data, &client) != nil || client.Challenge == "" {
		return identity.PasskeyAnswer{}, fmt.Errorf("the answer of an authenticator names no challenge: %w", identity.ErrInvalid)
	}
	handle, err := base64.RawURLEncoding.DecodeString(a.Response.UserHandle)
	if err != nil {
		return identity.PasskeyAnswer{}, fmt.Errorf("the answer of an authenticator names no account: %w", identity.ErrInvalid)
	}
	return identity.PasskeyAnswer{Challenge: client.Challenge, Handle: handle,
		Credential: base64.RawURLEncoding.EncodeToString(id)}, nil
}

package identity

// EventTransferStop is the row of the audit log about a transfer that somebody broke off.
const EventTransferStop = "transfer.stop"

// StopTransfer breaks off what a session transfers; the session goes on. ErrNotFound where there
// is no such session or it transfers nothing. Who may do so is the caller's to decide.
func (s *Service) StopTransfer(by Actor, id string) error {
	ses, ok := s.Registry.Get(id)
	if !ok {
		return ErrNotFound
	}
	i := ses.Info()
	if !ses.stopTransfers() {
		return ErrNotFound
	}
	e := AuditEvent{Event: EventTransferStop, Actor: by.User, Via: by.Via, Subject: "anonymous", Result: "ok"}
	if i.User != nil {
		e.Subject = *i.User
	}
	if i.Transfer != nil {
		e.Detail = clip(i.Transfer.Verb+" "+i.Transfer.Path, maxAuditDetail)
	}
	e = cleaned(e)
	s.trail(ses, e.Subject, e)
	return nil
}

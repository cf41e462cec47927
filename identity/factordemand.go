package identity

// factorDemanded reports whether policy wants a second factor of accounts of a level, or of whoever
// comes from a class.
func (s *Service) factorDemanded(level Level, class *Class) bool {
	return class != nil && class.SecondFactor || s.opts.FactorFrom != LevelNone && level.Allows(s.opts.FactorFrom)
}

// FactorDemanded says whether policy wants a second factor of the session's account, for pages.
func (s *Service) FactorDemanded(ses *Session) bool {
	a, ok := ses.attached()
	return ok && !a.creds.Anonymous() && s.factorDemanded(a.held, ses.classNow())
}

// factorHolds is ErrFactor where what the attachment was given for does not suffice: the account has
// a second factor, or policy wants one, and a password was all that was shown. Log-ins and changes
// of the account ask it alike.
func (s *Service) factorHolds(class *Class, acc *Account, a *attachment) error {
	switch {
	case a.creds.Grant != nil, a.factor != "", a.method.strong(), a.cert != nil:
		return nil
	case acc.Factors.Asked(), s.factorDemanded(acc.Level, class):
		return ErrFactor
	}
	return nil
}

// proofHolds is factorHolds and bothHold.
func (s *Service) proofHolds(class *Class, acc *Account, a *attachment) error {
	if err := s.bothHold(class, acc, a); err != nil {
		return err
	}
	return s.factorHolds(class, acc, a)
}

// strong reports whether a method shows more than a password: something that a person has, or a
// credential that one device got.
func (m Method) strong() bool {
	switch m {
	case MethodPasskey, MethodFAST, MethodExternal, MethodBearer:
		return true
	}
	return false
}

package web

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/probe"
)

// stepRow is one step of a connection test as pages show it.
type stepRow struct {
	ID     string      `json:"id"`
	Title  string      `json:"title"`
	State  probe.State `json:"state"`
	Detail string      `json:"detail"`
	Why    string      `json:"why"`
	Fix    string      `json:"fix"`
}

// Blank is what a script fills in.
func (h *homeView) Blank() stepRow { return stepRow{} }

// States are those of steps, for the script's badges.
func (h *homeView) States() []probe.State {
	return []probe.State{probe.OK, probe.Warning, probe.Failed, probe.Skipped}
}

// row says a step in the visitor's language; what a server said is as it is.
func (v *visit) row(s probe.Step) stepRow {
	r := stepRow{ID: s.ID, Title: v.found(s.Title), State: s.State, Detail: v.found(s.Detail), Why: v.found(s.Why), Fix: v.found(s.Fix)}
	if key := "home.step_" + s.ID; v.words.Has(key) {
		r.Title = v.T(key)
	}
	return r
}

// found is what the doctor or a test of a connection has found, in the visitor's language.
func (v *visit) found(english string) string { return v.words.Echo("finding", english) }

// eventStream is what a script asks for that shows steps as they end.
const eventStream = "text/event-stream"

// postConnectTest tries one road for the visitor: as a stream of steps, or as a page when all are done.
func (s *Server) postConnectTest(v *visit) error {
	road := v.param("road")
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	cards, err := s.cards(v, a)
	if err != nil {
		return err
	}
	known := false
	for _, c := range cards {
		known = known || c.Road == road
	}
	if !known || s.opt.TestConnection == nil {
		return errAbsent
	}
	if strings.Contains(v.Request().Header.Get("Accept"), eventStream) {
		return s.streamTest(v, road)
	}
	var rows []stepRow
	err = s.opt.TestConnection(v.ctx(), v.actor(), v.creds.User, road, "", func(step probe.Step) { rows = append(rows, v.row(step)) })
	if errors.Is(err, identity.ErrThrottled) {
		return s.showHome(v, road, nil, v.T("home.test_throttled"))
	}
	if err != nil {
		return err
	}
	return s.showHome(v, road, rows, "")
}

// streamTest sends each step as an event, and "done" at the end.
func (s *Server) streamTest(v *visit, road string) error {
	rc := http.NewResponseController(v.Response().Writer)
	began := false
	send := func(kind string, data any) {
		if !began {
			began = true
			h := v.Response().Header()
			h.Set("Content-Type", eventStream+"; charset=utf-8")
			h.Set("X-Accel-Buffering", "no")
			v.Response().WriteHeader(http.StatusOK)
		}
		b, err := json.Marshal(data)
		if err != nil {
			return
		}
		_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := fmt.Fprintf(v.Response(), "event: %s\ndata: %s\n\n", kind, b); err == nil {
			_ = rc.Flush()
		}
	}
	err := s.opt.TestConnection(v.ctx(), v.actor(), v.creds.User, road, "", func(step probe.Step) { send("step", v.row(step)) })
	switch {
	case errors.Is(err, identity.ErrThrottled) && !began:
		send("refused", v.T("home.test_throttled"))
	case err != nil && !began:
		return err
	}
	send("done", "")
	return nil
}

// What FileZilla calls things in its file of sites (its sitemanager.xml).
const (
	fzExplicit  = 4 // FTP over TLS, demanded
	fzImplicit  = 3
	fzPlain     = 6
	fzAsk       = 2 // the password is asked for
	fzAutomatic = "Auto"
)

type fzServer struct {
	Host         string
	Port         string
	Protocol     int
	Type         int
	User         string
	Logontype    int
	EncodingType string
	BypassProxy  int
	Name         string
}

// getFileZilla is a file that FileZilla imports (File, Import): the site without a password.
func (s *Server) getFileZilla(v *visit) error {
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	by := map[string]Bound{}
	for _, b := range s.opt.Listeners() {
		if _, ok := by[b.Name]; !ok {
			by[b.Name] = b
		}
	}
	b, explicit := by["ftp"]
	protocol := fzExplicit
	if !explicit {
		b, explicit = by["ftps"]
		protocol = fzImplicit
	} else if b.TLS == "none" {
		protocol = fzPlain
	}
	if ftp, _, _ := s.ways(v, a); !ftp || !explicit {
		return errAbsent
	}
	host, port := s.endpoint(b.Addr)
	out, err := xml.MarshalIndent(struct {
		XMLName  xml.Name `xml:"FileZilla3"`
		Version  string   `xml:"version,attr"`
		Platform string   `xml:"platform,attr"`
		Server   fzServer `xml:"Servers>Server"`
	}{Version: "3.60.0", Platform: "*nix", Server: fzServer{Host: host, Port: port, Protocol: protocol, User: v.creds.User, Logontype: fzAsk,
		EncodingType: fzAutomatic, Name: s.opt.SiteName}}, "", "\t")
	if err != nil {
		return err
	}
	v.Response().Header().Set("Content-Disposition", `attachment; filename="filezilla.xml"`)
	return v.Blob(http.StatusOK, "application/xml; charset=utf-8", append([]byte(xml.Header), out...))
}

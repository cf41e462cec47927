package api

import (
	"net/http"
	"net/url"
)

// exchange is what one request and its answer carry beside the input and the body.
type exchange struct {
	header    http.Header // of the answer
	path      string      // of the request
	query     url.Values  // as it came
	match     *tags       // If-Match
	noneMatch *tags       // If-None-Match
	page      pageAsk
	state     string // first part of the answer's tag
}

// newExchange reads the fields that count for every operation.
func newExchange(w http.ResponseWriter, r *http.Request, route Route) (*exchange, error) {
	x := &exchange{header: w.Header(), path: r.URL.Path}
	var err error
	if x.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, newProblem(http.StatusBadRequest, codeInvalid, "The query of the address cannot be read.", "")
	}
	for _, f := range []struct {
		name string
		to   **tags
	}{{"If-Match", &x.match}, {"If-None-Match", &x.noneMatch}} {
		lines := r.Header.Values(f.name)
		if len(lines) == 0 {
			continue
		}
		t, ok := parseTags(lines)
		if !ok {
			return nil, newProblem(http.StatusBadRequest, codeInvalid, f.name+" is * or a list of entity tags such as \"x\" (RFC 9110 section 8.8.3).", "")
		}
		*f.to = &t
	}
	if route.pages == pagesNone {
		return x, nil
	}
	x.page, err = readPage(x.query, route)
	return x, err
}

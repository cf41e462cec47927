// Package geoip says where an address is, by a file in MaxMind's format (MMDB 2.0) with cities or
// countries in it. It asks nobody on the network.
package geoip

import (
	"fmt"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"
)

// maxLabel bounds what is made of a name, in bytes; a file may say anything.
const maxLabel = 100

// File is an open file. It is mapped into memory: whoever brings a newer one puts it in its place by
// renaming, as geoipupdate does, and never writes into it.
type File struct{ reader *maxminddb.Reader }

// Open opens a file and looks at whether it can be read.
func Open(path string) (*File, error) {
	r, err := maxminddb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the file of places %s: %w. Set identity.geoip to a file such as GeoLite2-City.mmdb, or to nothing", path, err)
	}
	return &File{r}, nil
}

// Locate is "City, CC", or what of it the file knows; "" where it knows nothing. Addresses that are
// nobody's on the internet are in the file of nobody.
func (f *File) Locate(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	var rec struct {
		City struct {
			Names map[string]string `maxminddb:"names"`
		} `maxminddb:"city"`
		Country struct {
			Code string `maxminddb:"iso_code"`
		} `maxminddb:"country"`
	}
	if err := f.reader.Lookup(a.Unmap().WithZone("")).Decode(&rec); err != nil {
		return "" // a damaged record: nobody knows
	}
	city, cc := rec.City.Names["en"], rec.Country.Code
	if len(city)+len(cc) > maxLabel {
		return ""
	}
	switch {
	case city == "":
		return cc
	case cc == "":
		return city
	}
	return city + ", " + cc
}

// Close gives the file back; nobody locates any more.
func (f *File) Close() error { return f.reader.Close() }

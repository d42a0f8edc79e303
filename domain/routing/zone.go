package routing

import (
	"archive/zip"
	_ "embed" // for zoneinfo.zip
	"fmt"
	"io"
	"strings"
	"time"
)

// zoneinfo is the IANA time zone database (public domain) as Go ships it in
// $GOROOT/lib/time/zoneinfo.zip. It is embedded here, and not by way of
// time/tzdata, because time.LoadLocation asks the host's files first: two
// machines could then decide differently. To update it, copy the file of a
// newer Go and set the two constants; a test holds the digest.
//
//go:embed zoneinfo.zip
var zoneinfo string

const (
	zoneVersion = "2025c" // DATA in $GOROOT/lib/time/update.bash
	zoneDigest  = "8f55634d05f8bca1"
)

// TimeZones identifies the time zone data that decisions use.
const TimeZones = "IANA " + zoneVersion + " sha256:" + zoneDigest

// loadZone returns the zone with the given IANA name from the embedded data.
func loadZone(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	archive, err := zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, fmt.Errorf("open embedded time zones: %w", err)
	}
	for _, f := range archive.File {
		if f.Name == name && !f.FileInfo().IsDir() {
			return readZone(f)
		}
	}
	return nil, fmt.Errorf("time zone %q is unknown", name)
}

func readZone(f *zip.File) (*time.Location, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open time zone %s: %w", f.Name, err)
	}
	data, err := io.ReadAll(r)
	_ = r.Close()
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", f.Name, err)
	}
	location, err := time.LoadLocationFromTZData(f.Name, data)
	if err != nil {
		return nil, fmt.Errorf("decode time zone %s: %w", f.Name, err)
	}
	return location, nil
}
